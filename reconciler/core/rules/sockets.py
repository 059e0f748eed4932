"""What sockets and queues of events hold that a dump refuses, or that a restore does not put back."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.obstacles import KEEPER
from reconciler.core.rules.base import Case, Said, rule, together


@rule("process.backlog")
def backlog(case: Case) -> Iterator[Said]:
    """Connections wait to be accepted, still so after a second look: the program has stopped accepting. CRIU saves
    only connections that a process has taken, and the dump fails (\"In-flight connection\")."""
    if case.held and case.held.backlog:
        yield Said(
            f"connections to {together(case.held.backlog)} have waited for a second to be accepted",
            "find out why the program does not accept; plan again when it does, or when the clients have gone",
            host=case.origin,
        )


@rule("process.waiting-messages")
def waiting(case: Case) -> Iterator[Said]:
    """Messages wait to be read that CRIU cannot save, still so after a second: the kernel's (netlink), or those
    that say who sent them (unix sockets with SO_PASSCRED). The dump fails (\"The socket has data to read\",
    \"Control messages in queue\")."""
    if case.held and case.held.waiting:
        yield Said(
            f"messages have waited for a second to be read: {together(case.held.waiting)}",
            "plan again when the program has read them, or let it close those sockets",
            host=case.origin,
        )


@rule("process.sockets")
def strange_sockets(case: Case) -> Iterator[Said]:
    """A process has sockets of a kind that CRIU does not know. It saves unix, TCP, UDP, UDP-Lite, raw, ping,
    netlink and packet sockets; not vsock, XDP, AF_ALG, MPTCP, SCTP and others."""
    if case.held and case.held.strange_sockets:
        kinds = case.held.strange_sockets
        way = "Go programs: GODEBUG=multipathtcp=0 in the spec's env" if "MPTCP" in kinds else ""
        yield Said(
            f"a process has sockets that CRIU cannot save: {together(kinds)}",
            way or "let the program close them before the move, or use TCP, UDP or unix sockets",
            host=case.origin,
        )


@rule("process.corked")
def corked(case: Case) -> Iterator[Said]:
    """A UDP socket is corked (UDP_CORK): it collects what is written until it is uncorked. CRIU cannot read that
    out, and refuses such sockets (\"Can't dump corked dgram socket\")."""
    if case.held and case.held.corked:
        yield Said(
            "a UDP socket is corked, and CRIU cannot save what it has collected",
            "plan again: most programs cork for an instant; one that stays so has to uncork before the move",
            host=case.origin,
        )


@rule("process.unread-events", warns=True)
def unread(case: Case) -> Iterator[Said]:
    """Events of files (inotify, fanotify) wait to be read. The watches move along, what waits in their queues does
    not: a program that has not read it by the freeze never hears of those changes."""
    if case.held and case.held.unread:
        yield Said(
            f"events wait to be read ({together(case.held.unread)}), and do not move along",
            "let the program read them first, or look at the files anew after the move",
            host=case.origin,
        )


@rule("process.socket-options", warns=True)
def socket_options(case: Case) -> Iterator[Said]:
    """Sockets have options set that CRIU does not save. They are put back beside it where both hosts have Perl,
    but for a TCP_CONGESTION that the destination's kernel has not; else they are the kernel's defaults after the
    move. Found by asking the sockets themselves."""
    if not (case.held and case.held.socket_options):
        return
    if lacks := _without_perl(case):
        yield Said(
            f"socket options that do not move along: {together(case.held.socket_options, 8)}",
            f"on {lacks}: apt-get install {KEEPER}; or see whether the program minds: those it sets on each new"
            " connection come back with the next one",
            host=case.origin,
        )
    elif _MAY_LACK in case.held.socket_options:
        yield Said(
            f"sockets that chose how to avoid congestion ({_MAY_LACK}) keep it only if {case.where} has that too",
            "compare net.ipv4.tcp_available_congestion_control of both hosts, and load what lacks there, such as"
            " tcp_bbr, with modprobe",
            host=case.where,
        )


_MAY_LACK = "TCP_CONGESTION"


def _without_perl(case: Case) -> str:
    """The host that keeps what sockets have from moving along; empty where none does."""
    hosts = (case.source, case.destination)
    return next((host.name for host in hosts if host and KEEPER not in host.tools), "")


@rule("process.event-flags", warns=True)
def event_flags(case: Case) -> Iterator[Said]:
    """Queues of events have properties that CRIU does not save, and that nobody can give them afterwards: an
    eventfd that is read one by one (EFD_SEMAPHORE) gives all at once after the move, and a watch that ends with
    its first event (IN_ONESHOT) goes on."""
    if case.held and case.held.dropped:
        yield Said(
            f"properties of event queues that do not move along: {together(case.held.dropped)}",
            "see whether the program minds; restart it after the move if it does",
            host=case.origin,
        )


@rule("process.multicast", warns=True)
def multicast(case: Case) -> Iterator[Said]:
    """The workload has joined multicast groups (mDNS, SSDP, routing protocols). CRIU does not save memberships.
    Where both hosts have Perl its sockets are made members again before the program runs; else it hears nothing
    that is sent to the groups after the move, until it joins again."""
    if case.held and case.held.multicast and (lacks := _without_perl(case)):
        yield Said(
            f"it is in the multicast groups {together(case.held.multicast)}, and will not be after the move",
            f"on {lacks}: apt-get install {KEEPER}; or let the program join again after the move",
            host=case.origin,
        )


@rule("process.cards")
def cards(case: Case) -> Iterator[Said]:
    """The workload's network has cards that the engine has not given it: a VPN, a bridge, VLANs, pairs of cards,
    made by its programs or put in from outside. CRIU saves nothing of a container's network; Reconciler carries
    addresses, routes, filters and dummy cards, and nobody makes these again."""
    if case.held and case.held.cards:
        name = case.held.cards[0].partition(" ")[0]
        yield Said(
            f"its network has cards that were made there: {together(case.held.cards)}",
            f"take them away for the move (ip link del {name}) and make them again after it",
            host=case.origin,
        )


@rule("process.network", acceptable=True)
def own_network(case: Case) -> Iterator[Said]:
    """The workload's network was changed in a way that is not carried along: queues that shape or filter (`tc`),
    IPsec, IPVS, sets of addresses (ipset), next hops, neighbours that are answered for, another MAC than the
    engine has given. After the move none of that is there."""
    if case.held and case.held.network:
        yield Said(
            f"its network has what does not move along: {together(case.held.network)}",
            "take it away, or accept the rule and set it up again after the move",
            host=case.origin,
        )
