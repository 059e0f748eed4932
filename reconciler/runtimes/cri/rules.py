"""What containerd and CNI of both sides have to be like for a pod to move. Their ways of failing were read or
seen; where one is not known to work, a move is refused before anything stops."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.rules.base import Case, Said, rule
from reconciler.core.versions import version_tuple
from reconciler.model.base import DEFAULT_RUNTIME
from reconciler.model.labels import ANNOTATION_CRIU
from reconciler.model.world import HostFacts
from reconciler.runtimes.cri.looking import NAME as ENGINE

RESTORES_FROM = (2, 1)
RESTORES_BEFORE = (2, 4)
"""2.1 was seen to restore; the code of 2.2 and 2.3 does the same, and is not in what follows."""
OWN_ADDRESSES = ("macvlan",)
CGROUPS = 2
_TABLE = "[plugins.'io.containerd.cri.v1.runtime'] of config.toml there, then restart containerd"


def _hosts(case: Case) -> Iterator[HostFacts]:
    """Those of a move of one of its pods. The way back is a restore, too."""
    if case.moves and case.workload and case.workload.spec.runtime == ENGINE:
        yield from (host for host in (case.source, case.destination) if host and ENGINE in host.runtimes)


def _cannot_restore(host: HostFacts) -> Iterator[Said]:
    known = host.settings.get(ENGINE)
    if known is None or ENGINE not in host.runtimes:
        return
    have, other = host.runtimes[ENGINE], f"use the runtime {DEFAULT_RUNTIME} for this workload"
    maker = next((word.partition("=")[2] for word in known if word.startswith("runtime=")), "")
    if maker != "containerd":
        why = f"{maker or 'what answers CRI'} on {host.name}: moving its pods was never tried"
        yield Said(why, f"use containerd 2.1 to 2.3, or {other}", warn=True)
    elif not RESTORES_FROM <= version_tuple(have) < RESTORES_BEFORE:
        why = f"containerd {have} on {host.name} has no restore through CRI"
        yield Said(why, f"use containerd 2.1 to 2.3 there, or {other}", warn=True)
    elif "restore-off" in known:
        why = f"containerd {have} on {host.name} has its restore through CRI switched off"
        yield Said(why, f"enable_experimental_restore_via_create = true in {_TABLE}", warn=True)
    if "criu-off" in known:
        yield Said(
            f"CRIU is switched off in containerd of {host.name}", f"enable_criu = true in {_TABLE}", warn=True
        )


@rule("cri.restores", alone=_cannot_restore)
def restores(case: Case) -> Iterator[Said]:
    """containerd restores a container through CRI from 2.1 to 2.3, the last releases of 2.2 and 2.3 (2.2.7, 2.3.4)
    only where they are told to (`enable_experimental_restore_via_create`), and where CRIU is not switched off
    (`enable_criu`). From 2.4 on it has no such restore. The way back is one, too, so both hosts are asked."""
    for host in _hosts(case):
        yield from (Said(said.message, said.fix, host=host.name) for said in _cannot_restore(host))


@rule("cri.not-told")
def not_told(case: Case) -> Iterator[Said]:
    """CRIU is told where images go, and by whom a dump is held, in a file that an annotation of the container
    names. Where containerd does not hand that annotation on to runc, now at the destination or when the container
    was made, nothing can be held, and images would be copied by containerd several times."""
    for host in _hosts(case):
        if case.destination and host.name == case.destination.name:
            told = "criu-annotation" in host.settings.get(ENGINE, ("criu-annotation",))
        else:
            told = case.container is None or ANNOTATION_CRIU in case.container.annotations
        if not told:
            yield Said(
                f"containerd of {host.name} does not hand on {ANNOTATION_CRIU}",
                f'container_annotations = ["{ANNOTATION_CRIU}"] in the table of its runtime runc in config.toml '
                "there, restart containerd, and let a workload that runs there be made anew",
                host=host.name,
            )


@rule("cri.control-groups")
def control_groups(case: Case) -> Iterator[Said]:
    """Moves are known to work where containerd makes control groups itself, of version 2. With systemd's
    (`SystemdCgroup`) none was ever tried."""
    for host in _hosts(case):
        if "systemd-cgroup" in host.settings.get(ENGINE, ()):
            yield Said(
                f"containerd of {host.name} has systemd make control groups",
                f"SystemdCgroup = false in the options of its runtime runc, {_TABLE.partition('there, ')[2]}",
                host=host.name,
            )
        if host.cgroup_version != CGROUPS:
            yield Said(
                f"{host.name} has control groups of version 1",
                "boot it with version 2 (systemd.unified_cgroup_hierarchy=1), or use another host",
                host=host.name,
            )


@rule("cri.own-address")
def own_address(case: Case) -> Iterator[Said]:
    """CRI has no way to ask CNI for an address. One that the spec names is put on the pod's card in the place of
    CNI's, which is right only where nobody but the card knows the address: on a macvlan network. A bridge, a
    routed or an overlay network knows it on the host or elsewhere, and would send packets to the old one."""
    if not (case.arrives and case.destination and case.wanted and case.workload):
        return
    if case.workload.spec.runtime != ENGINE:
        return
    own = {network.name for network in case.wanted.networks if network.ips or network.mac}
    for network in case.destination.networks:
        if network.runtime == ENGINE and network.name in own and network.driver not in OWN_ADDRESSES:
            yield Said(
                f"network {network.name} of {case.where} is made by CNI's plugin {network.driver}, where a pod"
                " cannot have an address of its own",
                "use the plugin macvlan, or leave `ip` and `mac` out (and set migration tcp: close for a move)",
            )
