"""Containers as CRI is told of them, and its answers as they are read. Messages are made here by the same table,
and some by hand."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from reconciler.errors import CommandFailed, HostError
from reconciler.model.command import Result
from reconciler.model.container import Container
from reconciler.model.labels import ANNOTATION_CRIU, LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.world import InstanceState
from reconciler.runtimes.base import Pull
from reconciler.runtimes.cri import calls, configs, images, looking, messages
from reconciler.runtimes.cri.calls import CriAnswer, CriCall
from reconciler.runtimes.cri.driver import CriDriver
from reconciler.runtimes.cri.messages import mapping

POD, CONTAINER, IMAGE = "a" * 64, "b" * 64, "c" * 64
WANTED = {
    "image": "app:1",
    "command": ["serve"],
    "env": {"A": "1"},
    "user": "1000:50",
    "capDrop": ["NET_RAW"],
    "limits": {"memory": "64MiB", "cpus": 0.5},
    "mounts": [{"source": "/srv/web", "target": "/web", "readOnly": True}],
}


def wanted(**fields: object) -> Container:
    return Container.model_validate({**WANTED, **fields})


def read_back(kind: str, fields: dict[str, Any]) -> Any:
    return messages.unframed(kind, messages.framed(kind, fields))


def test_a_message_is_what_protocol_buffers_say_it_is() -> None:
    frame = messages.framed("verbose", {"verbose": 1})
    assert frame == b"\x00\x00\x00\x00\x02\x08\x01"
    version = b"\x12\x0acontainerd\x1a\x052.1.9"
    answer = messages.unframed("versions", b"\x00\x00\x00\x00" + bytes([len(version)]) + version)
    assert (answer.runtime_name, answer.runtime_version) == ("containerd", "2.1.9")


@pytest.mark.parametrize(
    "broken", [b"", b"\x00\x00\x00\x00\x05\x08", b"\x01\x00\x00\x00\x00", b"\x00\x00\x00\x00\x01\x12"]
)
def test_a_message_that_is_cut_or_compressed_is_none(broken: bytes) -> None:
    with pytest.raises(ValueError, match=r"whole message|parsing"):
        messages.unframed("versions", broken)


def test_a_container_is_told_to_cri() -> None:
    config = read_back("config", configs.container("web", wanted(), f"sha256:{IMAGE}"))
    assert (list(config.command), list(config.args)) == ([], ["serve"])
    assert config.image.image == f"sha256:{IMAGE}"
    assert mapping(config.envs) == {"A": "1"}
    assert mapping(config.labels)[LABEL_WORKLOAD] == "web"
    assert mapping(config.annotations)[ANNOTATION_CRIU].endswith("/workloads/web/criu.conf")
    (mount,) = config.mounts
    assert (mount.host_path, mount.container_path, mount.readonly) == ("/srv/web", "/web", 1)
    security = config.linux.security_context
    assert (security.run_as_user.value, security.run_as_group.value) == (1000, 50)
    assert list(security.capabilities.drop_capabilities) == ["NET_RAW"]
    assert config.linux.resources.memory_limit_in_bytes == 64 * 2**20
    assert (config.linux.resources.cpu_quota, config.linux.resources.cpu_period) == (50_000, 100_000)


@pytest.mark.parametrize(
    ("entrypoint", "command", "args"),
    [(None, [], ["serve"]), (["run"], ["run"], ["serve"]), ([], ["serve"], [])],
)
def test_an_entrypoint_replaces_the_images(
    entrypoint: list[str] | None, command: list[str], args: list[str]
) -> None:
    config = configs.container("web", wanted(entrypoint=entrypoint), IMAGE)
    assert (config["command"], config["args"]) == (command, args)


def test_what_is_confined_by_default_stays_so() -> None:
    security = read_back("config", configs.container("web", wanted(), IMAGE)).linux.security_context
    assert security.HasField("seccomp") and security.seccomp.profile_type == 0
    assert (security.privileged, security.namespace_options.pid, security.namespace_options.network) == (0, 1, 0)
    open_ = wanted(networkMode="host", securityOpt={"seccomp": "unconfined"})
    security = read_back("config", configs.container("web", open_, IMAGE)).linux.security_context
    assert (security.seccomp.profile_type, security.namespace_options.network) == (1, 2)


def test_a_pod_carries_the_spec_where_containerd_limits_no_length() -> None:
    config = read_back("podconfig", configs.pod("web", wanted(env={"A": "x" * 9000}), "uid"))
    assert mapping(config.labels) == {LABEL_WORKLOAD: "web"}
    assert "x" * 9000 in mapping(config.annotations)[LABEL_SPEC]


def said(*answers: tuple[str, bytes], end: bool = True) -> str:
    """What calls.sh prints."""
    parts = [
        f"\n@@ call {n}\n{head}\n{base64.b64encode(body).decode()}\n" for n, (head, body) in enumerate(answers)
    ]
    return "".join(parts) + ("\n@@ end\n" if end else "")


VERSION = CriCall("Version", answer="versions")


def test_answers_are_read_by_their_calls() -> None:
    frame = messages.framed("versions", {"runtime_name": "containerd"})
    found = calls.read(said(("grpc 0 ", frame), ("grpc 5 not%20found%0A", b"")), [VERSION, VERSION, VERSION])
    assert [answer.status for answer in found] == [0, 5]
    assert found[0].message.runtime_name == "containerd" and found[1].why == "not found"
    with pytest.raises(CommandFailed) as error:
        calls.done(found, [VERSION, VERSION])
    assert error.value.code == calls.FAILED and error.value.why == "not found"


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_an_answer_that_lacks_is_told(missing: int) -> None:
    """Also one in the middle, after which each would be taken for another's."""
    asked = [VERSION] * 3
    frame = messages.framed("versions", {"runtime_name": "containerd"})
    parts = [f"\n@@ call {n}\ngrpc 0 \n{base64.b64encode(frame).decode()}\n" for n in range(3) if n != missing]
    program = calls.ask(asked)
    next(program)
    with pytest.raises(HostError, match="an answer to each call"):
        program.send(Result(0, "".join(parts) + "\n@@ end\n"))


