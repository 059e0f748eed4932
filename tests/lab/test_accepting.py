"""What a policy accepts neither refuses nor warns, and is still told. Real: hosts, SSH, Podman, CRIU."""

from __future__ import annotations

import pytest

from reconciler.lab import Probe
from tests.lab.pair import IMAGE, Bench

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


def test_what_is_accepted_is_planned_and_told(bench: Bench, client: Probe) -> None:
    container = {"image": IMAGE, "mounts": [{"source": "/srv", "target": "/srv"}]}
    bench.start("strange", container, "--privileged")
    wanted = (("web", bench.web(), "h1"), ("strange", container, "h2"))
    try:
        before = bench.plan(*wanted)
        accepted = ["container.file-flags", "container.privileged", "mount.stays"]
        after = bench.plan(*wanted, policy={"accept": accepted})
    finally:
        bench.on("h1", "podman rm -f -t 0 strange")
    found = {f["code"]: (f["severity"], f["accepted"]) for f in before["findings"]}
    assert found["container.privileged"] == ("error", False) and found["mount.stays"] == ("warning", False)
    assert before["refused"] and not before["steps"]
    found = {f["code"]: (f["severity"], f["accepted"]) for f in after["findings"]}
    assert found["container.privileged"] == found["mount.stays"] == ("warning", True)
    assert not after["refused"] and {step["workload"] for step in after["steps"]} == {"strange"}
    assert {row["workload"]: row["verdict"] for row in after["verdicts"]}["strange"] == "yes"
