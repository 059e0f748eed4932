"""Restoring tasks from their images, at once or with memory that follows, and what comes after that."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reconciler.core import causes
from reconciler.criu import log, pagemaps
from reconciler.criu.tasks import Tasks, restore_config_file, shell
from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.base import parse_duration
from reconciler.model.command import Bytes, Command, Fence, Program, Result, Seconds
from reconciler.model.handover import Handover
from reconciler.model.plan import Phase
from reconciler.model.spec import Strategy, TcpHandling
from reconciler.resources import host_script

RESTORE_LIMIT: Seconds = 900.0
DRAIN_LIMIT: Seconds = 600.0
LOOK_AGAIN: Seconds = 2.0
ON_THEIR_WAY = 1
"""How `drain.sh` ends when its time is up and memory pages are still arriving."""
KILL_AFTER: Seconds = 3.0
"""Between asking a restore to end and ending it."""
GUARD_SLACK: Seconds = 20.0
"""What the guard may take around a command: waiting for its lock, and its answer."""
_UNMARKED = 9
"""How `restore.sh` ends, before anything, when CRIU has marked no page of a process as lazy."""
_STOPPED = (124, 137)
"""How `timeout` ends when it has stopped its command."""


def options(handover: Handover) -> tuple[str, ...]:
    """Of CRIU itself and of engines, at both a dump and a restore."""
    established = handover.policy.tcp is TcpHandling.ESTABLISHED
    return ("--file-locks", *(("--tcp-established",) if established else ()))


def arrived(handover: Handover, tasks: Tasks) -> Program[str]:
    """The folder from which memory follows the restore, arranged where a pre-copy came before; empty: none
    does."""
    if handover.move.strategy is Strategy.PRECOPY:
        yield from pagemaps.arrange(tasks)
        return "lazy"
    return "checkpoint" if handover.move.follows else ""


def without_network(tasks: Tasks) -> Program[None]:
    """What is noted of their network is not put back: they are restored into one without cards."""
    notes = (f"{tasks.images}/state/{name}" for name in ("net.cards", "sockets"))
    yield Command(("rm", "-f", "--", *notes), changes=True)


def restore(
    handover: Handover,
    fence: Fence,
    phase: Phase,
    tasks: Tasks,
    command: Sequence[str],
    *,
    addresses: Sequence[str],
    runs: Callable[[], Program[bool]],
    lazy: str = "",
    hangs: str = "CRIU",
) -> Program[None]:
    """Restore by this command; a failure carries the last errors of CRIU's log. Clients wait while this runs, so
    nothing is asked first, and one that hangs is ended at the policy's limit of a freeze. `addresses`: of the
    tasks, to keep clients' packets away from until the sockets behind them are there. `runs`: whether they
    already do, asked after a failure. `lazy`: the folder from which memory follows. `hangs`: who may hang in it,
    for people."""
    established = handover.policy.tcp is TcpHandling.ESTABLISHED
    shielded = ",".join(addresses) if established else ""
    keeper = host_script("criu", "keeper", "pl") if lazy else ""
    server = host_script("criu", "serve", "py") if lazy and handover.move.drains else ""
    limit = RESTORE_LIMIT  # going back ends nothing: these images are all there is
    if phase is Phase.COMMITTED:
        limit = min(limit, max(1.0, parse_duration(handover.policy.freeze_limit)))
    where = (tasks.home, tasks.table, tasks.cgroup, tasks.monitor)
    how = (lazy, keeper, server, shielded, restore_config_file(handover.name))
    bounded = ("timeout", f"--kill-after={KILL_AFTER:g}", f"{limit:g}")
    argv = (*bounded, *shell("restore", *where, *how, *command))
    patience = limit + KILL_AFTER + GUARD_SLACK
    try:
        done = yield from guard.run(fence, (phase,), argv, timeout=patience, ok=(0, _UNMARKED))
        if done.status == _UNMARKED:
            yield from pagemaps.mark(tasks)
            yield from guard.run(fence, (phase,), argv, timeout=patience)
    except CommandFailed as error:
        if error.status in _STOPPED:
            raise CommandFailed(
                f"{handover.name} was not restored within {limit:g} s, the policy's freezeLimit; it was ended",
                code="C341",
                where=error.where,
                why=f"{hangs} hangs there",
                fix=f"look on {error.where} at what it waits for: {hangs}, its disks, dmesg",
            ) from error
        if (yield from runs()):
            return  # done before; the reply was lost
        said = yield from log.errors(handover.name, f"{tasks.home}/restore.log")
        raise CommandFailed(
            f"{handover.name} could not be restored",
            argv=error.argv,
            exit_code=error.status,
            stderr=error.stderr,
            log_tail=said,
            where=error.where,
            why=(causes.criu_cause(said) or causes.telling(error.stderr)) + log.kept(handover, bool(said)),
        ) from error


def missing(handover: Handover, tasks: Tasks) -> Program[Bytes]:
    """After a restore that memory follows from the source: how much has not arrived yet; 0 when all has. Waits a
    little for that."""
    done = yield from _wait(handover, tasks, LOOK_AGAIN, ok=(0, ON_THEIR_WAY))
    return max(1, int(done.stdout.split()[0] if done.stdout.strip() else 1)) if done.status == ON_THEIR_WAY else 0


def drain(handover: Handover, tasks: Tasks, *, ok: tuple[int, ...] = (0,)) -> Program[None]:
    """Wait until all memory that follows a restore has arrived: until then only the source's copy is whole. With
    `ON_THEIR_WAY` in `ok` it may take longer than this waits."""
    yield from _wait(handover, tasks, DRAIN_LIMIT, ok=ok)


def _wait(handover: Handover, tasks: Tasks, seconds: Seconds, *, ok: tuple[int, ...]) -> Program[Result]:
    argv = shell("drain", tasks.home, str(round(seconds)))
    try:
        return (yield Command(argv, timeout=seconds + 30, changes=True, ok=ok))
    except CommandFailed as error:
        raise CommandFailed(
            f"not all memory of {handover.name} arrived on {handover.move.destination}",
            exit_code=error.status,
            stderr=error.stderr,
            where=error.where,
            code="C329",
            why=causes.telling(error.stderr),
        ) from error
