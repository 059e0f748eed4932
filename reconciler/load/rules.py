"""Rules over all objects of a run: references that must exist, and things only one workload can have."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from reconciler.errors import Diagnostic
from reconciler.load import clusters
from reconciler.load.accepting import check_accepted
from reconciler.load.messages import close
from reconciler.load.objects import Entry
from reconciler.load.payload import check_payload
from reconciler.load.referring import HOSTS_SHOWN, check_kept, check_sync, missing
from reconciler.model.base import DEFAULT_RUNTIME
from reconciler.model.container import Mount, PublishedPort
from reconciler.model.copying import is_copy
from reconciler.model.network import IpamSpec
from reconciler.model.spec import (
    CheckpointPolicy,
    CheckpointStore,
    DesiredState,
    Host,
    MigrationPolicy,
    Network,
    SyncPolicy,
    Workload,
    WorkloadSpec,
)
from reconciler.runtimes import registry
from reconciler.runtimes.registry import IN_CLUSTERS, TAKES, FoundRuntime

_ANY_ADDRESS: Final = frozenset({None, "0.0.0.0", "::"})  # noqa: S104  compared, never bound


@dataclass
class SpecFleet:
    """All objects that are valid, by kind and name. `declared` also holds names of those that are not.

    `complete` is false when some file could not be read: then nothing is said to be missing.
    """

    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    declared: dict[str, set[str]] = field(default_factory=dict)
    complete: bool = True

    def declare(self, kind: str, name: str) -> None:
        self.declared.setdefault(kind, set()).add(name)

    def names(self, kind: str) -> set[str]:
        return self.declared.get(kind, set())

    def hosts(self) -> dict[str, Host]:
        return {e.name: e.model for e in self.entries.values() if isinstance(e.model, Host)}

    def networks(self) -> dict[str, Network]:
        return {e.name: e.model for e in self.entries.values() if isinstance(e.model, Network)}


def check_fleet(fleet: SpecFleet) -> Iterator[Diagnostic]:
    """Every broken rule of the fleet."""
    hosts, networks = fleet.hosts(), fleet.networks()
    all_hosts_valid = len(hosts) == len(fleet.names("Host"))
    claims = _Claims()
    used = {entry.model.spec.runtime for entry in fleet.entries.values() if isinstance(entry.model, Workload)}
    runtimes = {name: registry.find(name) for name in sorted(used - {DEFAULT_RUNTIME})}
    takes = {name: found.takes for name, found in runtimes.items() if found and found.takes}
    takes[DEFAULT_RUNTIME] = TAKES[DEFAULT_RUNTIME]
    for entry in fleet.entries.values():
        model = entry.model
        if isinstance(model, Host):
            yield from _jump(entry, model, fleet)
        elif isinstance(model, MigrationPolicy):
            yield from check_accepted(entry, model)
        elif isinstance(model, SyncPolicy):
            yield from check_sync(entry, model, fleet)
        elif isinstance(model, CheckpointPolicy | CheckpointStore):
            yield from check_kept(entry, model, fleet)
        elif isinstance(model, Workload):
            if (runtime := model.spec.runtime) in runtimes:
                yield from _runtime(entry, runtime, runtimes[runtime])
            if runtime in takes:
                yield from check_payload(entry, model, takes[runtime])
                model = entry.model if isinstance(entry.model, Workload) else model
            yield from _within(entry, model)
            yield from claims.identity(entry, model)
            if model.spec.state is DesiredState.ABSENT:
                continue
            yield from _policy(entry, model, fleet)
            yield from _placement(entry, model, fleet, hosts, all_hosts_valid)
            yield from _subnets(entry, model, networks)
            yield from claims.add(entry, model)
    yield from _folders(fleet)
    yield from _jump_cycles(fleet, hosts)
    yield from _same_machine(fleet, hosts)
    yield from clusters.one_machine_each(fleet.entries.values())


def _policy(entry: Entry, workload: Workload, fleet: SpecFleet) -> Iterator[Diagnostic]:
    if workload.spec.migration is not None and workload.spec.migration.policy is not None:
        name = workload.spec.migration.policy
        yield from missing(entry, "E145", "MigrationPolicy", name, fleet, "spec", "migration", "policy")
    if (saved := workload.spec.checkpoints) is not None:
        yield from missing(entry, "E145", "CheckpointPolicy", saved.policy, fleet, "spec", "checkpoints", "policy")
    if (update := workload.spec.update) is not None and update.store is not None:
        yield from missing(entry, "E169", "CheckpointStore", update.store, fleet, "spec", "update", "store")


def _placement(
    entry: Entry, workload: Workload, fleet: SpecFleet, hosts: Mapping[str, Host], all_valid: bool
) -> Iterator[Diagnostic]:
    placement = workload.spec.placement
    if placement.cluster is not None or workload.spec.runtime in IN_CLUSTERS:
        yield from clusters.placed(entry, workload, fleet.names("Cluster"), fleet.complete)
        return
    if placement.host is not None:
        at = ("spec", "placement", "host")
        yield from missing(entry, "E146", "Host", placement.host, fleet, *at)
        host = hosts.get(placement.host)
        if host is not None and not host.spec.schedulable:
            where = fleet.entries["Host", placement.host].where("spec", "schedulable")
            message = f"host `{placement.host}` is not schedulable ({where})"
            yield entry.diagnostic("E150", message, *at, hint="choose another host, or make it schedulable")
        return
    if not (all_valid and fleet.complete):
        return
    wanted = placement.labels or {}
    if all(_unfit(host, wanted) for host in hosts.values()):
        reasons = {name: _unfit(host, wanted) for name, host in sorted(hosts.items())}
        shown = [f"{name}: {reason}" for name, reason in list(reasons.items())[:HOSTS_SHOWN]]
        if len(reasons) > HOSTS_SHOWN:
            shown.append(f"and {len(reasons) - HOSTS_SHOWN} more")
        hint = "; ".join(shown) or "no Host is defined; pass the inventory as another path"
        yield entry.diagnostic(
            "E149", "no host satisfies the placement", "spec", "placement", "labels", on_key=True, hint=hint
        )


def _runtime(entry: Entry, name: str, found: FoundRuntime | None) -> Iterator[Diagnostic]:
    """A runtime that is not there, or that cannot be used. Absent workloads have one too: it removes them."""
    at = ("spec", "runtime")
    if found is None:
        known = registry.names()
        hint = close(name, known) or "a package that provides it says so with `reconciler.runtimes`"
        message = f"no runtime `{name}` is installed here; known: {', '.join(known)}"
        yield entry.diagnostic("E155", message, *at, hint=hint)
    elif found.problem:
        message = f"the runtime `{name}` of package {found.package} cannot be used"
        yield entry.diagnostic("E156", message, *at, hint=found.problem)


def _unfit(host: Host, wanted: Mapping[str, str]) -> str:
    """Which rule removes a host; empty when none does."""
    if host.spec.failed:
        return "declared failed"
    if not host.spec.schedulable:
        return "not schedulable"
    for key, value in wanted.items():
        has = host.metadata.labels.get(key)
        if has is None:
            return f"has no label `{key}`"
        if has != value:
            return f"label `{key}` is `{has}`, not `{value}`"
    return ""


def _jump(entry: Entry, host: Host, fleet: SpecFleet) -> Iterator[Diagnostic]:
    if host.spec.jump is not None:
        yield from missing(entry, "E147", "Host", host.spec.jump, fleet, "spec", "jump")


def _jump_cycles(fleet: SpecFleet, hosts: Mapping[str, Host]) -> Iterator[Diagnostic]:
    done: set[str] = set()
    for start in hosts:
        path: list[str] = []
        name: str | None = start
        while name is not None and name in hosts and name not in done and name not in path:
            path.append(name)
            name = hosts[name].spec.jump
        if name in path:
            way = " -> ".join([*path[path.index(name) :], name])
            yield fleet.entries["Host", name].diagnostic("E148", f"jump cycle: {way}", "spec", "jump")
        done.update(path)


def _same_machine(fleet: SpecFleet, hosts: Mapping[str, Host]) -> Iterator[Diagnostic]:
    """Two names for one machine would let a workload move onto itself."""
    seen: dict[tuple[str, int, str | None], str] = {}
    for name, host in hosts.items():
        first = seen.setdefault((host.spec.address, host.spec.port, host.spec.jump), name)
        if first != name:
            where = fleet.entries["Host", first].where("spec", "address")
            message = f"hosts `{first}` ({where}) and `{name}` have the same address"
            yield fleet.entries["Host", name].diagnostic("E154", message, "spec", "address")


def _subnets(entry: Entry, workload: Workload, networks: Mapping[str, Network]) -> Iterator[Diagnostic]:
    for n, joined in enumerate(workload.spec.networks):
        network = networks.get(joined.name)
        if network is None or network.spec.ipam is None:
            continue
        kinds = {ipaddress.ip_network(one.subnet).version: one for one in network.spec.ipams}
        for field_name, address in (("ip", joined.ip), ("ip6", joined.ip6)):
            if address is None:
                continue
            ipam = kinds.get(ipaddress.ip_address(address).version, network.spec.ipam)
            if problem := _not_free(address, ipam):
                message = f"{address} is {problem} of network `{joined.name}`"
                at = ("spec", workload.spec.section, "networks", n, field_name)
                yield entry.diagnostic("E152", message, *at)


def _not_free(text: str, ipam: IpamSpec) -> str:
    """Why no container can have an address on this network; empty when one can."""
    address, subnet = ipaddress.ip_address(text), ipaddress.ip_network(ipam.subnet)
    if address not in subnet:
        return f"not in {subnet}, the subnet"
    if text == ipam.gateway:
        return "the gateway"
    ends = (subnet.network_address, *((subnet.broadcast_address,) if subnet.version == 4 else ()))
    if subnet.num_addresses > 2 and address in ends:
        return f"the first or last address of {subnet}, the subnet"
    return ""


def _within(entry: Entry, workload: Workload) -> Iterator[Diagnostic]:
    """Targets and networks used twice by one workload, and places in it that hide others."""
    wanted = workload.spec
    targets = _targets(wanted)
    networks = [(a.name, ("networks", n, "name")) for n, a in enumerate(wanted.networks)]
    for what, uses in (("target", targets), ("network", networks)):
        seen: set[str] = set()
        for value, loc in uses:
            if value in seen:
                yield entry.diagnostic("E153", f"{what} `{value}` is used twice", "spec", wanted.section, *loc)
            seen.add(value)
    yield from _hidden(entry, wanted)


def _targets(wanted: WorkloadSpec) -> list[tuple[str, tuple[str | int, ...]]]:
    """Where something is mounted for the workload, and where in its section that stands."""
    targets: list[tuple[str, tuple[str | int, ...]]] = []
    targets += [(m.target, ("mounts", n, "target")) for n, m in enumerate(wanted.mounts)]
    targets += [(v.target, ("volumes", n, "target")) for n, v in enumerate(wanted.volumes)]
    if (container := wanted.container) is None:
        return targets
    targets += [(t.target, ("tmpfs", n, "target")) for n, t in enumerate(container.tmpfs)]
    return targets + [(path, ("secretFiles", path)) for path in container.secret_files]


def _hidden(entry: Entry, wanted: WorkloadSpec) -> Iterator[Diagnostic]:
    """A memory file system inside a volume or bind hides what that has there, and it comes back when the tmpfs is
    taken away; a read-only place cannot get the mount point that another one in it needs."""
    kept = [(m.target, m.read_only) for m in wanted.mounts]
    kept += [(v.target, v.read_only) for v in wanted.volumes]
    for target, loc in _targets(wanted):
        for above, read_only in kept:
            if not target.startswith(f"{above}/"):
                continue
            if loc[0] == "tmpfs":
                message = f"the tmpfs `{target}` hides what is there in `{above}`"
                hint = "mount it outside, or leave one of them out"
            elif read_only:
                message = f"`{target}` is inside `{above}`, which is read-only: it has to be there already"
                hint = f"make the folder in the source of `{above}`, or mount it outside"
            else:
                continue
            yield entry.diagnostic("W102", message, "spec", wanted.section, *loc, hint=hint)


def _folders(fleet: SpecFleet) -> Iterator[Diagnostic]:
    """A folder that goes along with one workload is no part of what another one mounts, on whatever host."""
    mounted: list[tuple[Entry, tuple[str | int, ...], Mount]] = [
        (entry, ("spec", entry.model.spec.section, "mounts", n), mount)
        for entry in fleet.entries.values()
        if isinstance(entry.model, Workload) and entry.model.spec.state is not DesiredState.ABSENT
        for n, mount in enumerate(entry.model.spec.mounts)
    ]
    moving = {mount.source: (entry, at) for entry, at, mount in reversed(mounted) if mount.move}
    above: dict[str, tuple[Entry, tuple[str | int, ...]]] = {}
    for source, owner in moving.items():
        for parent in PurePosixPath(source).parents:
            above.setdefault(str(parent), owner)
    for entry, at, mount in mounted if moving else ():
        lines = (*map(str, PurePosixPath(mount.source).parents), mount.source)
        found = next((moving[path] for path in lines if path in moving), above.get(mount.source))
        if found is None or (found[0] is entry and found[1] == at):
            continue
        first, where = found[0], found[0].where(*found[1])
        message = f"{mount.source} is, or holds, or is in a folder that goes along with `{first.name}` ({where})"
        yield entry.diagnostic("E144", message, *at, "source")


class _Claims:
    """What only one workload of a fleet can have; each claim remembers its first owner."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, ...], tuple[Entry, tuple[str | int, ...]]] = {}
        self._ports: dict[tuple[str, int, str], list[tuple[str | None, Entry, tuple[str | int, ...]]]] = {}

    def identity(self, entry: Entry, workload: Workload) -> Iterator[Diagnostic]:
        """Its name on the hosts."""
        loc = ("metadata", "renamedFrom" if workload.metadata.renamed_from else "name")
        if is_copy(workload.identity):
            yield entry.diagnostic("E177", f"`{workload.identity}` is a copy's name", *loc, hint="give it another")
        yield from self._claim(entry, "E140", f"the name `{workload.identity}`", ("name", workload.identity), loc)

    def add(self, entry: Entry, workload: Workload) -> Iterator[Diagnostic]:
        wanted = workload.spec
        base = ("spec", wanted.section)
        for n, joined in enumerate(wanted.networks):
            at = (*base, "networks", n)
            for name, address in (("ip", joined.ip), ("ip6", joined.ip6)):
                if address is not None:
                    what = f"{address} on network `{joined.name}`"
                    yield from self._claim(entry, "E141", what, ("ip", joined.name, address), (*at, name))
            if joined.mac is not None:
                yield from self._claim(entry, "E142", joined.mac, ("mac", joined.mac), (*at, "mac"))
        for n, volume in enumerate(wanted.volumes):
            what = f"volume `{volume.name}`"
            yield from self._claim(entry, "E144", what, ("volume", volume.name), (*base, "volumes", n, "name"))
        if wanted.placement.host is not None:
            for n, port in enumerate(wanted.ports):
                yield from self._ports_of(entry, wanted.placement.host, port, (*base, "ports", n, "host"))

    def _claim(
        self, entry: Entry, code: str, what: str, key: tuple[str, ...], loc: tuple[str | int, ...]
    ) -> Iterator[Diagnostic]:
        first, first_loc = self._owners.setdefault(key, (entry, loc))
        if (first, first_loc) != (entry, loc):
            message = f"{what} is already used by workload `{first.name}` ({first.where(*first_loc)})"
            yield entry.diagnostic(code, message, *loc)

    def _ports_of(
        self, entry: Entry, host: str, port: PublishedPort, loc: tuple[str | int, ...]
    ) -> Iterator[Diagnostic]:
        """One finding for a range, however much of it is taken."""
        found = [
            taken
            for number, _ in port.pairs
            for taken in self._port(entry, (host, number, port.protocol), port.address, loc)
        ]
        yield from found[:1]

    def _port(
        self, entry: Entry, key: tuple[str, int, str], address: str | None, loc: tuple[str | int, ...]
    ) -> Iterator[Diagnostic]:
        owners = self._ports.setdefault(key, [])
        for other, first, first_loc in owners:
            if address == other or {address, other} & _ANY_ADDRESS:
                what = f"port {key[1]}/{key[2]} of host `{key[0]}`"
                message = f"{what} is already published by workload `{first.name}` ({first.where(*first_loc)})"
                yield entry.diagnostic("E143", message, *loc)
                break
        owners.append((address, entry, loc))
