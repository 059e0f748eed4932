"""Daemons that run already, in their hosts' own namespaces: what they are, and what their moves need."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.obstacles import can_hold
from reconciler.core.rules.base import Case, Said, rule, together
from reconciler.core.unattached import words
from reconciler.model.attach import Attach, FoundTree
from reconciler.model.plan import ChangeKind
from reconciler.model.spec import Cutover, TcpHandling
from reconciler.model.world import HostFacts, TreeFacts


def _attach(case: Case) -> Attach | None:
    wanted = case.workload.spec.process if case.workload else None
    return wanted.attach if wanted else None


def _taken_up(case: Case) -> tuple[HostFacts | None, FoundTree | None]:
    """The host on which it is about to be attached to, and what is there."""
    if case.change.kind not in (ChangeKind.CREATE, ChangeKind.START):
        return None, None
    host = case.destination or case.source
    there = host.preflight if host else None
    return host, there.found.get(case.change.workload) if there else None


def _looked_at(case: Case) -> FoundTree | None:
    """What is to be attached to, of which a plan tells what would keep it from moving; or what moves."""
    if case.moves:
        return case.instance.found if isinstance(case.instance, TreeFacts) else None
    _, found = _taken_up(case)
    return None if found is None or found.problem else found


def _said(case: Case, message: str, fix: str) -> Said:
    """A reason against a move; while it stays where it is, a warning that it will be one."""
    host, _ = _taken_up(case)
    if host is None:
        return Said(message, fix, host=case.origin)
    return Said(f"it could not move: {message}", fix, host=host.name, warn=True)


@rule("attach.found")
def found_there(case: Case) -> Iterator[Said]:
    """What is attached to has to run already, and to be one daemon of the host itself: by a pidfile that only root
    or its own user can write, or a systemd service that systemd does not start again by itself. The host's first
    process, the kernel's, what Reconciler reaches the host through, and what is in a container are refused."""
    attach = _attach(case)
    host, found = _taken_up(case)
    if attach and host and found and found.problem:
        message, fix = words(found.problem, attach.by)
        yield Said(f"it cannot be attached to: {message}", fix, host=host.name)


@rule("attach.tree")
def tree(case: Case) -> Iterator[Said]:
    """CRIU takes a process with all that it has started. What has left that tree, or is led by a process outside
    of it, belongs to a terminal, or runs a program whose file is gone, cannot be taken along."""
    found = _looked_at(case)
    if found is None:
        return
    name = found.program or "it"
    if found.strays:
        yield _said(
            case,
            f"processes of it are not below {name} (process {found.pid}) any more: {_ids(found.strays)}",
            "end them, or start it so that it stays one tree, then apply again",
        )
    if found.sessions:
        yield _said(
            case,
            f"it is in the session of another process: {_ids(found.sessions)}",
            "start it as a daemon: with its own option for that, or by setsid",
        )
    if found.terminals:
        yield _said(
            case, f"it has a terminal: {together(found.terminals)}", "start it without one: setsid, </dev/null"
        )
    if found.deleted:
        yield _said(
            case,
            f"it runs what is not on the disk any more, as after an upgrade: {together(found.deleted)}",
            "restart it, then apply again",
        )


@rule("attach.files")
def files(case: Case) -> Iterator[Said]:
    """Files that it writes go along in the folders that its spec names. One that is open to write and lies in none
    of them would be missing, or another one, on its new host."""
    attach, found = _attach(case), _looked_at(case)
    if attach is None or found is None:
        return
    inside = tuple(f"{folder}/" for folder in attach.folders)
    if left := [path for path in found.writes if not path.startswith(inside)]:
        yield _said(
            case,
            f"it writes files that do not go along: {together(left)}",
            "name their folders in `attach.folders`",
        )


@rule("attach.boot")
def boot(case: Case) -> Iterator[Said]:
    """A daemon that its host starts at boot would run there again, beside the one that has moved away, as soon as
    that host boots."""
    found = _looked_at(case)
    if found and found.unit and found.enabled in ("enabled", "enabled-runtime", "generated", "alias"):
        yield _said(
            case,
            f"systemd starts {found.unit} at boot, which would be a second copy once it has moved",
            f"systemctl disable {found.unit}",
        )


