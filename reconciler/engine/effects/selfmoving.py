"""Moves that a runtime makes by itself: begun, watched, cancelled, and proven to have ended on one host.

The runtime decides where the workload runs, not a commit of ours. So `failed` is only said of `migrate` with the
proof that it is at the source and cannot leave it any more: the source's epoch is raised first, under which no
`begin` that arrives late is taken. What cannot be proven is lost, and asked again, by a resume too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from reconciler.engine.effects.base import Acting, Effect, keep_dossier
from reconciler.errors import CommandFailed, GuardRefused, HostError, ReconcilerError, ReplyLost
from reconciler.guard import dossier, guard
from reconciler.hosts.base import Progress, each
from reconciler.model.base import parse_duration
from reconciler.model.command import Seconds
from reconciler.model.live import OnTimeout
from reconciler.model.plan import Phase, Step, StepKind
from reconciler.model.result import HealthSeen, MovedByRuntime
from reconciler.runtimes.base import Alive, Handover, SelfMover

POLL: Seconds = 0.25
"""Between two looks at a move that is under way."""
SILENT: Seconds = 60.0
"""Longest a source may not answer meanwhile: the move itself needs nobody."""
ENDING: Seconds = 60.0
"""Longest a move may take to end after it was cancelled, or after its time was over."""


def _runtime(acting: Acting, step: Step) -> SelfMover:
    return cast(SelfMover, acting.driver(step))


async def announce(acting: Acting, step: Step) -> None:
    """Both hosts know that a hand-over has begun."""
    assert step.peer
    fence = acting.handover(step).fence
    await each(
        acting.on(step.peer, guard.mark(fence, Phase.RESERVED, "source", run=acting.run, peer=step.host)),
        acting.on(step.host, guard.mark(fence, Phase.RESERVED, "destination", run=acting.run, peer=step.peer)),
    )
    await keep_dossier(acting, step, step.host, step.peer)


async def stay(acting: Acting, step: Step) -> None:
    """It stays at the source, which is proven first, and nothing of it at the destination; all that as far as the
    hand-over is this run's."""
    assert step.peer
    handover, driver = acting.handover(step), _runtime(acting, step)
    for host in (step.peer, step.host):
        await _remember(acting, handover, host)
    one = _Migration(acting, handover, driver, lambda _: None)
    try:
        stays = await one.stays()
    except GuardRefused as refused:
        if refused.code != guard.OTHER_RUN:
            raise
        return
    if not stays:
        raise CommandFailed(f"{step.workload} has moved to {step.host}", code="C346", where=step.host)
    if await _claim(acting, handover, step.host, Phase.FENCED):
        await acting.on(step.host, driver.drop(handover, handover.after))
    if await _claim(acting, handover, step.peer, Phase.RUNNING):
        await acting.on(step.peer, driver.keep(handover, handover.after))


async def _remember(acting: Acting, handover: Handover, host: str) -> None:
    """A host that never heard of the hand-over gets its dossier before a mark: nobody could end that else."""
    shown = await acting.on(host, guard.show(handover.name))
    marker = shown[0].marker if shown else None
    if marker is None or marker.epoch < handover.move.epoch:
        await acting.on(host, guard.install())
        await acting.on(host, dossier.write(acting.plan, handover.name, acting.run))


async def _claim(acting: Acting, handover: Handover, host: str, phase: Phase) -> bool:
    """Mark a host under the epoch after the move's; False where another run has it. A higher epoch alone would
    take it from a controller that was faster under the same one: so this run's own mark is asked for first."""
    move = handover.move
    role: guard.Role = "source" if host == move.source else "destination"
    peer = move.destination if host == move.source else move.source
    ours = {"run": acting.run, "peer": peer}
    try:
        with _unless_lower():
            await acting.on(host, guard.mark(handover.fence, Phase.RESERVED, role, **ours))
        role = "owner" if phase is Phase.RUNNING else role
        await acting.on(host, guard.mark(handover.after, phase, role, **ours))
    except GuardRefused as refused:
        if refused.code not in (guard.OTHER_RUN, guard.LOWER_EPOCH):
            raise
        return False
    return True


