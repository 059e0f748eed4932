"""What a crash leaves: finish it, undo it, or say how it stands.

`resume` replays the journal through the same saga as `apply`. Where the journal is lost, it is rebuilt from the
dossiers and markers on the hosts first; from then on there is no difference.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.commands.app import Applied
from reconciler.commands.compose import Outside, kept_runs, open_fleet, open_store
from reconciler.commands.interruptible import Interruptible
from reconciler.core.index import Index
from reconciler.core.recovery import marks_from_markers, settling_marks
from reconciler.core.returning import is_led_to
from reconciler.core.saga import unended, unended_in
from reconciler.engine.agreement import agreed
from reconciler.engine.execute import Patience
from reconciler.engine.lease import fleet_leases
from reconciler.engine.lenient import Warn
from reconciler.engine.survey import Survey, take_survey
from reconciler.guard import dossier
from reconciler.hosts.base import Fleet, pump
from reconciler.hosts.wrap import WithoutFleet
from reconciler.model.command import Bytes
from reconciler.model.ending import Ending
from reconciler.model.event import Reporter, Untidied, ignore
from reconciler.model.plan import Plan
from reconciler.model.record import Mark, Record, Run, RunState
from reconciler.model.spec import Spec
from reconciler.model.world import Following, OnDisk, World
from reconciler.state.identity import owner
from reconciler.state.store import Awaited, Store, Writer

ONCE = Patience(before_commit=1, commit=1, after_commit=1)
"""Where a host is known not to answer: what is to be done there is not waited for."""


@dataclass(frozen=True)
class Standing:
    """How an unfinished hand-over stands. `owner` is a host, or empty when nobody may start the workload."""

    workload: str
    phase: str
    owner: str
    where: Mapping[str, str]
    since: float
    run: str
    next: str
    following: Following | None = None
    on_disk: OnDisk | None = None
    lost: Bytes = 0
    """Of memory that follows: what nobody has any more."""


@dataclass(frozen=True)
class Resumed:
    """All runs that were taken up again, how they ended, and what is still open then."""

    runs: tuple[Applied, ...]
    left: Survey
    untidied: tuple[Untidied, ...] = ()

    def ending(self, interrupted: bool = False) -> Ending:
        """As `status` would say it now: undoing what was interrupted is what was asked for."""
        now = self.left.ending
        return Ending.INTERRUPTED if interrupted and now is not Ending.IN_DOUBT else now

    @property
    def exit_code(self) -> int:
        return self.ending().exit_code


@dataclass
class Resume(Interruptible):
    """`reconcile resume`: finish or undo everything that is unfinished, on this journal or on the hosts."""

    spec: Spec
    journal_path: Path | None
    report: Reporter = ignore
    untidied: list[Untidied] = field(default_factory=list)

    def cancel(self) -> None:
        """Ctrl-C or SIGTERM: as for apply, but a look that is under way is made to its end."""
        if self._executor:
            self._executor.cancel()

    async def __call__(self) -> Resumed:
        resumed = await self._resume()
        return replace(resumed, untidied=tuple(self.untidied))

    async def _resume(self) -> Resumed:
        spec, warn = self.spec, self.untidied.append
        async with (
            kept_runs(self.journal_path) as journal,
            open_fleet(spec, warn) as fleet,
            fleet_leases(fleet, spec.places, owner(), self.lose, warn, partly=True) as leases,
        ):
            return await self.on(Outside(fleet, warn=warn, leases=leases), journal)

    async def on(self, outside: Outside, journal: Store) -> Resumed:
        """The same, on a fleet that is there, with a journal that is ours."""
        known, writer = journal.open_runs(), Awaited(journal)
        async with AsyncExitStack() as held:
            await held.enter_async_context(writer.locked(unended_in(known), owner()))
            survey = await take_survey(outside.fleet, outside.drivers, self.spec.places, journal)
            busy = await self._narrowed(survey, outside)
            rebuilt = [
                run
                for run in await rebuilt_runs(outside.fleet, survey.world)
                if not (journal.knows(run.id) or run.plan.groups.keys() <= busy)
            ]
            names = unended_in(rebuilt).keys() - unended_in(known)
            await held.enter_async_context(writer.locked(names, owner()))
            for run in rebuilt:
                await writer.begin(run)
                for record in run.records:
                    await writer.append(run.id, record.step, record.mark, record.at, "from the hosts' markers")
            return await self._take_up({run.id for run in (*known, *rebuilt)}, survey, outside, journal, busy)

    async def _narrowed(self, survey: Survey, outside: Outside) -> frozenset[str]:
        """From here on only the hosts of what there is to do are kept from other controllers. Workloads that need
        a host that another has are its own, and left alone; Locked where there is nothing else."""
        seen = survey.world.seen().keys()
        lacking = {name: outside.lacking(found.hosts & seen) for name, found in survey.open.items()}
        busy = {name: error for name, error in lacking.items() if error is not None}
        if busy and busy.keys() == survey.open.keys():
            raise next(iter(busy.values()))
        for name, error in busy.items():
            outside.warn(Untidied(error.code, f"{name} was left alone: {error.what}", error.where))
        free = [found.hosts for name, found in survey.open.items() if name not in busy]
        await outside.narrow({host for hosts in free for host in hosts} & seen)
        return frozenset(busy)

    async def _take_up(
        self, known: Collection[str], survey: Survey, outside: Outside, journal: Store, busy: frozenset[str]
    ) -> Resumed:
        """Finish or undo the runs whose workloads are locked; one that began since is somebody else's."""

        def ours() -> list[Run]:
            return [run for run in journal.open_runs() if run.id in known]

        hosts = self.spec.places
        for run in ours():
            await note_settled(run, survey.world, Awaited(journal), leave=busy)
        alone = busy | {name for name, found in survey.open.items() if not found.verdict.for_resume}
        gone = {name: host.reason for name, host in survey.world.unknown().items()}
        outside = replace(outside, fleet=WithoutFleet(outside.fleet, gone))
        within = {led.id for led in ours() for run in ours() if is_led_to(led.id, run.id)}
        runs = [
            await self._one(run, outside, journal, alone, gone)
            for run in ours()
            if run.plan.groups.keys() - alone and run.id not in within
        ]
        left = await take_survey(outside.fleet, outside.drivers, hosts, journal)
        where = {name: left.runs_on(name) for run in runs for name in run.plan.moves}
        return Resumed(tuple(replace(run, where=where) for run in runs), left)

    async def _one(
        self, run: Run, outside: Outside, journal: Store, alone: frozenset[str], gone: Mapping[str, str]
    ) -> Applied:
        """Take up one run; workloads that a person has to decide about are left alone."""
        if self._lost:
            raise self._lost
        plan = dossier.without(run.plan, alone)
        self._executor = outside.executor(
            plan,
            run.id,
            Awaited(journal),
            report=self.report,
            records=run.records,
            recovering=frozenset(plan.groups),
        )
        if any({step.host, step.peer} & gone.keys() for step in plan.steps):
            self._executor.patience = ONCE
        outcome = await outside.carry_out(self._executor)
        if alone & run.plan.groups.keys():
            await Awaited(journal).end(run.id, RunState.IN_DOUBT, outside.now())
        self.say_lost(outcome)
        return Applied(plan, run.id, outcome)


