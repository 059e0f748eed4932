"""Of which commit a container is: its label, from the plan to the engine's command line."""

from __future__ import annotations

import pytest

from reconciler.engine.effects.base import Acting
from reconciler.model.labels import LABEL_COMMIT
from reconciler.model.plan import Plan
from reconciler.runtimes.docker import options as docker
from reconciler.runtimes.podman import options as podman
from tests.bench.world import fleet

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "w0"


@pytest.mark.parametrize(
    ("commit", "dirty", "says"),
    [(COMMIT, False, [COMMIT]), (COMMIT, True, [f"{COMMIT} with uncommitted changes"]), (None, True, [])],
)
def test_a_container_says_of_which_commit_it_is(commit: str | None, dirty: bool, says: list[str]) -> None:
    planned = fleet(1, 1, 0)[0].workloads[NAME]
    claimed = planned.metadata.model_copy(update={"labels": {LABEL_COMMIT: "somebody's", "team": "web"}})
    planned = planned.model_copy(update={"metadata": claimed})
    plan = Plan(commit=commit, dirty=dirty, workloads={NAME: planned})
    acting = Acting(plan, "r", fleet=None, drivers={}, secrets=lambda _: {})  # type: ignore[arg-type]
    made = acting.workload(NAME)
    assert made.container == planned.container and made.metadata.labels["team"] == "web"
    for argv in (
        podman.create_argv(made, image="i", oci_runtime="", restart="no", attach=True),
        docker.create_argv(made, image="i", restart="no", secrets=()),
    ):
        found = [
            word.partition(f"{LABEL_COMMIT}=")[2] for word in argv if word.startswith(f"--label={LABEL_COMMIT}")
        ]
        assert found == says