@contextmanager
def _unless_lower() -> Iterator[None]:
    """It may have been marked under the next epoch before."""
    try:
        yield
    except GuardRefused as refused:
        if refused.code != guard.LOWER_EPOCH:
            raise


async def migrate(acting: Acting, step: Step, progress: Progress) -> MovedByRuntime | None:
    """CommandFailed: it is proven to be at the source; ReplyLost: nobody knows. Where it is cancelled too late it
    has arrived, which is said like any other arrival."""
    one = _Migration(acting, acting.handover(step), _runtime(acting, step), progress)
    interrupted = None
    try:
        why = await one.course()
    except asyncio.CancelledError as cancelled:
        why, interrupted = "interrupted", cancelled
    except ReconcilerError as error:
        why = str(error)
    if why and await _whatever_comes(one.stays()):
        if interrupted:
            raise interrupted
        name, source = step.workload, one.handover.move.source
        fix = f"see why, then: reconcile apply; the engine's own log is on {source}"
        raise CommandFailed(f"{name} stays on {source}", code="C345", where=source, why=why, fix=fix)
    return one.told


async def _whatever_comes(answer: asyncio.Future[bool]) -> bool:
    """The answer, although whoever waits for it is cancelled meanwhile."""
    while True:
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            if answer.cancelled():
                raise


@dataclass
class _Migration:
    """One move by its runtime."""

    acting: Acting
    handover: Handover
    driver: SelfMover
    progress: Progress

    def __post_init__(self) -> None:
        self.source, self.destination = self.handover.move.source, self.handover.move.destination
        self.told: MovedByRuntime | None = None

    async def course(self) -> str:
        """To its end; why it has not arrived, empty when it has. One that is under way is only watched."""
        stands = await self.acting.on(self.source, self.driver.progress(self.handover))
        if not stands.moving:
            here, there = await self._look()
            if _arrived(here, there):
                return ""
            if not (there and there.running):
                return f"it does not run on {self.source} any more"
            await self.acting.on(self.destination, self.driver.receive(self.handover))
            await self.acting.on(self.source, self.driver.begin(self.handover))
        why, ended = await self._watched()
        if ended and _arrived(*await self._look()):
            return ""
        return why or "the engine ended the move and did not say why"

    async def _watched(self) -> tuple[str, bool]:
        """What the engine said, and whether the move has ended; else it took too long."""
        clock, live = asyncio.get_running_loop().time, self.handover.policy.live
        began = heard = clock()
        most, last = parse_duration(live.within) + (0 if live.on_timeout is OnTimeout.ABORT else ENDING), ""
        while True:
            try:
                stands = await self.acting.on(self.source, self.driver.progress(self.handover))
            except HostError:
                if clock() - heard > SILENT:
                    raise
            else:
                heard = clock()
                self.told = MovedByRuntime(moved_bytes=stands.done, seconds=round(heard - began, 3))
                self.progress(stands.done)
                if not stands.moving:
                    return stands.why, True
                last = f"; it was {stands.phase} last" if stands.phase else ""
            if clock() - began > most:
                return f"it took longer than {live.within}{last}", False
            await asyncio.sleep(POLL)

    def stays(self) -> asyncio.Future[bool]:
        """Whether it stays at the source; False: it has arrived. Not cut short by a cancel."""
        return asyncio.ensure_future(self._stays())

    async def _stays(self) -> bool:
        clock, on = asyncio.get_running_loop().time, self.acting.on
        try:
            if not await _claim(self.acting, self.handover, self.source, Phase.RESERVED):
                raise GuardRefused(
                    f"another controller has {self.handover.name} by now",
                    code=guard.OTHER_RUN,
                    where=self.source,
                    fix="see how it stands: reconcile status",
                )
            await on(self.source, self.driver.cancel(self.handover))
            ends = clock() + ENDING
            while (await on(self.source, self.driver.progress(self.handover))).moving:
                if clock() > ends:
                    raise HostError("the move goes on although it was cancelled", where=self.source)
                await asyncio.sleep(POLL)
            return not _arrived(*await self._look())
        except ReplyLost:
            raise
        except ReconcilerError as error:
            if isinstance(error, GuardRefused) and error.code == guard.OTHER_RUN:
                raise
            name = self.handover.name
            raise ReplyLost(
                f"whether {name} runs on {self.source} or {self.destination} cannot be told",
                where=self.source,
                why=str(error),
                fix="make both reachable, then: reconcile resume",
            ) from error

    async def _look(self) -> tuple[Alive | None, Alive | None]:
        """What is at the destination and at the source; None for a host that does not answer while the other one
        runs it. One that is ending is waited for. ReplyLost where both run it."""
        name, hosts = self.handover.name, (self.destination, self.source)
        clock = asyncio.get_running_loop().time
        ends = clock() + ENDING
        while True:
            looks = (self.acting.on(host, self.driver.alive(name)) for host in hosts)
            found = await asyncio.gather(*looks, return_exceptions=True)
            seen = [one if isinstance(one, Alive) else None for one in found]
            running = {host: one for host, one in zip(hosts, seen, strict=True) if one and one.running}
            if len(running) < 2 or clock() > ends or not any(one.ending for one in running.values()):
                break
            await asyncio.sleep(POLL)
        if len(running) > 1:
            where = " and ".join(running)
            why = "; ".join(f"{host}: {one.detail}" for host, one in running.items() if one.detail)
            fix = "see what ends it: reconcile status"
            raise ReplyLost(f"{name} runs on {where}", where=where, why=why, fix=fix)
        error = next((one for one in found if isinstance(one, BaseException)), None)
        if error and not running:
            raise error
        return seen[0], seen[1]


