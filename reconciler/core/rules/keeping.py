"""What a move would not keep as it is: open databases, what read-only mounts hold, what was changed by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from pydantic import ValidationError

from reconciler.core.rules.base import Case, Said, rule, together
from reconciler.core.rules.identity import SHARED_FILE_SYSTEMS
from reconciler.model.base import DEFAULT_RUNTIME, parse_size
from reconciler.model.container import Container
from reconciler.model.container_network import NetworkAttachment
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.units import format_bytes
from reconciler.model.world import ContainerOptions, InstanceNetwork


@rule("process.sqlite", acceptable=True)
def sqlite(case: Case) -> Iterator[Said]:
    """A SQLite database with a rollback journal, which is SQLite's default, is open to write. SQLite remembers the
    file's inode number, which is another one in the copy: after the move every write of the open connection fails
    (\"attempt to write a readonly database\", SQLITE_READONLY_DBMOVED) until the program opens the file anew. With
    a write-ahead log it does not look."""
    if not (case.held and case.wanted):
        return
    kinds = case.ahead.paths if case.ahead else {}
    mounts = case.wanted.mounts
    shared = [m.target for m in mounts if m.shared or kinds.get(m.source, "").startswith(SHARED_FILE_SYSTEMS)]
    lost = [path for path in case.held.sqlite if not any(path.startswith(f"{target}/") for target in shared)]
    if lost:
        yield Said(
            f"writes to SQLite databases that are open will fail after the move: {together(lost)}",
            "use a write-ahead log (PRAGMA journal_mode=WAL), or storage that both hosts mount (`shared: true`);"
            " accept the rule where the program opens its database for each use, or is restarted after the move",
            host=case.origin,
        )


@rule("mount.differs", acceptable=True)
def mount_differs(case: Case) -> Iterator[Said]:
    """What a read-only bind mount holds is not the same on the destination. It does not move along, so the files
    that the processes have open or mapped change under them. Names, sizes and modes are compared, and contents up
    to 32 MiB."""
    here = case.source.preflight.contents if case.source and case.source.preflight else {}
    there = case.ahead.contents if case.ahead else {}
    for mount in case.wanted.mounts if case.moves and case.wanted else ():
        mine, theirs = here.get(mount.source, ""), there.get(mount.source, "")
        if mount.read_only and not (mount.move or mount.shared) and mine and theirs and mine != theirs:
            above = mount.source.rpartition("/")[0]
            yield Said(
                f"{mount.source} on {case.where} is not what it is on {case.origin}",
                f"make it the same there (rsync -a {mount.source} {case.where}:{above}/),"
                " or accept the rule where it is meant to differ",
            )


@rule("container.log-stays", warns=True)
def log_stays(case: Case) -> Iterator[Said]:
    """What a workload has written to its log before a move stays on the host it comes from: only of a
    file of the driver `k8s-file` the last MiB goes along. A journal keeps its part there; a file of Docker's is
    removed with the container once the move is over."""
    if not (case.moves and case.container):
        return
    options, name = case.container.options, case.container.name
    driver = options.log_driver
    if driver in ("", "none", "passthrough") or options.log_goes_along:
        return
    if driver == "journald":
        yield Said(
            f"its log up to the move stays in the journal of {case.origin}",
            f"journalctl CONTAINER_NAME={name} shows it there; {DEFAULT_RUNTIME} takes the last MiB along"
            " with `logging: {driver: k8s-file}` in the spec",
            host=case.origin,
        )
    else:
        yield Said(
            f"its log up to the move ({driver}) is removed with its container on {case.origin}",
            f"keep it before: {case.engine} logs {name} >{name}.log; or use `logging: {{driver: journald}}`",
            host=case.origin,
        )


@rule("container.drift", acceptable=True)
def drift(case: Case) -> Iterator[Said]:
    """Somebody has changed the running container by hand (`network connect`, `update`). A move makes it from
    its spec on the destination, where none of that is. Networks and addresses refuse, as connections over them
    would be lost; what `update` changes is a warning, and so is another MAC."""
    if not (case.moves and case.container):
        return
    try:
        made = Container.model_validate_json(case.container.labels.get(LABEL_SPEC, ""))
    except ValidationError:
        return  # by another release, or by nobody: there is nothing to compare with
    name = case.container.name
    wanted = {network.name: network for network in made.networks}
    more = sorted({network.name for network in case.container.networks} - wanted.keys()) if wanted else []
    if more:
        yield Said(
            f"it was connected by hand to {together(more)}, which is not in its spec: that card stays behind",
            f"add it to the spec's networks, or take it off: {case.engine} network disconnect {more[0]} {name}",
            host=case.origin,
        )
    for network in case.container.networks:
        yield from _joined_anew(case, wanted.get(network.name), network)
    changed = list(_updated(made, case.container.restart or "no", case.container.options))
    changed += _checked(made, case.container.options.health, bool(case.held and case.held.other_health))
    if changed:
        yield Said(
            f"changed by hand with {case.engine} update, and undone by the move: {', '.join(changed)}",
            f"put it into the spec, or back: {case.engine} update {name}",
            host=case.origin,
            warn=True,
        )


def _joined_anew(case: Case, spec: NetworkAttachment | None, found: InstanceNetwork) -> Iterator[Said]:
    """A network that was left and joined again has given another address or MAC; a move gives the spec's."""
    if spec is None:
        return
    changed = [("MAC", spec.mac, found.mac)] if spec.mac and found.mac and spec.mac.lower() != found.mac else []
    addresses = {ip_address(one) for one in found.ips}
    for wanted in map(ip_address, filter(None, (spec.ip, spec.ip6))):
        others = [str(one) for one in addresses if one.version == wanted.version]
        if others and wanted not in addresses:
            changed.append(("address", str(wanted), together(others)))
    for what, was, now in changed:
        yield Said(
            f"its {what} on {found.name} was changed by hand: it is {now}, and {was} in its spec",
            f"put it into the spec, or join again with the spec's: {case.engine} network disconnect {found.name}"
            f" {case.change.workload}, then network connect with --ip and --mac-address",
            host=case.origin,
            warn=what == "MAC",
        )


def _checked(made: Container, runs: tuple[str, ...], other: bool) -> list[str]:
    """A health check that is not the spec's, or where that has none not its image's."""
    check = made.healthcheck
    if check is None:
        same = not other
    elif check.disabled:
        same = runs in ((), ("NONE",))
    else:  # how its words are quoted is the engine's business
        same = _letters(runs[1:]) == _letters(check.command)
    return [] if same else [f"the health check is {' '.join(runs[1:]) or 'none'}"]


def _letters(words: Iterable[str]) -> str:
    return "".join(filter(str.isalnum, "".join(words)))


def _updated(made: Container, restart: str, options: ContainerOptions) -> Iterator[str]:
    """What differs from what it was made from. What the spec does not say has the engine's default."""
    limits = made.limits
    if restart != made.restart.value:
        yield f"restart is {restart} and was {made.restart.value}"
    limit = parse_size(limits.memory) if limits.memory else 0
    if options.memory != limit:
        now, was = (format_bytes(size) if size else "none" for size in (options.memory, limit))
        yield f"the memory limit is {now} and was {was}"
    compared: tuple[tuple[str, object, object], ...] = (
        ("cpus", options.cpus, limits.cpus),
        ("cpuShares", options.cpu_shares, limits.cpu_shares),
        ("cpuset", options.cpuset, limits.cpuset),
        ("pids", options.pids, limits.pids),
    )
    for what, has, wanted in compared:
        if (has or wanted) and has != wanted and (has or what != "pids"):
            yield f"limits.{what} is {has or 'none'} and was {wanted or 'none'}"
