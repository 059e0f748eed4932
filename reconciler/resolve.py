"""Decide a hand-over that no machine can decide, on a person's evidence: who owns it, or that nothing is left.

Everything is done under a new epoch, so that nothing of the hand-over that arrives late has any effect.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.compose import drivers, open_fleet, run_state
from reconciler.core.diff import Index
from reconciler.core.saga import next_actions
from reconciler.drivers import dossier, guard
from reconciler.drivers.base import Alive, Driver, Fence, Handover
from reconciler.errors import HostError, InputError, ReconcilerError, Refused
from reconciler.execute import Outcome
from reconciler.hosts.base import Fleet, pump
from reconciler.lease import fleet_leases
from reconciler.model.plan import Phase, Plan
from reconciler.model.record import Mark
from reconciler.model.spec import Spec
from reconciler.model.world import World
from reconciler.observe import observe
from reconciler.state.identity import owner
from reconciler.state.journal import Journal


async def resolve(spec: Spec, workload: str, chosen: str | None, evidence: str, journal_path: Path | None) -> str:
    """`reconcile resolve`: give an in-doubt workload to host `chosen`, or with None give it up as lost. A host
    that answers and contradicts the evidence makes this a refusal. Returns what was done, in a sentence."""
    if not evidence.strip():
        raise InputError(
            "resolve needs evidence", fix='say how you know: --evidence "h2 is powered off, seen at its console"'
        )
    if chosen is not None and chosen not in spec.hosts:
        raise InputError(f"no spec defines host {chosen}", fix=f"one of: {', '.join(sorted(spec.hosts))}")
    with Journal.open(journal_path) as journal, journal.locked("apply", owner()):
        async with open_fleet(spec) as fleet, fleet_leases(fleet, spec.hosts, owner()):
            world = await observe(fleet, drivers(), list(spec.hosts))
            plan, run = await _known_handover(fleet, world, workload, journal)
            handover = Handover(plan.workloads[workload], plan.moves[workload], plan.policy_of(workload), run)
            driver = drivers()[handover.workload.spec.runtime]
            decision = Decision(handover, driver, fleet, world, journal, evidence)
            return await (decision.give_up() if chosen is None else decision.give_to(chosen))


async def _known_handover(fleet: Fleet, world: World, workload: str, journal: Journal) -> tuple[Plan, str]:
    for run in journal.open_runs():
        if workload in run.plan.moves:
            return run.plan, run.id
    for host in world.seen():
        kept = await pump(dossier.read(workload), fleet.host(host))
        if kept and workload in kept[1].moves:
            return kept[1], kept[0]
    raise Refused(f"no hand-over of {workload} is known, here or on a host that answers", fix="reconcile status")


@dataclass
class Decision:
    """One hand-over, to be decided on `evidence`."""

    handover: Handover
    driver: Driver
    fleet: Fleet
    world: World
    journal: Journal
    evidence: str

    def __post_init__(self) -> None:
        index, name = Index.of(self.world), self.handover.name
        move = self.handover.move.model_copy(update={"epoch": index.epoch(name) + 1})
        newest = max((m for _, m in index.markers.get(name, ())), key=lambda m: m.epoch, default=None)
        run = newest.run if newest and newest.run else self.handover.run  # hosts refuse others
        self.handover = replace(self.handover, move=move, run=run)

    async def give_to(self, chosen: str) -> str:
        """The other side is fenced first, where it answers."""
        name, move = self.handover.name, self.handover.move
        if chosen not in (move.source, move.destination):
            raise Refused(
                f"{chosen} has no part in the hand-over of {name}",
                fix=f"the owner is {move.source} or {move.destination}",
            )
        if chosen not in self.world.seen():
            raise HostError(f"{chosen} was not seen", where=chosen, fix="make it reachable first")
        other = move.source if chosen == move.destination else move.destination
        seen_other = other in self.world.seen()
        here = await self._alive(chosen)
        if not (here.running or here.restorable):
            raise Refused(
                f"{chosen} has no copy of {name} that runs or can be brought back",
                where=chosen,
                why=here.detail,
                fix="see what status says: reconcile status",
            )
        if seen_other:
            there = await self._alive(other)
            if there.running and not here.running:
                self._refuse_running(other)
            await self._fence_off(other)
        if chosen == move.source:
            await self._claim_committed(other)
            await pump(self.driver.resume(self.handover, Fence(name, move.epoch)), self.fleet.host(chosen))
        else:
            await self._finish(seen_other)
        left = await self._tidy(unstage=chosen == move.source and seen_other)
        self._note(Mark.UNDONE if chosen == move.source else Mark.DONE, f"{chosen} owns it")
        fenced = f"{other} is fenced" if seen_other else f"{other} was not asked: {self.evidence}"
        return f"{name} belongs to {chosen} and runs there; {fenced}{left}"

    async def _claim_committed(self, other: str) -> None:
        """The other side is fenced, or known to be gone: so a committed source may be told to resume."""
        move, run = self.handover.move, self.handover.run
        found = dict(Index.of(self.world).markers.get(self.handover.name, ())).get(move.source)
        if found and found.phase == Phase.COMMITTED:
            back = guard.mark(self.handover.fence, Phase.VERIFIED, "source", run=run, peer=other)
            await pump(back, self.fleet.host(move.source))

    async def _finish(self, source_seen: bool) -> None:
        """The destination is the owner: bring the hand-over to its end. A held source is let go last."""
        move = self.handover.move
        there = self.fleet.host(move.destination)
        await pump(self.driver.commit_destination(self.handover), there)
        await pump(self.driver.restore(self.handover), there)
        await pump(self.driver.confirm(self.handover), there)
        if source_seen:
            await pump(self.driver.retire(self.handover), self.fleet.host(move.source))
        await pump(self.driver.finish(self.handover), there)

    async def give_up(self) -> str:
        """Nothing is left anywhere: settle the hand-over, so that the next apply makes the workload from its spec.
        What is left of the source's container, its files and volumes, is fenced and kept."""
        name, move, seen = self.handover.name, self.handover.move, sorted(self.world.seen())
        for host in seen:
            alive = await self._alive(host)
            if alive.running:
                self._refuse_running(host)
            if alive.restorable:
                raise Refused(
                    f"{name} is not lost: it can be brought back on {host}",
                    where=host,
                    why=alive.detail,
                    fix=f"reconcile resolve {name} --owner {host} --evidence TEXT",
                )
        concerned = {move.source, move.destination} | {h for h, _ in Index.of(self.world).markers.get(name, ())}
        fenced = [host for host in seen if host in concerned]
        if not fenced:
            raise HostError(f"no host of the hand-over of {name} was seen", fix="make one of them reachable first")
        for host in fenced:
            await self._fence_off(host)
        # What was copied to the destination is a second copy only as long as the source's files are there.
        left = await self._tidy(unstage={move.source, move.destination} <= set(seen))
        self._note(Mark.UNDONE, "it is lost")
        kept = f"; what is left of its container on {move.source} is kept" if move.source in fenced else ""
        return f"{name} is given up on {' and '.join(fenced)}{kept}{left}; make it anew: reconcile apply"

    async def _tidy(self, *, unstage: bool) -> str:
        """What only the hand-over needed: the link and its key, with `unstage` the destination's container and the
        memory for its images. Says what is left; that takes nothing back of the decision."""
        move, left = self.handover.move, []
        if unstage:
            try:
                await pump(self.driver.unstage(self.handover), self.fleet.host(move.destination))
            except ReconcilerError as error:
                left.append(f"{move.destination} remains to be tidied: {error}")
        try:
            await self.fleet.close_link(move.source, move.destination, f"{self.handover.run}-{self.handover.name}")
        except ReconcilerError as error:
            left.append(f"{error}" + (f" ({error.fix})" if error.fix else ""))
        return "".join(f"; {text}" for text in left)

    async def _alive(self, host: str) -> Alive:
        return await pump(self.driver.alive(self.handover.name), self.fleet.host(host))

    async def _fence_off(self, host: str) -> None:
        await pump(self.driver.fence_off(self.handover, self.handover.move.epoch), self.fleet.host(host))

    def _refuse_running(self, host: str) -> None:
        name = self.handover.name
        raise Refused(
            f"{host} answers, and {name} runs there",
            where=host,
            fix=f"reconcile resolve {name} --owner {host} --evidence TEXT",
        )

    def _note(self, mark: Mark, what: str) -> None:
        """End the workload's part of every run that knows it; other workloads of a run stay as they are."""
        now, name = time.time(), self.handover.name
        note = f"resolved by {owner()}: {what}; evidence: {self.evidence}"
        for run in self.journal.open_runs():
            if name not in run.plan.moves:
                continue
            for step in run.plan.steps:
                if step.workload == name:
                    self.journal.append(run.id, step.id, mark, now, note if step.kind.traits.commits else "")
            groups = next_actions(run.plan, self.journal.run(run.id).records).groups
            if all(state.ended for state in groups.values()):
                self.journal.end(run.id, run_state(Outcome(dict(groups), {})), now)
