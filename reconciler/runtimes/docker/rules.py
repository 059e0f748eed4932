"""What the Docker Engine of both sides can do. Its ways of failing were seen; where one is not known to work, a
move is refused before anything stops."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.rules.base import Case, Said, rule
from reconciler.core.versions import version_tuple
from reconciler.model.base import DEFAULT_RUNTIME
from reconciler.model.world import HostFacts

ENGINE = "docker"
OLDEST = (25,)
"""First release that takes an annotation, and an address and MAC for each network, when it makes a container."""
RESTORES_NETWORKS_BEFORE = (27,)
"""26.1 was seen to restore into networks; 28.5 was not (containerd/containerd#12141); 27 is not known."""
CGROUPS = 2
_DAEMON = "/etc/docker/daemon.json"


def _hosts(case: Case) -> Iterator[HostFacts]:
    """Those of a move of one of its containers."""
    if case.moves and case.workload and case.workload.spec.runtime == ENGINE:
        yield from (host for host in (case.source, case.destination) if host and ENGINE in host.runtimes)


def _has(host: HostFacts, word: str) -> bool:
    """A host that nobody asked is not said to lack anything."""
    known = host.settings.get(ENGINE)
    return known is None or word in known


@rule("docker.too-old")
def too_old(case: Case) -> Iterator[Said]:
    """Docker before 25 can give a container neither an annotation (CRIU's config, without which nothing is held)
    nor a MAC address for each network."""
    if not (case.arrives and case.destination and case.workload and case.workload.spec.runtime == ENGINE):
        return
    for host in {h.name: h for h in (case.destination, *_hosts(case))}.values():
        have = host.runtimes.get(ENGINE, "")
        if have and version_tuple(have) < OLDEST:
            yield Said(f"Docker {have} on {host.name} is too old", "upgrade it there to 25 or 26", host=host.name)


@rule("docker.restores-no-network")
def restores_no_network(case: Case) -> Iterator[Said]:
    """Docker 28 cannot restore a container into a bridge, macvlan or none network: dockerd asks for the network
    namespace of a process that is not there yet ("bind-mount /proc/0/ns/net": containerd/containerd#12141). 27 is
    not known to work. Both hosts need an older one, for the way back is a restore too."""
    for host in _hosts(case):
        have = host.runtimes[ENGINE]
        if version_tuple(have) >= RESTORES_NETWORKS_BEFORE:
            yield Said(
                f"Docker {have} on {host.name} cannot restore a container into its network",
                f"use Docker 26.1 there, or the runtime {DEFAULT_RUNTIME} for this workload",
                host=host.name,
            )


@rule("docker.experimental")
def experimental(case: Case) -> Iterator[Said]:
    """Docker's checkpoint commands are there only where its experimental features are on."""
    for host in _hosts(case):
        if not _has(host, "experimental"):
            fix = f'"experimental": true in {_DAEMON} there, then: systemctl restart docker'
            yield Said(f"Docker's experimental features are off on {host.name}", fix, host=host.name)


@rule("docker.live-restore")
def live_restore(case: Case) -> Iterator[Said]:
    """Without live-restore a dockerd that is restarted in the middle of a move ends the containers of its host,
    frozen ones included. Swarm mode excludes it."""
    for host in _hosts(case):
        if not _has(host, "live-restore"):
            fix = f'"live-restore": true in {_DAEMON} there, then: systemctl reload docker'
            if _has(host, "swarm"):
                fix = f"docker swarm leave there, then {fix}"
            yield Said(f"live-restore is off on {host.name}", fix, host=host.name)


@rule("docker.setup")
def setup(case: Case) -> Iterator[Said]:
    """An engine without root, with user namespaces for all containers, inside Docker Desktop's virtual machine,
    with another storage driver than overlay2 or another OCI runtime than runc: moves are not known to work with
    any of these. CRIU needs root on the very host, files come from an overlay, and ID ranges differ."""
    odd = {
        "rootless": "runs without root",
        "userns-remap": "gives containers user namespaces (userns-remap)",
        "desktop": "is Docker Desktop's, in a virtual machine of its own",
    }
    for host in _hosts(case):
        known = host.settings.get(ENGINE, ())
        found = [why for word, why in odd.items() if word in known]
        found += [
            f"has the storage driver {w[8:]}" for w in known if w.startswith("storage=") and w[8:] != "overlay2"
        ]
        found += [f"has the OCI runtime {w[8:]}" for w in known if w.startswith("runtime=") and w[8:] != "runc"]
        if host.cgroup_version != CGROUPS:
            found.append("has control groups of version 1")
        for why in found:
            fix = "use an engine as root with overlay2, runc and control groups of version 2, or another host"
            yield Said(f"the Docker Engine of {host.name} {why}", fix, host=host.name)
