"""What Prometheus' own checker says of the metrics. Real: promtool, of Debian's package where it is not there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from reconciler.core.points import Point
from reconciler.core.tending import Cause, Postponed
from reconciler.load import load_all
from reconciler.model.event import StepEnded
from reconciler.watch.metrics import Metrics
from reconciler.watch.told import News, Told
from tests.cli.memory_fleet import want
from tests.core.test_accuracy import planned

pytestmark = pytest.mark.nightly


@pytest.fixture
def promtool(tmp_path: Path) -> str:
    """The package is unpacked, not installed: that would begin to run a server."""
    if found := shutil.which("promtool"):
        return found
    for argv in (["apt-get", "download", "-qq", "prometheus"], ["sh", "-c", "dpkg -x prometheus_*.deb ."]):
        subprocess.run(argv, cwd=tmp_path, check=True, timeout=240)
    return str(tmp_path / "usr" / "bin" / "promtool")


def test_promtool_finds_nothing(promtool: str, tmp_path: Path) -> None:
    metrics = Metrics()
    want(tmp_path, web="h1")
    spec = load_all([tmp_path / "specs"]).spec
    metrics.looked(spec, (Postponed("web", Cause.PUT_BACK, "why"),), ("h2",), 0.1)
    metrics.points({"web": Point("web", "p", 600.0, 7200.0)})
    for news in News:
        metrics.told(Told(news, "text", state="done", code="S601"))
    for step in planned().steps:
        metrics.stepped(StepEnded(step, False, 0.1, "it failed"))
    done = subprocess.run(
        [promtool, "check", "metrics"], input=metrics.text(), capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
