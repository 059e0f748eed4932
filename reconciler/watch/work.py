"""What a watch has under way, and what it remembers of what failed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from reconciler.commands.app import Applied, Apply, Seen, touched
from reconciler.commands.compose import open_store, secrets_of
from reconciler.commands.recover import Resume
from reconciler.core.consent import Consent
from reconciler.core.saga import GroupState
from reconciler.core.tending import (
    NEVER_TRIED,
    Cause,
    Chosen,
    Pauses,
    Postponed,
    Tries,
    by_workload,
    choose,
    narrowed,
    wanted_digest,
    was_done,
)
from reconciler.errors import GuardRefused, HostError, InputError, Locked, ReconcilerError, ReplyLost, StalePlan
from reconciler.model.notes import ALL, Notes, PutBack
from reconciler.model.plan import Plan
from reconciler.model.spec import Spec
from reconciler.watch.told import News
from reconciler.watch.windows import barred

if TYPE_CHECKING:
    from reconciler.watch.loop import Watch

LOOK: Final = "@look"
MEND: Final = "@resume"
PASSING = (HostError, ReplyLost, GuardRefused, Locked)
"""Failures that are not the specs' fault."""
LOOKING: Final = Pauses(first=2.0, longest=60.0, opens=1000)
"""For what keeps hosts from being looked at."""
SHORT: Final = Pauses(first=2.0, longest=10.0, opens=1000)
"""For what somebody else is just doing."""
EARLIER_RUNS: Final = 20


class Job(Protocol):
    def cancel(self) -> None: ...


@dataclass
class UnderWay:
    """A run, or the saving of a workload, under way: its workloads, and the hosts that are its own meanwhile."""

    job: Job
    workloads: frozenset[str]
    hosts: frozenset[str]
    changes: bool = True
    """Whether it makes things as the specs want them: a workload that is saved is so already."""