def test_a_password_that_is_no_text_is_told() -> None:
    program = images.pull_image("app:1", Pull(newest=True, login=("me", b"\xff")))
    next(program)
    nothing = base64.b64encode(messages.framed("imageanswer", {})).decode()
    with pytest.raises(HostError, match="UTF-8") as error:
        program.send(Result(0, f"\n@@ call 0\ngrpc 0 \n{nothing}\n\n@@ end\n"))
    assert error.value.code == calls.FAILED


def test_who_says_nothing_did_nothing() -> None:
    (found,) = calls.read(said(("curl 7 Failed to connect", b"")), [VERSION])
    assert (found.status, found.why) == (-1, "Failed to connect")
    with pytest.raises(HostError):
        calls.read(said(("grpc 0 ", b"\x00"), end=False), [VERSION])
    with pytest.raises(HostError):
        calls.read(said(("grpc 0 ", b"\x00\x00\x00\x00\x09ab")), [VERSION])
    with pytest.raises(HostError):
        calls.read(said(("grpc many ", b"")), [VERSION])


def box(workload: str, made: int, state: int = 0, pod: str = POD) -> dict[str, Any]:
    return {
        "id": pod,
        "metadata": {"name": workload, "uid": "u1"},
        "state": state,
        "created_at": made,
        "labels": messages.pairs({LABEL_WORKLOAD: workload}),
        "annotations": messages.pairs({LABEL_SPEC: "{}"}),
    }


def listed(*boxes: dict[str, Any], containers: tuple[dict[str, Any], ...] = ()) -> list[looking.OwnPod]:
    lists = read_back("pods", {"items": list(boxes)}), read_back("containers", {"containers": list(containers)})
    return looking.pods(lists)


STATUS = {
    "status": {"id": CONTAINER, "state": 1, "image_id": f"sha256:{IMAGE}", "image": {"image": "app:1"}},
    "info": messages.pairs(
        {
            "info": json.dumps(
                {
                    "pid": 42,
                    "runtimeSpec": {
                        "annotations": {ANNOTATION_CRIU: "/x"},
                        "linux": {"cgroupsPath": f"system.slice:cri-containerd:{CONTAINER}"},
                    },
                }
            )
        }
    ),
}


def test_a_pod_of_ours_is_a_workloads_copy() -> None:
    found = listed(box("web", 1), containers=({"id": CONTAINER, "pod_sandbox_id": POD, "state": 1},))
    assert [call.method for call in looking.details(found)] == ["PodSandboxStatus", "ContainerStatus"]
    network = {"status": {"id": POD, "network": {"ip": "10.0.0.5"}}}
    answers = [
        CriAnswer(0, "", read_back("podanswer", network)),
        CriAnswer(0, "", read_back("containeranswer", STATUS)),
    ]
    (pod,) = looking.with_facts(found, answers, frozenset())
    facts = pod.facts
    assert pod.runs and facts is not None
    assert (facts.name, facts.runtime, facts.pid, facts.image_id) == ("web", "cri", 42, IMAGE)
    assert facts.networks[0].ip == "10.0.0.5" and facts.labels == {LABEL_WORKLOAD: "web", LABEL_SPEC: "{}"}
    assert facts.userdata.endswith(f"/cri/cri-containerd-{CONTAINER}")
    (aside,) = looking.with_facts(found, answers, frozenset({POD}))
    assert aside.facts is not None and aside.facts.name == "web_aside"


def test_a_pod_without_a_container_is_there_and_does_not_run() -> None:
    found = listed(box("web", 1))
    answers = [CriAnswer(0, "", read_back("podanswer", {"status": {"id": POD}}))]
    (pod,) = looking.with_facts(found, answers, frozenset())
    assert pod.facts is not None and pod.facts.state is InstanceState.CREATED and not pod.runs
    assert looking.with_facts(found, [CriAnswer(5, "not found")], frozenset()) == []
    with pytest.raises(CommandFailed):
        looking.with_facts(found, [CriAnswer(-1, "timed out")], frozenset())


def test_what_is_not_ours_is_not_looked_at() -> None:
    stranger = {"id": POD, "metadata": {"name": "other", "uid": "u"}}
    assert listed(stranger) == []
    with pytest.raises(HostError):
        listed(box("web", 1, pod="../../etc"))


def test_it_can_what_it_says() -> None:
    from reconciler.runtimes.base import abilities

    assert abilities(CriDriver()) == ("lifecycle", "checks", "images", "moves", "captures", "attends")