@rule("attach.ids")
def ids(case: Case) -> Iterator[Said]:
    """It lives among its host's own processes, and its processes and threads keep their numbers: these must be
    free on the new host. Numbers are given anew at every start, so another start may have others."""
    if not (case.moves and _attach(case) and case.ahead):
        return
    taken = [f"{number} ({program})" for number, program in sorted(case.ahead.tree.taken.items())]
    if taken:
        yield Said(
            f"numbers of its processes are taken on {case.where}: {together(taken)}",
            f"restart what has them on {case.where}, or restart it on {case.origin}, then plan again",
        )
    if case.ahead.tree.above:
        yield Said(
            f"{case.where} gives no process numbers like its own: {_ids(case.ahead.tree.above)}",
            f"raise kernel.pid_max on {case.where} to what {case.origin} has",
        )


@rule("attach.address")
def address(case: Case) -> Iterator[Said]:
    """Connections go along on an address that hosts have for this workload alone (`attach.addresses`), which is
    taken from one host and given to the other. Those to the host's own addresses, or over loopback, cannot."""
    attach, found = _attach(case), _looked_at(case)
    if attach is None or found is None:
        return
    own = {one.ip for one in attach.addresses}
    if case.policy.tcp is TcpHandling.ESTABLISHED and (others := sorted(set(found.peers) - own)):
        yield _said(
            case,
            f"it has connections on addresses that do not go along: {together(others)}",
            "name them in `attach.addresses` if they are its own, let it close them, or move it with a policy"
            " that has tcp: close",
        )
    if not (case.moves and case.ahead):
        return
    if missing := sorted({one.card for one in attach.addresses} - set(case.ahead.tree.cards)):
        yield Said(f"{case.where} has no card {together(missing)}", "name one that both hosts have")
    if there := sorted(own & set(case.ahead.tree.addresses)):
        yield Said(
            f"{case.where} has {together(there)} already",
            f"take it away there: ip addr del {there[0]}/32 dev {attach.addresses[0].card}",
        )


@rule("attach.cutover")
def cutover(case: Case) -> Iterator[Said]:
    """What shares its host's network can only be held, not ended and brought back: the cut-over
    `transactional`."""
    if not (case.moves and _attach(case) and case.instance and case.source):
        return
    obstacle = can_hold(case.instance, case.source)
    if case.policy.cutover is Cutover.RESTORE_BACK or (case.policy.cutover is Cutover.AUTO and obstacle):
        yield Said(
            "it can only move with the cut-over `transactional`",
            "leave `cutover` out of its policy, on hosts with control groups of version 2",
            host=case.origin,
        )


@rule("attach.anew")
def anew(case: Case) -> Iterator[Said]:
    """Reconciler has not started it, and so neither stops it nor starts it anew."""
    ours = isinstance(case.instance, TreeFacts) and case.instance.attached
    if case.change.kind is ChangeKind.RECREATE and (ours or _attach(case)):
        yield Said(
            "it cannot be made anew: it is attached to, or shall be",
            "set state: absent and apply, which lets it go, then declare it as it should be",
            host=case.origin,
        )
    if case.change.kind is ChangeKind.STOP and _attach(case):
        yield Said("it cannot be stopped: it is only attached to", "stop it as it was started", host=case.origin)


@rule("attach.let-go", warns=True)
def let_go(case: Case) -> Iterator[Said]:
    """What is only attached to is not ended where its workload is removed: it runs on, and Reconciler forgets
    it."""
    if case.change.kind is ChangeKind.REMOVE and isinstance(case.instance, TreeFacts) and case.instance.attached:
        yield Said("it is let go, and runs on", "end it as it was started, if it should end", host=case.origin)


def _ids(numbers: tuple[int, ...]) -> str:
    return together([str(number) for number in numbers])
