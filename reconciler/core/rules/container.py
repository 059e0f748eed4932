"""How the container was made, as far as that stands in the way of moving it."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.copied import copied
from reconciler.core.rules.base import Case, Said, rule, together
from reconciler.model.container import RestartPolicy
from reconciler.model.inplace import LOSES_UPDATES
from reconciler.model.world import InstanceState


@rule("container.auto-remove")
def auto_remove(case: Case) -> Iterator[Said]:
    """A container made with --rm is deleted as soon as its processes end, images included: there would be no
    way back."""
    if case.moves and case.container and case.container.auto_remove:
        yield Said(
            "the container was made with --rm: it would vanish with its way back",
            f"let it be made from its spec: {case.container.runtime} rm -f {case.container.name} on {case.origin},"
            " reconcile apply",
            host=case.origin,
        )


@rule("container.renamed")
def renamed(case: Case) -> Iterator[Said]:
    """Somebody has given the container another name with its engine. It is still the workload's, for its labels
    say so; a move looks for it by the workload's name, and would not find it."""
    found = case.container
    if case.moves and found and found.name != case.change.workload:
        yield Said(
            f"its container on {case.origin} was renamed: it is called {found.name} there",
            f"on {case.origin}: {found.runtime} rename {found.name} {case.change.workload}",
            host=case.origin,
        )


@rule("container.paused")
def paused(case: Case) -> Iterator[Said]:
    """Somebody has paused the container with its engine. It cannot be checkpointed, and whoever paused it may not
    want it to run elsewhere."""
    if case.moves and case.container and case.container.state is InstanceState.PAUSED:
        yield Said(
            f"the container is paused on {case.origin}",
            f"let it run there: {case.container.runtime} unpause {case.container.name}",
            host=case.origin,
        )


@rule("container.privileged", acceptable=True)
def privileged(case: Case) -> Iterator[Said]:
    """The container runs with all privileges and devices of its host, which are not those of the destination."""
    if case.moves and case.container and case.container.options.privileged:
        yield Said(
            "the container is privileged: it holds devices and settings of its host, which stay",
            "make it with the capabilities and devices it needs (capAdd, devices) instead, then move it",
            host=case.origin,
        )


@rule("container.host-namespaces")
def host_namespaces(case: Case) -> Iterator[Said]:
    """The container shares namespaces with its host. Process IDs, IPC objects or the host's network cannot
    be taken to another host: IDs may be taken there, shared memory belongs to others, addresses stay. So it is
    with a namespace that somebody made by hand and gave it (`ns:PATH`)."""
    if not (case.moves and case.container):
        return
    modes = case.container.options.namespaces.items()
    shared = [option for option, mode in modes if mode == "host" or mode.startswith("ns:")]
    if shared:
        yield Said(
            f"the container shares namespaces it does not own: {', '.join(shared)}",
            f"make it without {' '.join(f'--{option}' for option in shared)}",
            host=case.origin,
        )


@rule("container.joins")
def joins(case: Case) -> Iterator[Said]:
    """The container runs in namespaces of another container (`--network container:NAME`, and so with `--pid`,
    `--ipc` or `--uts`). That one would stay: what it has of both, CRIU cannot take apart, and on the destination
    there is no such container to join."""
    if not (case.moves and case.container) or case.container.options.pod:
        return
    names = {c.id: c.name for c in case.source.containers} if case.source else {}
    of: dict[str, list[str]] = {}
    for option, mode in case.container.options.namespaces.items():
        kind, _, other = mode.partition(":")
        if kind == "container":
            of.setdefault(names.get(other, other[:12]), []).append(option)
    for other, options in sorted(of.items()):
        yield Said(
            f"it runs in the {_words(options)} of the container {other}, which would stay on {case.origin}",
            f"make it with its own ({' '.join(f'--{option}' for option in options)} left out), and let the two"
            " talk over a network; or leave both where they are",
            host=case.origin,
        )


@rule("container.joined")
def joined(case: Case) -> Iterator[Said]:
    """Other containers run in namespaces of this one (`--network container:NAME`, and so with `--pid`, `--ipc` or
    `--uts`). They would stay, in namespaces of a container that is gone, and the engine does not remove one that
    others depend on. Containers that share a namespace do not move together yet."""
    for name, options in case.joined.items() if case.moves else ():
        yield Said(
            f"the container {name} runs in its {_words(list(options))}, and would stay on {case.origin}",
            f"remove that first ({case.engine} rm -f {name} on {case.origin}) and make it on {case.where} again"
            " when this has moved, or with its own; or leave both where they are",
            host=case.origin,
        )


def _words(options: list[str]) -> str:
    return f"{', '.join(options)} namespace{'s' if len(options) > 1 else ''}"


@rule("container.user-namespace")
def user_namespace(case: Case) -> Iterator[Said]:
    """The container has a user namespace of its own. Its ID ranges are given out by each host and differ between
    hosts, so restored files and processes would belong to others."""
    mode = case.container.options.user_mode if case.moves and case.container else ""
    if mode and mode != "host":
        yield Said(
            f"the container has its own user namespace ({mode}); ID ranges differ between hosts",
            "make it without --userns",
            host=case.origin,
        )


