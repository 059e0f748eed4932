"""What the OCI runtime and CRIU of both sides can do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.core.copied import copied
from reconciler.core.obstacles import (
    KEEPER,
    SERVER,
    SERVER_PACKAGE,
    can_follow,
    can_hold,
    can_postcopy,
    can_precopy,
    in_words,
    is_alone,
    reads_config,
)
from reconciler.core.rules.base import Case, Said, host_rule, rule, together
from reconciler.core.versions import version_tuple
from reconciler.model.base import DEFAULT_RUNTIME
from reconciler.model.outlook import ObstacleCode
from reconciler.model.spec import Cutover, Strategy, TcpHandling
from reconciler.model.world import HostFacts

CRIU_READS_CONFIG = (1, 26)
"""crun's first release that hands the container's CRIU config file to CRIU."""
NEEDED_TOOLS = {
    "nsenter": "util-linux",
    "flock": "util-linux",
    "setsid": "util-linux",
    "timeout": "coreutils",
    "tar": "tar",
    "ip": "iproute2",
}
"""Programs that the scripts on hosts call, and the packages they are in."""


@dataclass(frozen=True)
class KnownBad:
    """A pair that cannot work: CRIU before `criu` on Linux from `kernel` on."""

    criu: tuple[int, ...]
    kernel: tuple[int, ...]
    why: str
    needs: str


KNOWN_BAD = (
    KnownBad((3, 19), (6, 13), "it cannot read the vDSO of newer kernels", "4.2"),
    KnownBad((3, 17), (5, 13), "it cannot save restartable sequences, which glibc 2.35 and newer use", "3.17"),
)


@host_rule("tools.missing")
def tools_missing(host: HostFacts) -> Iterator[Said]:
    """Scripts on the hosts call a few programs that every distribution has, but not every minimal image."""
    missing = [name for name in NEEDED_TOOLS if host.tools and name not in host.tools]
    if missing:
        packages = " ".join(sorted({NEEDED_TOOLS[name] for name in missing}))
        yield Said(f"{', '.join(missing)} missing on {host.name}", f"apt-get install {packages}")


@host_rule("criu.missing")
def criu_missing(host: HostFacts) -> Iterator[Said]:
    """A move needs CRIU on both hosts: it saves the processes on one and makes them again on the other."""
    if not host.version("criu"):
        yield Said(
            f"CRIU is not installed on {host.name}, or does not start there",
            "apt-get install criu (4.2 or newer on Linux 6.16 and newer)",
        )


@host_rule("criu.check")
def criu_check(host: HostFacts) -> Iterator[Said]:
    """`criu check` says what is missing on this kernel. Optional features do not count here."""
    if host.version("criu") and host.preflight and host.preflight.complaint:
        yield Said(
            f"CRIU cannot work on {host.name}: {host.preflight.complaint}",
            f"see all of it on {host.name}: criu check; it needs root and a kernel with CONFIG_CHECKPOINT_RESTORE",
        )


@host_rule("criu.tcp-kernel", acceptable=True)
def criu_tcp_kernel(host: HostFacts) -> Iterator[Said]:
    """Linux 6.16 and newer refuse a socket option that CRIU before 4.2 reads, so every dump of a container
    with a TCP socket fails there."""
    kernel, criu = host.version("kernel"), host.version("criu")
    if criu and version_tuple(kernel) >= (6, 16) and version_tuple(criu) < (4, 2):
        yield Said(
            f"CRIU {criu} on {host.name} cannot handle TCP sockets on Linux {kernel} (needs CRIU 4.2)",
            f"upgrade criu on {host.name}",
        )


@host_rule("criu.known-bad", acceptable=True)
def criu_known_bad(host: HostFacts) -> Iterator[Said]:
    """This release of CRIU is known not to work on this kernel."""
    kernel, criu = host.version("kernel"), host.version("criu")
    for bad in KNOWN_BAD:
        if criu and version_tuple(criu) < bad.criu and version_tuple(kernel) >= bad.kernel:
            yield Said(
                f"CRIU {criu} does not work on {host.name} with Linux {kernel}: {bad.why}",
                f"upgrade criu on {host.name} to {bad.needs} or newer",
            )
            return


@rule("criu.older")
def criu_older(case: Case) -> Iterator[Said]:
    """CRIU reads images of older releases, not of newer ones. Across major releases that is refused, within one it
    is a warning: images change there only where a new kind of object is in them."""
    if not (case.moves and case.source and case.destination):
        return
    saved, restores = case.source.version("criu"), case.destination.version("criu")
    here, there = version_tuple(saved), version_tuple(restores)
    if there and there[:2] < here[:2]:
        yield Said(
            f"CRIU is {restores} on {case.destination.name} and {saved} on {case.source.name}: an older CRIU"
            " restores what a newer one saved",
            f"upgrade criu on {case.destination.name} to {saved}",
            warn=there[:1] == here[:1],
        )


@host_rule("criu.network-lock")
def network_lock(host: HostFacts) -> Iterator[Said]:
    """CRIU locks the network with iptables while it dumps TCP connections; without iptables-restore every
    dump fails with "net: Locking network failed"."""
    if host.tools and "iptables-restore" not in host.tools:
        yield Said(
            f"iptables-restore is missing on {host.name}: CRIU cannot lock the network", "apt-get install iptables"
        )


@rule("criu.library")
def criu_library(case: Case) -> Iterator[Said]:
    """crun calls CRIU through its library and says \"could not load `libcriu.so.2`\" without it."""
    if not (case.moves and case.container) or case.container.oci_runtime != "crun":
        return
    for host in (case.source, case.destination):
        if host and host.preflight and not host.preflight.libcriu:
            yield Said(f"crun on {host.name} lacks CRIU's library", "apt-get install libcriu2", host=host.name)


