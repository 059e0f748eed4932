"""Which hosts need a closer look for a plan, and what to ask them: only what the changes are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from reconciler.core.copied import copied
from reconciler.core.diff import diff
from reconciler.core.index import Index
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.plan import Change, ChangeKind
from reconciler.model.question import Question
from reconciler.model.spec import Spec, Workload
from reconciler.model.world import HostFacts, Instance, TreeFacts, World

_ATTACHES = (ChangeKind.CREATE, ChangeKind.START)
_ARRIVES = (ChangeKind.MOVE, ChangeKind.CREATE, ChangeKind.RECREATE)


def questions(spec: Spec, world: World) -> dict[str, Question]:
    """For each host that a change makes a container on or moves one from. Unknown hosts are not asked."""
    return questions_of(diff(spec, world).changes, spec, world)


def questions_of(changes: Iterable[Change], spec: Spec, world: World) -> dict[str, Question]:
    """The same for given changes, such as the moves that `doctor` only thinks of."""
    seen, index = world.seen(), Index.of(world)
    asked: dict[str, Question] = {}
    for change in changes:
        workload = spec.workloads.get(change.workload)
        trees = _trees(change, seen)
        files = tuple(path for tree in trees for path in tree.mapped)
        moves = change.kind is ChangeKind.MOVE
        if change.destination in seen and workload and change.kind in _ARRIVES:
            part = Question(
                paths=_paths(workload),
                folders=_folders(workload) if moves else (),
                addresses=tuple(ip for n in workload.spec.networks for ip in n.ips) if _fresh(change) else (),
                names=(change.workload,) if moves else (),
                profiles=_profiles(workload),
                files=files,
                contents=_contents(workload) if moves else (),
                shared=_shared(workload) if moves else (),
                **_coming(workload, trees),
            )
            asked[change.destination] = _joined(asked.get(change.destination), part)
        attach = workload.spec.process.attach if workload and workload.spec.process else None
        host = change.destination or change.source
        if attach and change.kind in _ATTACHES and host in seen:
            asked[host] = _joined(asked.get(host), Question(attach=((change.workload, *attach.by),)))
        if moves and change.source in seen:
            found = [c for c in seen[change.source].instances if _is(c, change.workload)]
            folders = _folders(workload) if workload else ()
            ids = tuple((c.id, c.pid) for c in found)
            part = Question(names=(change.workload,), folders=folders, containers=ids, files=files)
            if workload:
                part = replace(part, contents=_contents(workload), shared=_shared(workload))
            asked[change.source] = _joined(asked.get(change.source), part)
        for host, what in copied(change, spec, index):
            asked[host] = _joined(asked.get(host), Question(deep=(what,)))
    return asked


def _paths(workload: Workload) -> tuple[str, ...]:
    """What the spec takes for granted on the host."""
    mounted = tuple(mount.source for mount in workload.spec.mounts)
    if machine := workload.spec.virtual_machine:
        return (*machine.files, *(bridge_path(name) for name in machine.bridges))
    if (container := workload.spec.container) is None:
        return mounted
    profile = container.security_opt.seccomp
    devices = (device.path for device in container.devices if device.path)
    return (*mounted, *devices, *((profile,) if profile and profile != "unconfined" else ()))


def bridge_path(name: str) -> str:
    """What is there where a host has a bridge of that name."""
    return f"/sys/class/net/{name}/bridge"


def _folders(workload: Workload) -> tuple[str, ...]:
    return tuple(mount.source for mount in workload.spec.mounts if mount.move)


def _shared(workload: Workload) -> tuple[str, ...]:
    return tuple(mount.source for mount in workload.spec.mounts if mount.shared)


def _contents(workload: Workload) -> tuple[str, ...]:
    return tuple(
        mount.source for mount in workload.spec.mounts if mount.read_only and not (mount.move or mount.shared)
    )


def _profiles(workload: Workload) -> tuple[str, ...]:
    container = workload.spec.container
    name = container.security_opt.apparmor if container else None
    return (name,) if name and name != "unconfined" else ()


def _trees(change: Change, seen: Mapping[str, HostFacts]) -> tuple[TreeFacts, ...]:
    """The trees of processes that move."""
    source = seen.get(change.source or "") if change.kind is ChangeKind.MOVE else None
    found = source.instances if source else ()
    return tuple(c for c in found if isinstance(c, TreeFacts) and _is(c, change.workload))


def _coming(workload: Workload, trees: Iterable[TreeFacts]) -> dict[str, Any]:
    """What must be free where processes come that live among their hosts' own, or there already."""
    attach = workload.spec.process.attach if workload.spec.process else None
    if attach is None:
        return {}
    return {
        "ids": tuple(one for tree in trees if tree.found for one in tree.found.ids),
        "cards": tuple(address.card for address in attach.addresses),
        "own": tuple(address.ip for address in attach.addresses),
    }