async def rebuilt_runs(fleet: Fleet, world: World) -> list[Run]:
    """Runs as the hosts remember them, for every unfinished hand-over that has a dossier. Each host keeps one for
    each workload: those of the same run become one again."""
    index = Index.of(world)
    plans: dict[str, Plan] = {}
    marks: dict[str, list[tuple[str, Mark]]] = {}
    for workload, unsettled in ((name, index.unsettled(name)) for name in index.markers):
        if not unsettled:
            continue
        markers = dict(index.markers[workload])
        wanted = {marker.run for marker in unsettled.values()}
        for host in markers:
            kept = await pump(dossier.read(workload), fleet.host(host))
            if kept is None or workload not in kept[1].moves or not wanted & {"", kept[0]}:
                continue  # another controller wrote that dossier, and went no further
            run_id, part = kept[0], await agreed(workload, host, kept, markers, fleet, world)
            move = part.moves[workload]
            found = marks_from_markers(part, workload, markers.get(move.source), markers.get(move.destination))
            plans[run_id] = dossier.joined(plans[run_id], part) if run_id in plans else part
            marks.setdefault(run_id, []).extend(found)
            break
    return [
        Run(id=i, plan=plan, started_at=time.time(), actor=owner(), records=_as_records(marks[i]))
        for i, plan in plans.items()
    ]


async def note_settled(run: Run, world: World, journal: Writer, leave: Collection[str] = ()) -> None:
    """Write down what another controller has finished or undone meanwhile, so that it is not done again."""
    for workload in (name for name in run.plan.moves.keys() & unended(run) if name not in leave):
        for step, mark in settling_marks(run, workload, world):
            await journal.append(run.id, step, mark, time.time(), "another controller was here meanwhile")


def _as_records(marks: list[tuple[str, Mark]]) -> tuple[Record, ...]:
    now = time.time()
    return tuple(Record(seq=i, step=step, mark=mark, at=now) for i, (step, mark) in enumerate(marks))


async def standings(spec: Spec, journal_path: Path | None, warn: Warn) -> tuple[Survey, list[Standing]]:
    """`reconcile status`: every unfinished hand-over. Changes nothing."""
    with open_store(journal_path, write=False) as journal:
        async with open_fleet(spec, warn) as fleet:
            outside = Outside(fleet)
            survey = await take_survey(fleet, outside.drivers, spec.places, journal)
            return survey, rows(survey)


def rows(survey: Survey) -> list[Standing]:
    """A survey as status shows it."""
    found = []
    for name, each in survey.open.items():
        markers = each.matter.markers
        newest = max(markers.values(), key=lambda m: (m.epoch, m.role == "destination"), default=None)
        found.append(
            Standing(
                workload=name,
                phase=newest.phase if newest and not newest.broken else "unknown",
                owner=each.verdict.owner,
                where={host: "torn" if marker.broken else marker.phase for host, marker in markers.items()},
                since=each.since,
                run=each.run or (newest.run if newest else ""),
                next=each.verdict.next,
                following=each.matter.following,
                on_disk=each.matter.on_disk,
                lost=each.matter.lost,
            )
        )
    return found