@rule("oci-runtime.missing")
def oci_runtime(case: Case) -> Iterator[Said]:
    """A container is restored by the OCI runtime it was dumped by."""
    if not (case.moves and case.container and case.destination):
        return
    name = case.container.oci_runtime
    if name and not case.destination.versions_with(case.container.runtime).get(name, "yes"):
        yield Said(f"{name} is not installed on {case.destination.name}", f"apt-get install {name}")


@rule("oci-runtime.older", warns=True)
def oci_runtime_older(case: Case) -> Iterator[Said]:
    """The destination's OCI runtime is an older series than the one that made the container. It may not know an
    option the newer one wrote down for the restore."""
    if not (case.moves and case.container and case.source and case.destination):
        return
    name = case.container.oci_runtime
    here, there = (host.version(name, case.container.runtime) for host in (case.source, case.destination))
    if here and there and version_tuple(there)[:2] < version_tuple(here)[:2]:
        yield Said(
            f"{name} is {there} on {case.destination.name} and {here} on {case.source.name}",
            f"upgrade {name} on {case.destination.name}",
        )


@rule("cutover.impossible")
def cutover(case: Case) -> Iterator[Said]:
    """The policy demands the transactional cut-over and this container cannot be held."""
    if not (case.moves and case.container and case.source) or case.policy.cutover is not Cutover.TRANSACTIONAL:
        return
    if obstacle := can_hold(case.container, case.source):
        yield Said(
            f"transactional cut-over is not possible on {case.source.name}: {in_words(obstacle)}",
            "set cutover: auto in the policy",
            host=case.source.name,
        )


@rule("strategy.lazy")
def lazy(case: Case) -> Iterator[Said]:
    """The policy demands lazy restore and the destination has no userfaultfd, no Perl to keep processes off memory
    that is missing, or a crun that does not read the container's CRIU config."""
    if case.moves and case.instance and case.destination and case.policy.strategy is Strategy.LAZY:
        if obstacle := can_follow(case.instance, case.destination):
            yield Said(
                f"there is no lazy restore: {in_words(obstacle)}",
                "set strategy: auto, install perl, or set vm.unprivileged_userfaultfd=1 on a kernel that has it",
            )


@rule("strategy.several", warns=True)
def several(case: Case) -> Iterator[Said]:
    """The policy demands that memory follows the restore, of a workload with several processes. Should CRIU's page
    daemon die before all has arrived, some of them read zeros until the move finds out and the source goes on.
    What they share by copy-on-write is multiplied."""
    if case.moves and case.container and case.policy.strategy in (Strategy.LAZY, Strategy.PRECOPY):
        if obstacle := is_alone(case.container):
            several = in_words(obstacle)
            yield Said(
                f"{several}: a page daemon that dies leaves zeros in some, and what they share is multiplied",
                "set strategy: auto, which restores all memory before they run",
            )


@host_rule("perl.missing", warns=True)
def perl_missing(host: HostFacts) -> Iterator[Said]:
    """Perl keeps the processes of a lazy restore off memory that has not arrived, should CRIU's page daemon die,
    and ends what a killed CRIU left locked. Without it workloads that arrive are restored whole first, which takes
    longer."""
    if KEEPER not in host.tools:
        yield Said(
            f"{host.name} has no {KEEPER}: workloads that arrive are restored whole before they run",
            f"apt-get install {KEEPER}",
        )


@rule("strategy.precopy")
def precopy(case: Case) -> Iterator[Said]:
    """The policy demands pre-copy, which needs a kernel on the source that tracks changed memory, userfaultfd on
    the destination, runc, and a container with its own CRIU config."""
    if case.moves and case.container and case.source and case.destination:
        if case.policy.strategy is not Strategy.PRECOPY:
            return
        if obstacle := can_precopy(case.container, case.source, case.destination):
            why = in_words(obstacle)
            yield Said(f"pre-copy is not possible: {why}", "set strategy: auto", host=case.source.name)