def _arrived(here: Alive | None, there: Alive | None) -> bool:
    """Whether the destination has it. One that has ended meanwhile belongs to where its definition is."""
    if here and here.running:
        return True
    if there is None or there.running:
        return False
    return bool(here and here.exists and not there.exists)


async def settle(acting: Acting, step: Step, progress: Progress) -> HealthSeen | None:
    """The destination is the owner, and nothing of it is left at the source."""
    assert step.peer
    handover, driver = acting.handover(step), _runtime(acting, step)
    after, run = handover.after, acting.run
    there = await _left(acting, step, driver)
    if there.running:
        raise CommandFailed(f"{step.workload} runs on {step.peer}", code="C346", where=step.peer, why=there.detail)
    await acting.on(step.host, guard.mark(after, Phase.RUNNING, "owner", run=run, peer=step.peer))
    await acting.on(step.host, driver.keep(handover, after))
    await acting.on(step.peer, guard.mark(after, Phase.RETIRED, "source", run=run, peer=step.host))
    await acting.on(step.peer, driver.drop(handover, after))
    if check := handover.workload.spec.health:
        try:
            await acting.on(step.host, driver.health(step.workload, check, handover.workload.spec.address))
        except CommandFailed as error:
            return HealthSeen(unhealthy=str(error))
    return None


async def _left(acting: Acting, step: Step, driver: SelfMover) -> Alive:
    """What is at the source, once that has ended which is ending."""
    assert step.peer
    clock = asyncio.get_running_loop().time
    ends = clock() + ENDING
    while True:
        there = await acting.on(step.peer, driver.alive(step.workload))
        if not (there.running and there.ending) or clock() > ends:
            return there
        await asyncio.sleep(POLL)


EFFECTS = {
    StepKind.MIGRATE: Effect(migrate),
    StepKind.SETTLE: Effect(settle),
}