@dataclass
class Work:
    watch: Watch
    pauses: Pauses = field(default_factory=Pauses)
    _runs: dict[asyncio.Task[None], UnderWay] = field(default_factory=dict)
    _resume: Resume | None = None
    _tries: dict[str, Tries] = field(default_factory=dict)
    _asked: frozenset[str] = frozenset()
    _forgiven: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._began = self.watch.now()

    @property
    def busy(self) -> bool:
        return bool(self._runs)

    @property
    def changing(self) -> bool:
        return any(run.changes for run in self._runs.values())

    @property
    def workloads(self) -> frozenset[str]:
        return frozenset().union(*(run.workloads for run in self._runs.values()))

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset().union(*(run.hosts for run in self._runs.values()))

    def cancel(self) -> None:
        """Stop what is under way as soon as that is safe."""
        for task, run in self._runs.items():
            try:
                run.job.cancel()
            except asyncio.CancelledError:
                task.cancel()
        if self._resume:
            self._resume.cancel()

    async def over(self) -> None:
        """Wait for the end of all that is under way."""
        while self._runs:
            await asyncio.wait(self._runs)

    def forgive(self, target: str = ALL) -> None:
        """Something may be tried again now."""
        if target == ALL:
            self._tries.clear()
        else:
            self._tries.pop(target.partition("/")[2], None)

    def failed(self, what: str, why: str, pauses: Pauses | None = None) -> Tries:
        now = asyncio.get_running_loop().time()
        tries = self._tries.get(what, NEVER_TRIED).failed(now, pauses or self.pauses, self.watch.chance(), why)
        self._tries[what] = tries
        return tries

    def succeeded(self, what: str) -> None:
        self._tries.pop(what, None)

    def waits(self, what: str) -> Tries | None:
        """What has failed, while it is left alone."""
        tries = self._tries.get(what)
        return tries if tries and tries.next_at > asyncio.get_running_loop().time() else None

    def recovered(self, what: str) -> None:
        self.succeeded(what)
        self.watch.unsay(what)

    def troubled(
        self, what: str, workload: str, text: str, error: ReconcilerError, pauses: Pauses | None = None
    ) -> None:
        """It failed, which is told once; who was only locked out tries again soon."""
        self.failed(what, str(error), SHORT if isinstance(error, Locked) else pauses)
        host = error.where if isinstance(error, HostError) else ""
        self.watch.say_once(what, News.TROUBLE, f"{text}: {error}", workload=workload, code=error.code, host=host)

    # --- what a crash has left ---

    async def mend(self, spec: Spec, asked: frozenset[str]) -> bool:
        """Finish or undo what is unfinished, where that is certain; whether anything came of it."""
        if asked != self._asked:
            self.succeeded(MEND)
        self._asked = asked
        if self.waits(MEND):
            return False
        self._resume = Resume(spec, self.watch.journal, report=self.watch.stepped)
        self.watch.say(News.BEGINS, f"to finish or undo what is unfinished: {', '.join(sorted(asked))}")
        try:
            resumed = await self._resume()
        except ReconcilerError as error:
            short = SHORT if isinstance(error, Locked) else None
            self.failed(MEND, str(error), short)
            self.watch.say_once("mend", News.TROUBLE, str(error), code=error.code)
            return False
        finally:
            self._resume = None
        self.watch.unsay("mend")
        for applied in resumed.runs:
            self._told(applied)
        left = resumed.left.open
        for name, found in left.items():
            text = f"{name} is unfinished; next: {found.verdict.next}"
            self.watch.say_once(f"open {name}", News.TROUBLE, text, workload=name)
        if left.keys() >= asked:
            self.failed(MEND, "nothing could be ended")
            return False
        return True

    # --- changes ---

    def choose(self, spec: Spec, seen: Seen, asked: frozenset[str]) -> Chosen:
        plan, waits = seen.plan, dict[str, Postponed]()
        notes = self._notes(plan)
        saved = frozenset().union(*(run.workloads for run in self._runs.values() if not run.changes))
        under_way = self.workloads - (saved - plan.groups.keys())
        waits |= {name: Postponed(name, Cause.UNFINISHED, "a hand-over is unfinished") for name in asked}
        waits |= {name: Postponed(name, Cause.UNDER_WAY, "it is being changed") for name in under_way}
        for name in plan.groups.keys() - waits.keys():
            waiting = (
                self._put_back(name, plan, notes)
                or self._barred(name, spec, plan, notes)
                or self._backs_off(name)
                or self._lacks_secrets(name, plan)
            )
            if waiting:
                waits[name] = waiting
        answering = seen.world.seen()
        hosts = {name: touched(part, answering) for name, part in by_workload(plan).items()}
        return choose(plan, waits, hosts, self.hosts)

    def _notes(self, plan: Plan) -> Notes:
        """What is noted, less what the specs want differently by now, or what has been reached since."""
        notes = self.watch.notes.read()
        for target, when in notes.forgiven.items():
            if self._forgiven.get(target, self._began) < when:
                self._forgiven[target] = when
                self.forgive(target)
        refusals = {finding.workload for finding in plan.findings if finding.severity == "refuse"}
        over = [
            name
            for name, found in notes.put_back.items()
            if (name in plan.groups and found.wanted != wanted_digest(plan, name))
            or not (name in plan.groups or name in refusals or name in self.workloads or plan.unknown_hosts)
        ]
        return self._without(over) if over else notes

    def _without(self, names: list[str]) -> Notes:
        def less(notes: Notes) -> Notes:
            return notes.model_copy(
                update={"put_back": {n: p for n, p in notes.put_back.items() if n not in names}}
            )

        return self.watch.notes.change(less)

    def _put_back(self, name: str, plan: Plan, notes: Notes) -> Postponed | None:
        found = notes.put_back.get(name)
        if found is None or found.wanted != wanted_digest(plan, name):
            return None
        at = f" at {found.commit[:7]}" if found.commit else ""
        why = f"what the specs say of it{at} failed and was put back (run {found.run}): {found.why}"
        return Postponed(name, Cause.PUT_BACK, f"{why}. Change it, or: reconcile tend retry {name}")

    def _barred(self, name: str, spec: Spec, plan: Plan, notes: Notes) -> Postponed | None:
        """Suspended, or outside its windows."""
        changes = [change for change in plan.changes if change.workload == name]
        hosts = {host for change in changes for host in (change.source, change.destination) if host}
        now = self.watch.now()
        found = barred(name, hosts, spec, notes, now)
        if found is None:
            return None
        until = None if found.until is None else asyncio.get_running_loop().time() + found.until - now
        return Postponed(name, found.cause, found.why, until)

    def _backs_off(self, name: str) -> Postponed | None:
        tries = self.waits(name)
        if tries is None:
            return None
        times = f"{tries.failures} times in a row" if tries.failures > 1 else "once"
        return Postponed(name, Cause.BACK_OFF, f"it failed {times} and is tried again: {tries.why}", tries.next_at)

    def _lacks_secrets(self, name: str, plan: Plan) -> Postponed | None:
        try:
            if name in plan.workloads:
                secrets_of(plan.workloads[name])
        except InputError as error:
            return Postponed(name, Cause.REFUSED, str(error))
        return None

    def begin(self, spec: Spec, seen: Seen, names: frozenset[str]) -> None:
        """Carry out a part of the plan, beside whatever else is under way."""
        plan = narrowed(seen.plan, names)
        job = Apply(
            spec=spec,
            journal_path=self.watch.journal,
            consent=Consent(),
            report=self.watch.stepped,
            agreed=Seen(seen.world, plan),
            narrow=partial(narrowed, workloads=names),
        )
        run = UnderWay(job, names, touched(plan, seen.world.seen()))
        for change in plan.changes:
            self.watch.say(News.BEGINS, f"{change.kind}: {change.reason}", workload=change.workload)
        self.add(run, self._carry_out(job, run))

    def add(self, run: UnderWay, course: Coroutine[Any, Any, None]) -> None:
        """It is under way until the course ends."""
        task = asyncio.create_task(self._until_over(course), name="run")
        task.add_done_callback(self._ended)
        self._runs[task] = run

    async def _until_over(self, course: Coroutine[Any, Any, None]) -> None:
        try:
            await course
        finally:
            task = asyncio.current_task()
            assert task is not None
            del self._runs[task]
            self.watch.stir()

    async def _carry_out(self, job: Apply, run: UnderWay) -> None:
        try:
            applied = await job()
        except StalePlan as error:
            for name in run.workloads:
                self.failed(name, error.what, SHORT)
        except ReconcilerError as error:
            self.watch.say(News.TROUBLE, str(error), code=error.code)
            for name in run.workloads:
                self.failed(name, str(error), SHORT if isinstance(error, Locked) else None)
        else:
            self._told(applied)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self.watch.broken = error
            self.watch.stir()

    def _told(self, applied: Applied) -> None:
        """Note how each workload's change has ended."""
        outcome, run = applied.outcome, applied.run or ""
        self.watch.applied(applied)
        for left in applied.untidied:
            self.watch.say(News.TROUBLE, left.text, run=run, code=left.code)
        for name, state in (outcome.groups if outcome else {}).items():
            why = next((text for _, _, text in outcome.errors.get(name, ())), "") if outcome else ""
            text = f"{state}: {why.splitlines()[0]}" if why else str(state)
            self.watch.say(News.ENDED, text, workload=name, run=run, state=state.value)
            if state is GroupState.DONE:
                self.succeeded(name)
            elif why and not (outcome and outcome.cancelled):  # one that a crash interrupted has not failed
                self.failed(name, why)
                if state is GroupState.PUT_BACK and not self._passes(applied, name):
                    self._remember(applied.plan, name, run, why)

    def _passes(self, applied: Applied, name: str) -> bool:
        """Whether a failure has its cause elsewhere than in the specs."""
        assert applied.outcome is not None
        texts = {text for _, _, text in applied.outcome.errors.get(name, ())}
        if any(isinstance(f, PASSING) and str(f) in texts for f in applied.outcome.failures):
            return True
        try:
            with open_store(self.watch.journal, write=False) as journal:
                wanted = wanted_digest(applied.plan, name)
                return was_done(journal.runs(name, EARLIER_RUNS), name, wanted)
        except ReconcilerError:
            return True

    def _remember(self, plan: Plan, name: str, run: str, why: str) -> None:
        wanted = wanted_digest(plan, name)
        note = PutBack(wanted=wanted, at=self.watch.now(), run=run, why=why, commit=plan.commit)
        try:
            self.watch.notes.change(lambda n: n.model_copy(update={"put_back": {**n.put_back, name: note}}))
        except ReconcilerError as error:
            self.watch.say_once("notes", News.TROUBLE, str(error), code=error.code)
