"""What containerd has on a host, by CRI, and how it is set up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.core import answers
from reconciler.core.lines import version
from reconciler.errors import HostError
from reconciler.guard.guard import ROOT
from reconciler.model.command import Command, Program, Seconds
from reconciler.model.labels import ANNOTATION_CRIU
from reconciler.model.world import HostFacts, InstanceState, RuntimeFacts
from reconciler.runtimes.cri import calls, copies, images, looking, networks
from reconciler.runtimes.cri.calls import UNIMPLEMENTED, CriAnswer, CriCall
from reconciler.runtimes.cri.messages import mapping
from reconciler.runtimes.oci.measuring import by_id, measured

LISTS_LIMIT: Seconds = 120.0
_ASKED = (
    CriCall("Version", "nothing", {}, "versions"),
    CriCall("Status", "verbose", {"verbose": 1}, "status"),
    *looking.LISTS,
    CriCall("ListImages", answer="images"),
)
_UNWANTED = f"where nothing of Reconciler's is in it any more: rmdir {ROOT}/cri"


def observe(host: HostFacts) -> Program[RuntimeFacts]:
    argv = calls.shell("observe", looking.NOTE)
    said = yield Command(argv, stdin=calls.stdin(_ASKED), timeout=LISTS_LIMIT, secret=True)
    parts = answers.whole(said.stdout, "what containerd has there")
    found = calls.read(said.stdout, _ASKED)
    ours = bool(parts.get("ours", "").strip())
    if not found or found[0].status in (-1, UNIMPLEMENTED):
        return _silent(host.name, found, ours)
    versions, status, boxes, containers, kept = calls.done(found, _ASKED)
    pods = looking.pods((boxes, containers))
    aside = frozenset(line.partition(" ")[0] for line in parts.get("aside", "").splitlines() if line)
    details = looking.details(pods)
    answered = (yield from calls.ask(details)) if details else []
    seen = looking.with_facts(pods, answered, aside)
    instances = tuple(
        pod.facts.model_copy(update={"state": InstanceState.HELD})
        if pod.runs and pod.workload in host.holds
        else pod.facts
        for pod in seen
        if pod.facts is not None
    )
    if instances:
        instances = yield from copies.with_upper(instances)
    its = version(answers.string(versions.runtime_version, "the version of containerd", 200))
    return RuntimeFacts(
        version=its,
        versions={"containerd": its, "runc": version(parts.get("runc", ""))},
        settings=tuple(_settings(versions, status, parts)),
        disk_free_bytes=answers.number(parts.get("disk", "").strip(), "the free disk of containerd") or None,
        instances=(yield from measured(instances, by_id(), LISTS_LIMIT)),
        images=tuple(images.facts(one) for one in kept.images),
        networks=networks.of_host(mapping(status.info)),
    )


def _silent(host: str, found: list[CriAnswer], ours: bool) -> RuntimeFacts:
    """A host without CRI has no pods of ours, unless it had some: then nobody can be asked."""
    if not ours:
        return RuntimeFacts()
    raise HostError(
        "containerd does not answer on its CRI",
        code="H217",
        where=host,
        why=found[0].why if found else "neither its socket nor curl is there",
        fix="start it there: systemctl start containerd; its socket must be at /run/containerd/containerd.sock, "
        f"and curl installed; {_UNWANTED}",
    )


def _settings(versions: Any, status: Any, parts: Mapping[str, str]) -> Iterator[str]:
    """What rules and people ask of how it is set up, in words."""
    yield f"runtime={answers.word(versions.runtime_name, 'the name of the runtime')}"
    if parts.get("kubelet", "").strip():
        yield "kubelet"
    for condition in status.status.conditions:
        if not condition.status and condition.type in ("RuntimeReady", "NetworkReady"):
            yield "no-network" if condition.type == "NetworkReady" else "not-ready"
    config = answers.mapping(
        answers.parsed(mapping(status.info).get("config") or "{}", "containerd's configuration"),
        "its configuration",
    )
    if config.get("enableExperimentalRestoreViaCreate") is False:  # releases without the switch do not name it
        yield "restore-off"
    if config.get("enableCRIU") is False:
        yield "criu-off"
    handlers = answers.mapping(
        answers.mapping(config.get("containerd"), "its configuration").get("runtimes"), "it"
    )
    runc = answers.mapping(handlers.get("runc"), "its OCI runtime runc")
    if ANNOTATION_CRIU in answers.items(runc.get("ContainerAnnotations"), "the annotations that it hands on"):
        yield "criu-annotation"
    if answers.mapping(runc.get("options"), "the options of its OCI runtime runc").get("SystemdCgroup"):
        yield "systemd-cgroup"
