"""What runs is compared with the spec; less is fine, more is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.model.labels import LABEL_SPEC
from reconciler.model.spec import Workload
from reconciler.model.world import ContainerFacts
from reconciler.runtimes.podman import parse, verifying
from reconciler.runtimes.podman.options import spec_label

RECORDED = json.loads((Path(__file__).parent / "data" / "podman-inspect-running.json").read_text())["output"]
CONFIG = {
    "process": {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_KILL"]}, "noNewPrivileges": True},
    "linux": {"seccomp": {"defaultAction": "x"}, "namespaces": [{"type": "pid"}, {"type": "network"}]},
}
ALLOWED = "0000000000000021"
GOOD = f"Name:\tx\nCapInh:\t0\nCapPrm:\t{ALLOWED}\nCapEff:\t{ALLOWED}\nCapBnd:\t{ALLOWED}\nCapAmb:\t0\n"
GOOD += "NoNewPrivs:\t1\nSeccomp:\t2\n"


def facts() -> ContainerFacts:
    return parse.containers(RECORDED)[0]


def workload() -> Workload:
    return Workload.model_validate(
        {
            "apiVersion": "reconciler/v1alpha1",
            "kind": "Workload",
            "metadata": {"name": "c1"},
            "spec": {"container": json.loads(facts().labels[LABEL_SPEC]), "placement": {"host": "h1"}},
        }
    )


def truth(process: str = GOOD, shared: str = "", cgroup: str | None = None) -> str:
    group = facts().id if cgroup is None else cgroup
    return (
        f"@@ process 7\n{process}\n@@ mounts\n/\n/proc\n@@ shared\n{shared}\n@@ cgroup\n0::/libpod-{group}\n"
        f"@@ config\n{json.dumps(CONFIG)}\n"
    )


def problems(text: str, found: ContainerFacts | None = None) -> list[str]:
    return verifying.problems(workload(), facts().image_id, found or facts(), text)


def test_as_the_spec_says() -> None:
    assert spec_label(workload().container) == facts().labels[LABEL_SPEC]
    assert problems(truth()) == []


def test_less_than_allowed_is_fine() -> None:
    assert problems(truth(GOOD.replace(ALLOWED, "0000000000000001"))) == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (truth(GOOD.replace(ALLOWED, "0000000000200021")), "CAP_SYS_ADMIN"),
        (truth(GOOD.replace("Seccomp:\t2", "Seccomp:\t0")), "seccomp"),
        (truth(GOOD.replace("NoNewPrivs:\t1", "NoNewPrivs:\t0")), "privileges"),
        (truth(shared="net\n"), "network namespace"),
        (truth(cgroup="other"), "control group"),
        (truth().replace("@@ process 7", "@@ nothing"), "no processes"),
    ],
)
def test_more_than_allowed_is_found(text: str, word: str) -> None:
    found = problems(text)
    assert len(found) == 1
    assert word in found[0]


def test_another_container_is_found() -> None:
    assert verifying.problems(workload(), "f" * 64, facts(), truth())
    moved = facts().model_copy(update={"networks": ()})
    assert "network lab" in problems(truth(), moved)[0]
    relabelled = facts().model_copy(update={"labels": {}})
    assert "another spec" in problems(truth(), relabelled)[0]
