"""Daemons that run already: taking them into a control group of their own, letting them go, and what their moves
need beyond those of trees that we have started. They are never started, nor ended but by a move."""

from __future__ import annotations

from reconciler.core import answers
from reconciler.core.unattached import words
from reconciler.errors import Refused
from reconciler.guard import guard, notes
from reconciler.model.attach import Attach
from reconciler.model.command import Fence, Program, Seconds
from reconciler.model.handover import Handover
from reconciler.model.plan import Phase
from reconciler.model.spec import Cutover, TcpHandling
from reconciler.resources import host_script
from reconciler.runtimes.process import places

LIMIT: Seconds = 60.0
UNATTACHED = "P456"
_CANNOT = 3
"""How `adopt.sh` ends at what it must not take, or does not find."""
Phases = tuple[Phase | str, ...]


def adopt(name: str, attach: Attach, fence: Fence) -> Program[None]:
    argv = places.shell("adopt", places.home(name), *attach.by)
    done = yield from guard.run(fence, guard.LIVE, argv, timeout=LIMIT, ok=(0, _CANNOT))
    if done.status == _CANNOT:
        message, fix = words(answers.shown(done.stdout.strip(), "why it cannot be attached to"), attach.by)
        raise Refused(f"{name} cannot be attached to: {message}", code=UNATTACHED, fix=fix)


def let_go(name: str, fence: Fence, phases: Phases, *, remove: bool = False) -> Program[None]:
    """It runs on; with `remove` nothing of ours stays."""
    argv = places.shell("let-go", places.home(name), *(("remove",) if remove else ()))
    yield from guard.run(fence, phases, argv, timeout=LIMIT)


def show_pid(name: str, attach: Attach, fence: Fence, phases: Phases) -> Program[None]:
    """Its first process is where others look for it."""
    if attach.pidfile:
        yield from guard.run(fence, phases, places.shell("pidfile", places.home(name), attach.pidfile))


def hide_pid(name: str, attach: Attach, fence: Fence, phases: Phases) -> Program[None]:
    if attach.pidfile:
        yield from guard.run(fence, phases, places.shell("pidfile", places.home(name), attach.pidfile, "gone"))


def check(handover: Handover, attach: Attach) -> None:
    """Refused where its move could not go back, or would lose connections."""
    name = handover.name
    if handover.move.cutover is not Cutover.TRANSACTIONAL:
        raise Refused(
            f"{name} shares its host's network, so it can only move with the cut-over `transactional`",
            code="P457",
            fix="see why that cannot be had on the source: reconcile plan",
        )
    if handover.policy.tcp is TcpHandling.ESTABLISHED and not attach.addresses:
        raise Refused(
            f"{name} has no address of its own, so its connections cannot move along",
            code="P448",
            fix="give `attach.addresses`, or move it with a policy that has tcp: close",
        )


def note_addresses(name: str, attach: Attach) -> Program[None]:
    """For the hook, which takes them from the source and may give them back."""
    lines = "".join(f"{address.ip} {address.card}\n" for address in attach.addresses)
    yield from notes.write(name, "announce", host_script("process", "announce", "pl").encode())
    yield from notes.write(name, "addresses", lines.encode())
