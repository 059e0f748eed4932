"""What runs is compared with the spec; less is fine, more is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.model.labels import LABEL_SPEC
from reconciler.model.spec import Workload
from reconciler.model.world import ContainerFacts
from reconciler.runtimes.oci import verifying
from reconciler.runtimes.oci.options import spec_label
from reconciler.runtimes.podman import parse

RECORDED = json.loads((Path(__file__).parent / "data" / "podman-inspect-running.json").read_text())["output"]
PROCESS = {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_KILL"]}, "noNewPrivileges": True}
CONFIG = {
    "process": PROCESS,
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


def asking(**more: object) -> tuple[Workload, ContainerFacts]:
    """The recorded container, as if it had been made with more."""
    made = workload()
    container = made.container.model_validate({**json.loads(facts().labels[LABEL_SPEC]), **more})
    made = made.model_copy(update={"spec": made.spec.model_copy(update={"container": container})})
    return made, facts().model_copy(update={"labels": {**facts().labels, LABEL_SPEC: spec_label(container)}})


LIMITS = """@@ limits
Limit                     Soft Limit           Hard Limit           Units
Max open files            500                  600                  files
Max stack size            8388608              unlimited            bytes
"""
SYSCTLS = "@@ sysctls\nnet/core/somaxconn 777\nnet/ipv4/ip_local_port_range 1\t2\n"


@pytest.mark.parametrize(
    ("more", "seen", "word"),
    [
        ({"ulimits": {"nofile": 600}}, LIMITS, ""),
        ({"ulimits": {"stack": -1}}, LIMITS, ""),
        ({"ulimits": {"nofile": {"soft": 1, "hard": 599}}}, LIMITS, "nofile is 600, not 599"),
        ({"ulimits": {"stack": 5}}, LIMITS, "stack is unlimited"),
        ({"ulimits": {"stack": 5}}, "", "not known"),
        ({"sysctls": {"net.core.somaxconn": 777, "net.ipv4.ip_local_port_range": "1  2"}}, SYSCTLS, ""),
        ({"sysctls": {"net.core.somaxconn": 778}}, SYSCTLS, "is 777, not 778"),
        ({"sysctls": {"kernel.msgmax": 8}}, SYSCTLS, "not known"),
        ({"tmpfs": [{"target": "/proc2"}]}, "", "/proc2 is not mounted"),
        ({"secretFiles": {"/key": {"fromFile": "k"}}}, "", "/key is not mounted"),
    ],
)
def test_what_later_fields_say_is_looked_at(more: dict[str, object], seen: str, word: str) -> None:
    made, found = asking(**more)
    said = verifying.problems(made, found.image_id, found, truth() + seen)
    assert len(said) == bool(word) and word in "".join(said)


def test_another_profile_of_apparmor_is_found() -> None:
    config = json.dumps({**CONFIG, "process": {**PROCESS, "apparmorProfile": "web"}})
    text = truth().rpartition("@@ config")[0] + f"@@ config\n{config}\n@@ confined\n"
    assert problems(text + "web (enforce)\n") == []
    assert "not web" in problems(text + "unconfined\n")[0]