@rule("container.file-flags", warns=True)
def file_flags(case: Case) -> Iterator[Said]:
    """Processes may make files immutable or append-only (`chattr +i`, CAP_LINUX_IMMUTABLE). Such flags do not go
    along: after a move the files can be changed."""
    if case.moves and case.held and "LINUX_IMMUTABLE" in case.held.capabilities:
        yield Said(
            "it may make files immutable or append-only, and such flags do not move along",
            "set them again after the move (lsattr -R shows them), or drop LINUX_IMMUTABLE if it is not needed",
            host=case.origin,
        )


@rule("container.long-paths")
def long_paths(case: Case) -> Iterator[Said]:
    """Linux takes paths of 4,095 bytes at once. Folders of a volume or of the root filesystem can be deeper, made
    step by step, and then no program can be told such a path to copy it: for a move, for a checkpoint before an
    update, or when volumes go along to where a container is made."""
    found = {case.origin: case.held.long_paths} if case.held and case.held.long_paths else {}
    for host, what in copied(case.change, case.spec, case.index):
        found[host] = (*found.get(host, ()), *(case.index.seen[host].deep.get(what) or ()))
    for host, paths in found.items():
        if paths:
            yield Said(
                f"paths are too long to be copied: {together(paths)}",
                "in the workload, move or rename what is so deep (cd into its folder first), or remove it",
                host=host,
            )


@rule("container.devices", acceptable=True)
def devices(case: Case) -> Iterator[Said]:
    """Devices of the host were given to the container. Those that its spec gives it too and that no process holds
    are the destination's after a move, which is a warning; all others stay behind with what is in them."""
    if not (case.moves and case.container and case.container.options.devices):
        return
    given = {device.path for device in case.wanted.devices} if case.wanted else set()
    inside = {device.inside for device in case.wanted.devices} if case.wanted else set()
    strange = [path for path in case.container.options.devices if path not in given]
    in_use = [path for path in case.held.devices if path in inside] if case.held else sorted(filter(None, inside))
    if strange or in_use:
        what = f"devices of {case.origin} were given to the container: {together(strange)}"
        yield Said(
            what if strange else f"the workload has devices of {case.origin} open: {together(in_use)}",
            "make it without them (its spec: devices), or let it be made anew on the destination instead of moved",
            host=case.origin,
        )
    else:
        yield Said(
            f"{together(case.container.options.devices)} is that of {case.where} after the move",
            "see that it is the same kind of device there",
            warn=True,
        )


@rule("container.terminal")
def terminal(case: Case) -> Iterator[Said]:
    """The container has a terminal (--tty), whose other end belongs to a process on the source host and cannot
    move along."""
    if case.moves and case.container and case.container.options.terminal:
        yield Said(
            "the container has a terminal, and its other end stays here",
            "make it without --tty; use `script` or `tmux` inside where a program insists on one",
            host=case.origin,
        )


@rule("container.pod")
def pod(case: Case) -> Iterator[Said]:
    """The container is part of a pod and shares its namespaces with the pod's other containers, which would
    stay."""
    if case.moves and case.container and case.container.options.pod:
        yield Said(
            "the container belongs to a pod and shares its network with it",
            "make it from its spec, outside the pod",
            host=case.origin,
        )


@rule("container.unit")
def unit(case: Case) -> Iterator[Said]:
    """A systemd unit (also one that Quadlet makes) starts this container again as soon as it ends, or at boot:
    there would be two of them. Reconciler starts and restarts workloads itself."""
    if not (case.moves and case.container):
        return
    hosts = {h.name: h for h in (case.source, case.destination) if h}
    for host in hosts.values():
        units = set(host.preflight.units.get(case.change.workload, ()) if host.preflight else ())
        if host is case.source and case.container.unit:
            units.add(case.container.unit)
        for name in sorted(units):
            file = name.endswith(".container")
            fix = (
                f"rm /etc/containers/systemd/{name} && systemctl daemon-reload"
                if file
                else f"systemctl mask {name}"
            )
            yield Said(
                f"the systemd unit {name} on {host.name} starts it", f"on {host.name}: {fix}", host=host.name
            )


@rule("container.restart-policy")
def restart_policy(case: Case) -> Iterator[Said]:
    """During a move the restart policy is switched off on the side that is held. Older releases of an
    engine cannot do that without making the container anew."""
    if not (case.moves and case.wanted and case.workload) or case.wanted.restart is RestartPolicy.NO:
        return
    name = case.workload.spec.runtime
    for host in (case.source, case.destination):
        if host and LOSES_UPDATES in host.settings.get(name, ()):
            have = f"{name} {host.runtimes.get(name, '')}".strip()
            yield Said(
                f"{have} on {host.name} cannot switch the restart policy off during a move",
                f"upgrade {name} on {host.name}, or set spec.container.restart to `no`",
                host=host.name,
            )


@rule("container.storage")
def storage(case: Case) -> Iterator[Said]:
    """What the workload changed in its root filesystem is copied from the upper folder of its overlay.
    Other storage drivers have none."""
    if case.moves and case.container and case.container.userdata and not case.container.upper_dir:
        yield Said(
            f"the container storage on {case.origin} is not overlay: changed files cannot be found",
            'set driver = "overlay" in /etc/containers/storage.conf there and make the container anew',
            host=case.origin,
        )