def _fresh(change: Change) -> bool:
    """Whether nobody should answer for the workload's address on the destination's segment, or only itself."""
    return change.source != change.destination


def _is(instance: Instance, workload: str) -> bool:
    return instance.labels.get(LABEL_WORKLOAD) == workload and instance.state.has_processes and instance.pid > 0


TOGETHER = 4
"""Containers that are looked at in one part of a closer look."""


def parts(question: Question) -> tuple[Question, ...]:
    """A question in parts that a busy host answers in time: the host itself, then a few containers each."""
    held, deep = question.containers, question.deep
    groups = [Question(host=False, containers=held[at : at + TOGETHER]) for at in range(0, len(held), TOGETHER)]
    groups += [Question(host=False, deep=deep[at : at + TOGETHER]) for at in range(0, len(deep), TOGETHER)]
    return (replace(question, containers=(), deep=()), *groups)


def smaller(part: Question) -> tuple[Question, ...]:
    """The part again, each container and each folder by itself."""
    alone = [replace(part, containers=(one,), deep=()) for one in part.containers]
    alone += [replace(part, containers=(), deep=(one,)) for one in part.deep]
    return tuple(alone) or (part,)


def unseen(host: HostFacts, part: Question, why: str) -> HostFacts:
    """The host's facts, with what could not be looked at said."""
    if part.deep:
        host = host.model_copy(update={"deep": {**host.deep, **dict.fromkeys(part.deep)}})
    if part.host:
        host = host.model_copy(update={"preflight_error": why})
    missing = {instance_id for instance_id, _ in part.containers}
    instances = (one.model_copy(update={"unseen": why}) if one.id in missing else one for one in host.instances)
    return host.model_copy(update={"instances": tuple(instances)})


def _joined(one: Question | None, other: Question) -> Question:
    if one is None:
        return other
    return Question(
        paths=tuple(dict.fromkeys(one.paths + other.paths)),
        folders=tuple(dict.fromkeys(one.folders + other.folders)),
        addresses=tuple(dict.fromkeys(one.addresses + other.addresses)),
        names=tuple(dict.fromkeys(one.names + other.names)),
        containers=tuple(dict.fromkeys(one.containers + other.containers)),
        profiles=tuple(dict.fromkeys(one.profiles + other.profiles)),
        files=tuple(dict.fromkeys(one.files + other.files)),
        contents=tuple(dict.fromkeys(one.contents + other.contents)),
        shared=tuple(dict.fromkeys(one.shared + other.shared)),
        attach=tuple(dict.fromkeys(one.attach + other.attach)),
        ids=tuple(dict.fromkeys(one.ids + other.ids)),
        cards=tuple(dict.fromkeys(one.cards + other.cards)),
        own=tuple(dict.fromkeys(one.own + other.own)),
        deep=tuple(dict.fromkeys(one.deep + other.deep)),
    )


def answered(world: World, hosts: Iterable[HostFacts]) -> World:
    """The world with hosts that were looked at closely."""
    return world.model_copy(update={"hosts": {**world.hosts, **{host.name: host for host in hosts}}})