def no_server(host: HostFacts) -> Iterator[Said]:
    """For `doctor`: no workload moves by post-copy to or from there."""
    if DEFAULT_RUNTIME in host.runtimes and SERVER not in host.tools:
        yield Said(
            f"{host.name} has no {SERVER}: no move to or from there is by post-copy",
            f"apt-get install {SERVER_PACKAGE}",
            warn=True,
        )


@rule("strategy.postcopy", alone=no_server)
def postcopy(case: Case) -> Iterator[Said]:
    """The policy demands post-copy, which needs userfaultfd and Perl on the destination, Python 3 on both hosts,
    and a container of one process with its own CRIU config: of several, some would read zeros should CRIU's page
    daemon die. `doctor` warns of a host without Python 3."""
    if case.moves and case.container and case.source and case.destination:
        if case.policy.strategy is not Strategy.POSTCOPY:
            return
        if obstacle := can_postcopy(case.container, case.source, case.destination):
            why = in_words(obstacle)
            lacks = obstacle.code is ObstacleCode.NO_SERVER
            fix = (
                f"apt-get install {SERVER_PACKAGE} there, or set strategy: auto" if lacks else "set strategy: auto"
            )
            yield Said(f"post-copy is not possible: {why}", fix, host=obstacle.host or case.destination.name)


@rule("compression.missing")
def compression(case: Case) -> Iterator[Said]:
    """The policy demands a compression that one of the hosts has no program for."""
    tool = case.policy.compression
    if not case.moves or tool in ("auto", "none"):
        return
    for host in (case.source, case.destination):
        if host and host.tools and tool not in host.tools:
            yield Said(
                f"{tool} is missing on {host.name}, and the policy demands it",
                f"apt-get install {tool} there, or set compression: auto in the policy",
                host=host.name,
            )


@rule("tcp.close-unsupported")
def tcp_close(case: Case) -> Iterator[Said]:
    """Connections are closed at the restore by a line in the container's own CRIU config file. crun reads
    that file from 1.26 on; containers that Reconciler did not make have none."""
    if not (case.moves and case.container and case.destination) or case.policy.tcp is not TcpHandling.CLOSE:
        return
    if not case.container.tcp_established or case.container.oci_runtime != "crun":
        return
    crun = case.destination.version("crun", case.container.runtime)
    if version_tuple(crun) < CRIU_READS_CONFIG:
        yield Said(
            f"crun {crun} on {case.destination.name} cannot close TCP connections on restore (needs 1.26)",
            "set ociRuntime: runc in the spec, upgrade crun, or give the container an address that moves along",
        )


@rule("process.made-files")
def made_files(case: Case) -> Iterator[Said]:
    """A process has a file open that the engine makes anew on each host and each restore, such as /etc/hosts. CRIU
    refuses one of another size. What somebody has added to it is put back before that by CRIU's action script,
    which a crun before 1.26 has CRIU not run: the restore would fail, also that of going back."""
    if not (case.moves and case.container and case.held and case.held.made):
        return
    for host in filter(None, (case.source, case.destination)):
        if obstacle := reads_config(case.container, host):
            yield Said(
                f"a process has {together(case.held.made)} open, which is made anew on {host.name}, and"
                f" {in_words(obstacle)}",
                "set ociRuntime: runc in the spec, upgrade crun, or let the program close the file",
                host=host.name,
            )
            return


@rule("process.shm-holes", warns=True)
def shm_holes(case: Case) -> Iterator[Said]:
    """Files in /dev/shm have holes, which engines fill with zeros when they restore them: they need memory, and
    more than /dev/shm may have. CRIU's action script puts them back as they are, which a crun before 1.26 has CRIU
    not run."""
    if not (case.moves and case.container and case.held and case.held.shm_holes):
        return
    for host in filter(None, (case.source, case.destination)):
        if obstacle := reads_config(case.container, host):
            yield Said(
                f"files in /dev/shm have holes, which become zeros in memory, for {in_words(obstacle)}",
                "set ociRuntime: runc in the spec, or upgrade crun",
                host=host.name,
            )
            return


@rule("preflight.incomplete")
def incomplete(case: Case) -> Iterator[Said]:
    """A host answered the observation and not the closer look, or only part of it, so the rules that need it
    said nothing: unknown is not fine. A busy host is looked at in parts, and twice. The policy's `unseen: warn`
    lets such a change go on."""
    warn, fix = case.policy.unseen == "warn", "look again when it is less busy, or set unseen: warn in the policy"
    for host in (case.source if case.moves else None, case.destination if case.arrives else None):
        if host and host.preflight_error:
            text = f"{host.name} could not be looked at closely: {host.preflight_error}"
            yield Said(text, f"{fix}; reconcile doctor {host.name}", host=host.name, warn=warn)
    if case.moves and case.container and case.container.unseen:
        text = f"its processes could not be looked at: {case.container.unseen}"
        yield Said(text, fix, host=case.origin, warn=warn)
    for where, what in copied(case.change, case.spec, case.index):
        if case.index.seen[where].deep.get(what, ()) is None:
            yield Said("what is copied of it could not be looked at", fix, host=where, warn=warn)
