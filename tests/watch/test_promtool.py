"""What Prometheus' own checker says of the metrics. Real: promtool, and in one test the watch; made up there: what
hosts answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reconciler.core.points import Point
from reconciler.core.tending import Cause, Postponed
from reconciler.load import load_all
from reconciler.model.event import StepEnded
from reconciler.watch.metrics import Metrics
from reconciler.watch.told import News, Told
from tests.bench.watching import watching
from tests.cli.memory_fleet import want
from tests.core.test_accuracy import planned
from tests.watch.promtool import checked, promtool

pytestmark = [] if shutil.which("promtool") else [pytest.mark.nightly]


def test_promtool_finds_nothing_whatever_happened(tmp_path: Path) -> None:
    metrics = Metrics()
    want(tmp_path, web="h1")
    spec = load_all([tmp_path / "specs"]).spec
    metrics.looked(spec, (Postponed("web", Cause.PUT_BACK, "why"),), ("h2",), 0.1)
    metrics.points({"web": Point("web", "p", 600.0, 7200.0)})
    for news in News:
        metrics.told(Told(news, "text", state="done", code="S601"))
    for step in planned().steps:
        metrics.stepped(StepEnded(step, False, 0.1, "it failed"))
    assert checked(metrics.text(True), promtool(tmp_path)) == ""


def test_promtool_finds_nothing_in_a_watch_that_runs(tmp_path: Path) -> None:
    with watching(20, "1s") as found:
        metrics = found.ask("/metrics")
    assert b"reconciler_workloads 20.0" in metrics
    assert checked(metrics, promtool(tmp_path)) == ""
    assert checked(metrics + b"UPPER_total 1\n", promtool(tmp_path)), "it would find something"
