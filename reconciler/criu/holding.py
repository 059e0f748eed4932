"""Holding a source: CRIU dumps it, and its action script keeps it frozen over complete images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reconciler.core.causes import criu_cause, telling
from reconciler.core.lines import numbers
from reconciler.criu import log
from reconciler.criu.tasks import Tasks, shell
from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.base import parse_duration
from reconciler.model.command import Program, Seconds
from reconciler.model.handover import Handover, Held
from reconciler.model.plan import Phase
from reconciler.model.spec import Cutover
from reconciler.resources import host_script

DUMP_LIMIT: Seconds = 900.0
RELEASE_LIMIT: Seconds = 120.0
_UNUSABLE = 3
"""How `held.sh` ends when the source is held and its images cannot be used."""


def hold(
    handover: Handover,
    tasks: Tasks,
    argv: Sequence[str],
    *,
    fence_network: bool = True,  # its addresses may come up elsewhere while it is held
    lives_on: Callable[[], Program[str]],
    under: Sequence[str] = (),
    addresses: Sequence[str] = (),
) -> Program[Held]:
    """Hold it by this dump. `lives_on`: what it is afterwards when it is not held; empty when it runs on.
    `under`: a command that gets the guard's as its last arguments, and ends with 3 when images cannot be used.
    `addresses`: those that it was given here."""
    name = handover.name
    dump_log = f"{tasks.home}/dump.log"
    try:
        outcome = yield from guard.hold(
            handover.fence,
            argv,
            cutover=handover.move.held_by_us,
            silence_s=parse_duration(handover.policy.silence_limit),
            freeze_s=parse_duration(handover.policy.freeze_limit),
            fence_network=fence_network,
            run=handover.run,
            peer=handover.move.destination,
            timeout=DUMP_LIMIT,  # the guard gives up earlier, by the policy's limit
            log=dump_log,
            under=(*_split(handover, tasks), *_around(handover, tasks, addresses), *under),
        )
    except CommandFailed as error:
        if error.status != _UNUSABLE:
            raise
        raise CommandFailed(
            f"what CRIU saved of {name} cannot be used",
            argv=error.argv,
            exit_code=error.status,
            stderr=error.stderr,
            where=error.where,
            code="C310",
            why=telling(error.stderr),
        ) from error
    if outcome.what == "resumed" or (outcome.what == "exited" and outcome.status != 0):
        errors = yield from log.errors(name, dump_log)
        became = yield from lives_on()
        after = f"it does NOT run: {became}" if became else "it runs on"
        raise CommandFailed(
            f"{name} could not be held on {handover.move.source}; {after}",
            exit_code=outcome.status,
            stderr=outcome.tail,
            log_tail=errors or outcome.tail,
            code="C310",
            why=(criu_cause(errors) or telling(outcome.tail)) + log.kept(handover, bool(errors)),
        )
    sizes = numbers(outcome.tail, ("bytes", "freeze_us"))
    return Held(image_bytes=sizes["bytes"], freeze_s=sizes["freeze_us"] / 1e6)


def _split(handover: Handover, tasks: Tasks) -> tuple[str, ...]:
    """What travels before the commit is set apart from pages that follow later."""
    return shell("split", tasks.home, host_script("criu", "split", "py")) if handover.move.drains else ()


def _around(handover: Handover, tasks: Tasks, addresses: Sequence[str]) -> tuple[str, ...]:
    folder = guard.workload_dir(handover.name)
    held = "held" if handover.move.cutover is Cutover.TRANSACTIONAL else ""
    return shell("held", tasks.home, folder, tasks.cgroup, tasks.monitor, held, ",".join(addresses))


def let_go(handover: Handover) -> Program[bool]:
    """What is held ends here, for the destination runs. False where the source is retired already."""
    name, fence, run = handover.name, handover.fence, handover.run
    marker = yield from guard.marker(name)
    if marker is not None and marker.phase == Phase.RETIRED and marker.epoch == fence.epoch:
        return False
    if marker is None:
        # Deleted. Who lets go has proof that the destination runs, which is what it would say.
        yield from guard.mark(fence, Phase.COMMITTED, "source", run=run, peer=handover.move.destination)
    yield from guard.release(fence, timeout=RELEASE_LIMIT)
    return True
