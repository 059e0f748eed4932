"""What both sides' runtime, CRIU and kernel can do."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.rules.base import Case, Said, rule
from reconciler.core.strategy import can_hold, version_tuple
from reconciler.model.spec import Cutover, Strategy, TcpHandling


@rule("podman.missing")
def podman_missing(case: Case) -> Iterator[Said]:
    """Podman must be installed where a container is made."""
    if case.arrives and case.destination and not case.destination.versions.podman:
        yield Said(f"Podman is not installed on {case.destination.name}", "apt-get install podman")


@rule("criu.missing")
def criu_missing(case: Case) -> Iterator[Said]:
    """A move needs CRIU on both hosts."""
    for host in (case.source, case.destination):
        if case.moves and host and not host.versions.criu:
            yield Said(
                f"CRIU is not installed on {host.name}, or does not start there",
                "apt-get install criu (4.2 or newer on Linux 6.16 and newer)",
                host=host.name,
            )


@rule("criu.tcp-kernel")
def criu_tcp_kernel(case: Case) -> Iterator[Said]:
    """Linux 6.16 and newer refuse a socket option that CRIU before 4.2 reads, so every dump of a container
    with a TCP socket fails there."""
    for host in (case.source, case.destination):
        if not (case.moves and host and host.versions.criu):
            continue
        kernel, criu = version_tuple(host.versions.kernel), version_tuple(host.versions.criu)
        if kernel >= (6, 16) and criu < (4, 2):
            yield Said(
                f"CRIU {host.versions.criu} on {host.name} cannot handle TCP sockets on Linux"
                f" {host.versions.kernel} (needs CRIU 4.2)",
                f"upgrade criu on {host.name}",
                host=host.name,
            )


@rule("criu.network-lock")
def network_lock(case: Case) -> Iterator[Said]:
    """CRIU locks the network with iptables while it dumps TCP connections; without iptables-restore every
    dump fails with "net: Locking network failed"."""
    for host in (case.source, case.destination):
        if case.moves and host and host.tools and "iptables-restore" not in host.tools:
            yield Said(
                f"iptables-restore is missing on {host.name}: CRIU cannot lock the network",
                "apt-get install iptables",
                host=host.name,
            )


@rule("oci-runtime.missing")
def oci_runtime(case: Case) -> Iterator[Said]:
    """A container is restored by the OCI runtime it was dumped by."""
    if not (case.moves and case.container and case.destination):
        return
    name = case.container.oci_runtime
    if name and not getattr(case.destination.versions, name, "yes"):
        yield Said(f"{name} is not installed on {case.destination.name}", f"apt-get install {name}")


@rule("arch.differs")
def arch(case: Case) -> Iterator[Said]:
    """Memory images only make sense on the architecture they were dumped on."""
    if case.moves and case.source and case.destination and case.source.arch != case.destination.arch:
        yield Said(
            f"{case.source.name} is {case.source.arch}, {case.destination.name} is {case.destination.arch}",
            "choose a host of the same architecture, or stop the workload and let it be created there",
        )


@rule("cpu.features")
def cpu(case: Case) -> Iterator[Said]:
    """A process may use every CPU feature it found at its start; on a CPU that lacks one it dies, sometimes
    much later."""
    if not (case.moves and case.source and case.destination) or not case.destination.cpu_flags:
        return
    lacking = sorted(set(case.source.cpu_flags) - set(case.destination.cpu_flags))
    if lacking:
        shown = ", ".join(lacking[:6]) + (f" and {len(lacking) - 6} more" if len(lacking) > 6 else "")
        yield Said(
            f"the CPU of {case.destination.name} lacks {shown}",
            "choose a host with the same CPU features, or stop the workload and let it be created there",
        )


@rule("cutover.impossible")
def cutover(case: Case) -> Iterator[Said]:
    """The policy demands the transactional cut-over and this container cannot be held."""
    if not (case.moves and case.container and case.source) or case.policy.cutover is not Cutover.TRANSACTIONAL:
        return
    if obstacle := can_hold(case.container, case.source):
        yield Said(
            f"transactional cut-over is not possible on {case.source.name}: {obstacle}",
            "set cutover: auto in the policy",
            host=case.source.name,
        )


@rule("strategy.lazy")
def lazy(case: Case) -> Iterator[Said]:
    """The policy demands lazy restore and the destination has no userfaultfd."""
    if case.moves and case.destination and case.policy.strategy is Strategy.LAZY:
        if "uffd" not in case.destination.features:
            yield Said(
                f"{case.destination.name} has no userfaultfd for lazy restore",
                "set strategy: auto, or sysctl vm.unprivileged_userfaultfd=1 on a kernel that has it",
            )


@rule("tcp.close-unsupported")
def tcp_close(case: Case) -> Iterator[Said]:
    """Closing TCP connections on restore needs Podman 5.7 or newer."""
    if case.moves and case.destination and case.policy.tcp is TcpHandling.CLOSE:
        have = version_tuple(case.destination.versions.podman)
        if case.container and case.container.tcp_established and have < (5, 7):
            yield Said(
                f"Podman {case.destination.versions.podman} on {case.destination.name} cannot close TCP"
                " connections on restore (needs 5.7)",
                "upgrade Podman there, or give the container an address that moves along",
            )


@rule("container.auto-remove")
def auto_remove(case: Case) -> Iterator[Said]:
    """A container made with --rm is deleted as soon as its processes end, images included: there would be no
    way back."""
    if case.moves and case.container and case.container.auto_remove:
        yield Said(
            "the container was made with --rm: it would vanish with its way back",
            "create it without --rm",
            host=case.change.source or "",
        )


@rule("clock.offset")
def clock(case: Case) -> Iterator[Said]:
    """Programs see the wall clock jump by the difference between the two hosts' clocks."""
    if not (case.moves and case.source and case.destination):
        return
    offset = case.destination.clock_offset_s - case.source.clock_offset_s
    if abs(offset) > 5:
        yield Said(
            f"the clock of {case.destination.name} is {offset:+.0f} s from that of {case.source.name}",
            "synchronise the clocks (chrony, systemd-timesyncd)",
            warn=True,
        )
