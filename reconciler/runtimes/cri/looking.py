"""Pods of ours on a host: one workload each, in a pod of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from reconciler.core import answers
from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.command import Command, Program
from reconciler.model.container import Container
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.world import ContainerFacts, ContainerMount, ContainerOptions, InstanceState
from reconciler.runtimes.cri import calls, networks
from reconciler.runtimes.cri.calls import NOT_FOUND, OK, CriAnswer, CriCall
from reconciler.runtimes.cri.messages import mapping

NAME = "cri"
ASIDE = "_aside"
"""Ends the name of a pod that waits for its successor to be healthy; workloads' names have no underscore."""
NOTE = "cri-aside"
"""File beside a workload's marker: the ID of the pod that is set aside, and whether it ran."""
RAN = "ran"
_READY = 0
_STATES = {0: InstanceState.CREATED, 1: InstanceState.RUNNING, 2: InstanceState.EXITED}
_NANO = 1e9
_MOST_PID = 2**22
LISTS = (CriCall("ListPodSandbox", answer="pods"), CriCall("ListContainers", answer="containers"))


@dataclass(frozen=True)
class OwnPod:
    """A pod of ours, with what is in it. `made`: in nanoseconds since the epoch. `cgroup`: the path of its
    container's control group; empty where systemd makes it."""

    id: str
    workload: str
    uid: str
    ready: bool
    made: int
    spec: str
    container: Any = None
    facts: ContainerFacts | None = None
    cgroup: str = ""

    @property
    def runs(self) -> bool:
        return self.facts is not None and self.facts.state.has_processes


def pods(listed: Sequence[Any]) -> list[OwnPod]:
    """Ours, from the lists of pods and of containers; newest first."""
    boxes, containers = listed[0].items, listed[1].containers
    inside = {one.pod_sandbox_id: one for one in sorted(containers, key=lambda one: one.created_at)}
    found = []
    for box in boxes:
        labels = mapping(box.labels)
        if LABEL_WORKLOAD not in labels:
            continue
        found.append(
            OwnPod(
                id=answers.full_id(box.id, "the ID of a pod"),
                workload=answers.name(labels[LABEL_WORKLOAD], "the workload of a pod"),
                uid=answers.name(box.metadata.uid, "the UID of a pod"),
                ready=box.state == _READY,
                made=box.created_at,
                spec=answers.string(mapping(box.annotations).get(LABEL_SPEC), "the spec of a pod"),
                container=inside.get(box.id),
            )
        )
    return sorted(found, key=lambda pod: (pod.workload, -pod.made, pod.id))


def details(found: Sequence[OwnPod]) -> list[CriCall]:
    """What else is asked of them, `with_facts` reads the answers."""
    asked = []
    for pod in found:
        asked.append(CriCall("PodSandboxStatus", "ask", {"id": pod.id}, "podanswer"))
        if pod.container is not None:
            fields = {"id": pod.container.id, "verbose": 1}
            asked.append(CriCall("ContainerStatus", "ask", fields, "containeranswer"))
    return asked


def with_facts(found: Sequence[OwnPod], said: Iterable[CriAnswer], aside: frozenset[str]) -> list[OwnPod]:
    """Those that are still there. `aside`: IDs of pods that are set aside."""
    answered, known = iter(said), []
    for pod in found:
        box = next(answered)
        inner = next(answered) if pod.container is not None else None
        for answer in (box, *((inner,) if inner else ())):
            if answer.status not in (OK, NOT_FOUND):
                raise CommandFailed("containerd does not say what it has", code=calls.FAILED, why=answer.why)
        if box.status == OK:
            status = inner.message if inner is not None and inner.status == OK else None
            known.append(_with(pod, box.message.status, status, pod.id in aside))
    return known


