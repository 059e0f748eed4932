"""Decide what no machine can decide, on a person's evidence: who owns a workload, that nothing is left of it, or
that a host is gone for good.

Everything is done under a new epoch, so that nothing of the hand-over that arrives late has any effect. A decision
can be repeated, or another one made, after any failure in its middle: what is checked comes before anything is
changed, the other side is fenced before something is started, and nothing is removed before the owner runs.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from reconciler.commands.compose import Outside, run_state
from reconciler.commands.decided import Decided
from reconciler.commands.following import not_arrived
from reconciler.core.index import Index
from reconciler.core.saga import Saga, unended, unended_in
from reconciler.core.standing import best_owner
from reconciler.engine.execute import Outcome
from reconciler.engine.observe import SAME_MACHINE
from reconciler.engine.survey import Open, Survey, alive, take_survey
from reconciler.errors import HostError, InputError, ReconcilerError, Refused
from reconciler.guard import guard
from reconciler.hosts.base import pump
from reconciler.model.command import Fence, Program
from reconciler.model.event import Untidied
from reconciler.model.plan import Move, Phase
from reconciler.model.record import Mark
from reconciler.model.spec import Cutover, MigrationPolicySpec, Spec, Strategy
from reconciler.model.world import ContainerFacts
from reconciler.runtimes import registry
from reconciler.runtimes.base import Alive, Handover, PostCopies, SelfMover, Transactional
from reconciler.runtimes.ending import ByLifecycle, EndsHandovers
from reconciler.state.identity import owner
from reconciler.state.store import Awaited, Store

T = TypeVar("T")


async def decide(
    spec: Spec,
    workload: str,
    chosen: str | None,
    evidence: str,
    outside: Outside,
    journal: Store,
    *,
    cold: bool = False,
) -> Decided:
    """`resolve`, on a fleet that is there and leased."""
    async with Awaited(journal).locked(workload, owner()):
        survey = await take_survey(outside.fleet, outside.drivers, spec.places, journal)
        found = survey.open.get(workload)
        await outside.narrow((found.hosts | {chosen or ""}) & survey.world.seen().keys() if found else ())
        return await _decide(spec, workload, chosen, evidence, outside, journal, survey, cold=cold)


async def _decide(
    spec: Spec,
    workload: str,
    chosen: str | None,
    evidence: str,
    outside: Outside,
    journal: Store,
    survey: Survey,
    *,
    cold: bool = False,
) -> Decided:
    found = survey.open.get(workload)
    if found is None:
        _refuse_unknown(workload, spec, survey, journal)
        raise Refused(
            f"nothing is in doubt about {workload}",
            why=_well(survey, workload),
            fix="see how everything stands: reconcile status",
        )
    for host, marker in sorted(found.matter.markers.items()):
        if marker.newer:
            raise Refused(f"the marker of {workload} cannot be replaced", where=host, why=marker.broken)
    decision = Decision(spec, found, outside, survey, journal, evidence)
    return await (decision.give_up() if chosen is None else decision.give_to(chosen, cold=cold))


async def bury(spec: Spec, host: str, evidence: str, outside: Outside, journal: Store) -> list[Decided]:
    """`forget`, on a fleet that is there and leased."""
    async with Awaited(journal).locked(unended_in(journal.open_runs()), owner()):
        return await _bury(spec, host, evidence, outside, journal)


async def _bury(spec: Spec, host: str, evidence: str, outside: Outside, journal: Store) -> list[Decided]:
    survey = await take_survey(outside.fleet, outside.drivers, spec.places, journal)
    if host in survey.world.seen():
        raise Refused(f"{host} answers", where=host, fix="finish what is open with it: reconcile status")
    unknown = survey.world.unknown().get(host)
    if unknown and unknown.code == SAME_MACHINE:
        raise Refused(f"{host} answers: {unknown.reason}", where=host, fix="take one of them out of the specs")
    if host not in spec.hosts and not any(host in found.matter.unknown for found in survey.open.values()):
        raise _nobody_knows("host", host, spec.hosts.keys())
    done, concerned = [], {name: found for name, found in survey.open.items() if host in found.matter.unknown}
    needed = {each for found in concerned.values() for each in found.hosts}
    await outside.narrow(needed & survey.world.seen().keys())
    for name, found in concerned.items():
        chosen, how = best_owner(replace(found.matter, unknown=frozenset()))
        if "--cold" in how:
            done.append(Decided(name, open=True, next=f"reconcile resolve {name} {how} --evidence TEXT"))
            continue
        done.append(await _decide(spec, name, chosen or None, evidence, outside, journal, survey))
    return done


def _refuse_unknown(workload: str, spec: Spec, survey: Survey, journal: Store) -> None:
    """InputError for a name that specs, hosts and journal do not know: a mistake, not a workload that is well."""
    index = Index.of(survey.world)
    known = spec.workloads.keys() | spec.called.values() | index.copies.keys() | index.markers.keys()
    if workload not in known and not journal.runs(workload, limit=1):
        raise _nobody_knows("workload", workload, known)


def _nobody_knows(kind: str, name: str, known: Collection[str]) -> InputError:
    near = difflib.get_close_matches(name, known, n=1)
    fix = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known)[:10]) or 'none'}"
    return InputError(f"nobody knows a {kind} {name}", code="E199", fix=fix)


def _well(survey: Survey, workload: str) -> str:
    host = survey.runs_on(workload)
    return f"it runs on {host}" if host else "no host that answers has a hand-over of it"


@dataclass
class Decision:
    """One workload in question, to be decided on `evidence`."""

    spec: Spec
    found: Open
    outside: Outside
    survey: Survey
    journal: Store
    evidence: str

    def __post_init__(self) -> None:
        self.name = self.found.matter.workload
        self.seen = self.survey.world.seen()
        self.left = self.found.matter.left
        self.markers = self.found.matter.markers
        self.epoch = self._new_epoch()
        self.fence = Fence(self.name, self.epoch)
        newest = max(self.markers.values(), key=lambda m: m.epoch, default=None)
        self.run = newest.run if newest and newest.run else self.found.run  # hosts refuse others

    def _new_epoch(self) -> int:
        move = self.found.matter.move
        known = (self.found.plan.epochs.get(self.name, 0) if self.found.plan else 0, move.epoch if move else 0)
        return max(Index.of(self.survey.world).epoch(self.name), *known) + 1

    def _handover(self, chosen: str) -> Handover:
        """The hand-over as planned, under the new epoch. Where nobody remembers one, one that says enough."""
        plan, move = self.found.plan, self.found.matter.move
        workload = (plan.workloads if plan else {}).get(self.name) or self.spec.workloads.get(self.name)
        if workload is None:
            raise Refused(
                f"no spec defines {self.name}, and no host remembers its plan",
                fix="bring its spec back for as long as this takes",
            )
        policy = plan.policy_of(self.name) if plan else MigrationPolicySpec()
        if move is None:
            others = [host for host in sorted(self.left.keys() | self.markers.keys()) if host != chosen]
            other = self.markers[chosen].peer if chosen in self.markers else ""
            other = other or (others[0] if others else "")
            source = self.found.matter.is_source(chosen)
            copies = Index.of(self.survey.world).copies.get(self.name, ())
            have = next((copy.instance for copy in copies if copy.host == chosen), None)
            move = Move(
                workload=self.name,
                source=chosen if source else other,
                destination=other if source else chosen,
                container_id=have.id if have else "",
                image_id=have.image_id if have else "",
                epoch=self.epoch,
                cutover=Cutover.TRANSACTIONAL,
                strategy=Strategy.COLD,
                oci_runtime=have.oci_runtime if isinstance(have, ContainerFacts) else "",
            )
        return Handover(workload, move.model_copy(update={"epoch": self.epoch}), policy, self.run)

    async def give_to(self, chosen: str, *, cold: bool = False) -> Decided:
        """`chosen` is the owner: fence all others that answer, and make it run there."""
        if chosen not in self.seen or chosen in self.found.matter.unknown:
            raise HostError(f"{chosen} was not seen", where=chosen, fix="make it reachable first")
        here = self.left.get(chosen) or await self._alive(chosen)
        self._check(chosen, here, cold=cold)
        handover = self._handover(chosen)
        move, driver = handover.move, self._driver(handover)
        if chosen == move.destination and here.running and move.drains:
            await self._has_all_memory(handover, driver)
        others = sorted(host for host in self._concerned(move) if host != chosen)
        for host in [chosen, *others]:
            if host in self.seen:
                await self._on(host, guard.mend(self.name, self.epoch - 1))
        spoke = await self._fence_all(handover, others)
        if cold:
            await self._on(chosen, guard.mark(self.fence, Phase.RUNNING, "owner", run=self.run))
            await self._on(chosen, guard.clean(self.name))
            await self._on(chosen, driver.start(handover.workload, self.fence))
            await self._on(chosen, driver.resume(handover, self.fence))
            if chosen == move.destination == self.found.matter.ended and move.source in self.seen:
                await self._on(move.source, driver.retire(handover))
        elif chosen == move.destination:
            await self._finish(handover, here)
        else:
            if not here.running or self.found.matter.phase(chosen) == Phase.COMMITTED:
                # The other side is fenced, or known to be gone: the images are the way back.
                back = guard.mark(self.fence, Phase.VERIFIED, "source", run=self.run, peer=move.destination)
                await self._on(chosen, back)
                if spoke and not here.running:
                    await self._on(chosen, driver.hang_up(handover))
            await self._on(chosen, driver.resume(handover, self.fence))
        # A destination that may have run has newer files than the source: they stay, fenced.
        ran = self.found.matter.phase(move.destination) in (Phase.COMMITTED, Phase.CONFIRMED, Phase.RUNNING)
        tidy = chosen == move.source and move.destination in self.seen and not (cold and ran)
        left = await self._tidy(handover, unstage=tidy)
        await self._note(Mark.UNDONE if chosen == move.source else Mark.DONE, f"{chosen} owns it")
        return Decided(
            self.name,
            chosen,
            cold=cold,
            fenced=tuple(host for host in others if host in self.seen),
            unasked=tuple(host for host in others if host and host not in self.seen),
            untidied=left,
            evidence=self.evidence,
        )

    def _check(self, chosen: str, here: Alive, *, cold: bool) -> None:
        """Refuse what a host that answers contradicts. Nothing was changed yet."""
        others = {host: has for host, has in self.left.items() if host != chosen}
        for host, has in sorted(others.items()):
            if has.running and not here.running:
                self._refuse_running(host)
            if cold and has.restorable and chosen != self.found.matter.ended:
                self._refuse_lost(host, has)
        if cold and (here.running or here.restorable):
            raise Refused(
                f"{self.name} need not start anew on {chosen}: its memory is there",
                where=chosen,
                fix=f"reconcile resolve {self.name} --owner {chosen} --evidence TEXT",
            )
        if not (here.running or here.restorable or (cold and here.exists)):
            fix = "see what status says: reconcile status"
            if here.exists:
                fix = f"start it anew from its files: reconcile resolve {self.name} --owner {chosen} --cold ..."
            raise Refused(
                f"{chosen} has no copy of {self.name} that runs or can be brought back",
                where=chosen,
                why=here.detail,
                fix=fix,
            )

    async def _has_all_memory(self, handover: Handover, driver: EndsHandovers) -> None:
        here, source = handover.move.destination, handover.move.source
        missing = await self._on(here, driver.missing(handover)) if isinstance(driver, PostCopies) else 0
        if missing:
            raise not_arrived(handover, gone=source not in self.seen)

    async def _finish(self, handover: Handover, here: Alive) -> None:
        """The destination is the owner: bring the hand-over to its end. What runs is not touched; a held source is
        let go last."""
        move, driver = handover.move, self._driver(handover)
        if not here.running:
            await self._on(move.destination, driver.commit_destination(handover))
            await self._on(move.destination, driver.restore(handover))
        await self._on(move.destination, driver.confirm(handover))
        if move.source in self.seen:
            await self._on(move.source, driver.retire(handover))
        await self._on(move.destination, driver.finish(handover))

    async def give_up(self) -> Decided:
        """Nothing is left anywhere: settle the hand-over, so that the next apply makes the workload from its spec.
        What is left of containers, their files and volumes, is fenced and kept."""
        name = self.name
        for host, has in sorted(self.left.items()):
            if has.running:
                self._refuse_running(host)
            if has.restorable:
                self._refuse_lost(host, has)
        concerned = [host for host in sorted(self.left.keys() | self.markers.keys()) if host in self.seen]
        if not concerned:
            raise HostError(f"no host of the hand-over of {name} was seen", fix="make one of them reachable first")
        handover = self._handover(concerned[0])
        move = handover.move
        for host in concerned:
            await self._on(host, guard.mend(name, self.epoch - 1))
            await self._on(host, self._driver(handover).fence_off(self._about(handover, host), self.epoch))
        # What was copied to the destination is a second copy only as long as the source's files are there, and is
        # none when it has run.
        ran = self.found.matter.phase(move.destination) in (Phase.COMMITTED, Phase.CONFIRMED, Phase.RUNNING)
        both = self.found.matter.move is not None and {move.source, move.destination} <= self.seen.keys()
        source = self.left.get(move.source)
        left = await self._tidy(handover, unstage=both and not ran and source is not None and source.exists)
        await self._note(Mark.UNDONE, "it is lost")
        return Decided(
            name,
            fenced=tuple(concerned),
            kept=tuple(host for host in concerned if self.left.get(host) and self.left[host].exists),
            untidied=left,
            evidence=self.evidence,
            next="reconcile apply",
        )

    async def _tidy(self, handover: Handover, *, unstage: bool) -> tuple[Untidied, ...]:
        """What only the hand-over needed: the link and its key, with `unstage` the destination's container and the
        memory for its images. Returns what is left; that takes nothing back of the decision."""
        move, left = handover.move, list[Untidied]()
        if unstage:
            try:
                await self._on(move.destination, self._driver(handover).unstage(handover))
            except ReconcilerError as error:
                text = f"{move.destination} remains to be tidied: {error}"
                left.append(Untidied(error.code, text, move.destination))
        if self.found.matter.move is not None and move.source:
            try:
                key = f"{self.found.run}-{self.name}"
                await self.outside.fleet.close_link(move.source, move.destination, key)
            except ReconcilerError as error:
                text = f"{error}" + (f" ({error.fix})" if error.fix else "")
                left.append(Untidied(error.code, text, error.where))
        return tuple(left)

    def _concerned(self, move: Move) -> set[str]:
        return {host for host in (move.source, move.destination) if host} | self.left.keys() | self.markers.keys()

    async def _fence_all(self, handover: Handover, hosts: list[str]) -> bool:
        """Whether clients may have heard of a copy there; of a host that does not answer nobody knows."""
        spoke, driver = False, self._driver(handover)
        for host in hosts:
            if host in self.seen:
                spoke |= bool(await self._on(host, driver.fence_off(self._about(handover, host), self.epoch)))
            else:
                spoke = True
        return spoke

    def _about(self, handover: Handover, host: str) -> Handover:
        """The same hand-over, for a host that has no part in it but a copy: it is named where one is refused."""
        if host in (handover.move.source, handover.move.destination):
            return handover
        return replace(handover, move=handover.move.model_copy(update={"destination": host}))

    def _driver(self, handover: Handover) -> EndsHandovers:
        name = handover.workload.spec.runtime
        runtime = registry.need(self.outside.drivers, name)
        if isinstance(runtime, Transactional):
            return runtime
        return ByLifecycle(cast(SelfMover, registry.need(self.outside.drivers, name, "self-moves")))

    async def _alive(self, host: str) -> Alive:
        return await alive(
            self.name, self.seen[host], self.outside.fleet, self.outside.drivers, self.found.runtimes
        )

    async def _on(self, host: str, program: Program[T]) -> T:
        return await pump(program, self.outside.fleet.host(host))

    def _refuse_running(self, host: str) -> None:
        raise Refused(
            f"{host} answers, and {self.name} runs there",
            where=host,
            fix=f"reconcile resolve {self.name} --owner {host} --evidence TEXT",
        )

    def _refuse_lost(self, host: str, alive: Alive) -> None:
        raise Refused(
            f"{self.name} is not lost: it can be brought back on {host}",
            where=host,
            why=alive.detail,
            fix=f"reconcile resolve {self.name} --owner {host} --evidence TEXT",
        )

    async def _note(self, mark: Mark, what: str) -> None:
        """End the workload's part of every run that knows it; other workloads of a run stay as they are."""
        now, name, writer = time.time(), self.name, Awaited(self.journal)
        note = f"resolved by {owner()}: {what}; evidence: {self.evidence}"
        for run in self.journal.open_runs():
            if name not in unended(run):
                continue
            for step in run.plan.groups[name]:
                await writer.append(run.id, step.id, mark, now, note if step.kind.traits.commits else "")
            states = Saga(run.plan, self.journal.run(run.id).records, recovering=run.plan.groups.keys()).states
            if all(state.ended for state in states.values()):
                await writer.end(run.id, run_state(Outcome(states, {})), now)
