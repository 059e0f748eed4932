"""A few of the cases of `make faults`, one of each kind, on every test run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconciler.lab import Lab
from tests.faults.bench import Bench
from tests.faults.cases import matrix
from tests.faults.model import Case
from tests.faults.referee import Referee

pytestmark = pytest.mark.lab

CHOSEN = (
    "kill@hold:before-outcome",
    "kill@commit:after-intent (journal lost)",
    "kill-source@commit:after-command (journal lost)",
    "interrupt@transfer:after-intent",
    "close_output@hold:after-intent",
    "close_output@restore:after-intent",
    "hang_up@transfer:after-intent",
    "lose@restore:after-command",
    "kill_sshd-destination@transfer:after-intent",
    "fill_images-source@hold:after-intent",
    "images: change always on the way",
    "CRIU hangs in the middle of its dump",
    "fill_journal@transfer:before-outcome",
    "reboot-source@commit:after-outcome",
    "stop@hold:before-outcome",
    "restore fails, kill@undo-hold:after-intent (journal lost)",
    "stage: `podman start` at the destination",
    "commit: `podman restart` at the source",
    "commit: `podman container restore` at the source",
    "commit: `podman kube play` at the source",
    "restore: `podman start` at the source",
    "restore: `podman rename` at the destination",
)
CASES = {case.name: case for case in matrix()}


@pytest.fixture(scope="module")
def bench(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One workload that all cases move to and fro, as each leaves it."""
    bench = Bench(lab, tmp_path_factory.mktemp("faults"))
    yield bench
    bench.reset()


@pytest.mark.parametrize("case", [CASES[name] for name in CHOSEN], ids=lambda case: case.name)
def test_fault(bench: Bench, case: Case) -> None:
    verdict = Referee(bench, case).judge()
    assert verdict.ok, f"{verdict.outcome}, exit {verdict.exit}:\n" + "\n".join(verdict.problems)


def test_every_case_has_its_own_name_and_there_are_enough() -> None:
    assert len(CASES) >= 100