def _with(pod: OwnPod, box: Any, inner: Any, aside: bool) -> OwnPod:
    name = pod.workload + ASIDE if aside else pod.workload
    wanted = made_from(pod.spec)
    ips = [box.network.ip, *(one.ip for one in box.network.additional_ips)]
    four, six = ([answers.address(ip, "an address of a pod") for ip in ips if ip] + [None, None])[:2]
    labels = {LABEL_WORKLOAD: pod.workload, LABEL_SPEC: pod.spec}
    common = {
        "name": name,
        "runtime": NAME,
        "labels": labels,
        "networks": networks.of_pod(wanted, (four, six)),
    }
    if inner is None:  # its maker was ended between the two
        return _seen(pod, ContainerFacts(id=pod.id, state=InstanceState.CREATED, **common))
    status = inner.status
    info = answers.mapping(answers.parsed(mapping(inner.info).get("info") or "{}", "info of a container"), "info")
    state = _STATES.get(status.state, InstanceState.OTHER)
    spec = answers.mapping(info.get("runtimeSpec"), "the OCI config of a container")
    container_id = answers.full_id(status.id, "the ID of a container")
    facts = ContainerFacts(
        id=container_id,
        annotations=answers.labels(spec.get("annotations"), "the annotations of a container"),
        userdata=f"{calls.NOTES}/{_group(spec, container_id)}",
        state=state,
        image_id=image_id(status.image_id or status.image_ref),
        image_name=answers.shown(status.image.image, "the image of a container"),
        pid=answers.number(info.get("pid"), "the process of a container", most=_MOST_PID)
        if state.has_processes
        else 0,
        exit_code=status.exit_code if status.exit_code < 2**31 else -1,
        started_at=status.started_at / _NANO,
        mounts=tuple(_mount(one) for one in status.mounts),
        options=_options(wanted),
        oci_runtime="runc",
        **common,
    )
    return _seen(pod, facts, _cgroups_path(spec))


def _mount(found: Any) -> ContainerMount:
    source = answers.shown(found.host_path, "a mount of a container", 4096)
    target = answers.shown(found.container_path, "a mount of a container", 4096)
    return ContainerMount(kind="bind", source=source, target=target)


def _options(wanted: Container | None) -> ContainerOptions:
    """What rules about moving it want to know."""
    if wanted is None:
        return ContainerOptions()
    modes = {"pid_mode": wanted.pid, "ipc_mode": wanted.ipc, "network_mode": wanted.network_mode}
    return ContainerOptions(
        privileged=wanted.privileged,
        terminal=wanted.tty,
        devices=tuple(device.path for device in wanted.devices if device.path),
        **{name: mode for name, mode in modes.items() if mode == "host"},
    )


def made_from(spec: str) -> Container | None:
    """What a pod was made from; None where this release cannot read that."""
    try:
        return Container.model_validate_json(spec)
    except ValidationError:
        return None


def _cgroups_path(spec: Mapping[str, Any]) -> str:
    """A path, or `SLICE:PREFIX:ID` where systemd makes the group, which puts `.scope` behind `PREFIX-ID`."""
    path = answers.mapping(spec.get("linux"), "the OCI config of a container").get("cgroupsPath")
    return answers.string(path, "the control group of a container", 4096)


def _group(spec: Mapping[str, Any], container_id: str) -> str:
    """The name of its control group, without the `.scope` that systemd puts behind it."""
    _, _, prefix = _cgroups_path(spec).rpartition(":")[0].rpartition(":")
    return f"{answers.word(prefix, 'the control group')}-{container_id}" if prefix else container_id


def _seen(pod: OwnPod, facts: ContainerFacts, path: str = "") -> OwnPod:
    return replace(pod, facts=facts, cgroup=answers.path(path, "the control group") if path[:1] == "/" else "")


def image_id(text: str) -> str:
    """Of what containerd says of an image: its ID, or a name with a digest, which is none."""
    return "" if "@" in text else answers.image_id(text, "the ID of an image").removeprefix("sha256:")


# --- one workload's ---


def noted(workload: str) -> Program[tuple[str, bool]]:
    """The ID of the pod that is set aside, and whether it ran; empty where none is."""
    said = yield Command(("cat", "--", f"{guard.workload_dir(workload)}/{NOTE}"), ok=(0, 1))
    pod, _, ran = said.stdout.strip().partition(" ")
    return (answers.full_id(pod, "the pod that was set aside") if pod else "", ran == RAN)


def every(workload: str) -> Program[tuple[list[OwnPod], str]]:
    """All pods of a workload, the newest first, and the ID of the one that is set aside."""
    aside, _ = yield from noted(workload)
    listed = calls.done((yield from calls.ask(LISTS)), LISTS)
    found = [pod for pod in pods(listed) if pod.workload == workload]
    said = yield from calls.ask(details(found)) if found else _nothing()
    return with_facts(found, said, frozenset({aside})), aside


def _nothing() -> Program[list[CriAnswer]]:
    yield from ()
    return []


def current(workload: str) -> Program[OwnPod | None]:
    """The one that is not set aside: that which runs, else the newest."""
    found, aside = yield from every(workload)
    own = [pod for pod in found if pod.id != aside]
    return next((pod for pod in own if pod.runs), own[0] if own else None)
