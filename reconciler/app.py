"""Composition root: puts fleet, drivers, journal and core together for each command."""

from __future__ import annotations

import asyncio
import json
import os
import secrets as randomness
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import entry_points
from pathlib import Path

from reconciler.core.accuracy import measured_moves
from reconciler.core.consent import Consent, lacking
from reconciler.core.planner import make_plan
from reconciler.core.questions import questions
from reconciler.core.saga import GroupState
from reconciler.drivers.base import Driver
from reconciler.drivers.podman import PodmanDriver
from reconciler.errors import InputError, Locked, Refused, StalePlan
from reconciler.execute import Executor, Outcome
from reconciler.hosts.base import Fleet, pump
from reconciler.hosts.wrap import Backoff, RetryFleet, Traced, TraceFleet
from reconciler.lease import fleet_leases
from reconciler.model.event import Reporter, ignore
from reconciler.model.plan import Plan
from reconciler.model.record import Record, Run, RunState
from reconciler.model.spec import Spec, Workload
from reconciler.model.world import World
from reconciler.observe import observe
from reconciler.preflight import look_closer
from reconciler.state.identity import owner
from reconciler.state.journal import Journal
from reconciler.steps import Steps


@dataclass(frozen=True)
class Seen:
    """What one look at the hosts gave."""

    world: World
    plan: Plan


@dataclass(frozen=True)
class Applied:
    """How an apply ended. `run` is None when there was nothing to do."""

    plan: Plan
    run: str | None = None
    outcome: Outcome | None = None

    @property
    def state(self) -> RunState:
        return run_state(self.outcome) if self.outcome else RunState.DONE


def drivers() -> dict[str, Driver]:
    """All runtimes: ours, and those of third parties (entry point `reconciler.drivers`)."""
    found: dict[str, Driver] = {"podman": PodmanDriver()}
    for point in entry_points(group="reconciler.drivers"):
        found[point.name] = point.load()()
    return found


@asynccontextmanager
async def open_fleet(spec: Spec) -> AsyncIterator[Fleet]:
    """The specs' hosts over SSH; connections are closed at the end."""
    from reconciler.hosts.ssh import SshFleet

    fleet: Fleet = SshFleet(spec.hosts)
    with ExitStack() as files:
        if trace := os.environ.get("RECONCILE_TRACE"):
            fleet = TraceFleet(fleet, files.enter_context(trace_file(Path(trace))))
        try:
            yield fleet
        finally:
            await fleet.close()


@contextmanager
def trace_file(path: Path) -> Iterator[Callable[[Traced], None]]:
    """A file of JSON lines, one for each operation on a host; readable by its owner only, without secrets."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise InputError("the trace cannot be written", where=str(path), why=error.strerror or "") from error
    with open(handle, "w") as file:

        def note(traced: Traced) -> None:
            file.write(json.dumps({"at": round(time.time(), 4), **asdict(traced)}) + "\n")

        yield note


LEARN_FROM = 40
"""How many of the latest runs predictions are learned from."""


async def look(spec: Spec, fleet: Fleet, journal: Journal) -> Seen:
    """Observe all hosts and make the plan. Changes nothing, anywhere."""
    world = await observe(RetryFleet(fleet, Backoff(tries=2)), drivers(), list(spec.hosts))
    world = await look_closer(fleet, drivers(), world, questions(spec, world))
    unfinished = {step.workload for run in journal.open_runs() for step in run.plan.steps}
    return Seen(world, make_plan(spec, world, unfinished, measured_moves(journal.runs(limit=LEARN_FROM))))


async def plan(spec: Spec, journal_path: Path | None = None) -> Seen:
    """`reconcile plan`."""
    with Journal.open(journal_path, write=False) as journal:
        async with open_fleet(spec) as fleet:
            return await look(spec, fleet, journal)


def new_run_id() -> str:
    """Sortable by time and unique: `20261123-140501-3fa9`."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{randomness.token_hex(2)}"


def resolve_secrets(workload: Workload) -> dict[str, bytes]:
    """Values of the secrets a workload refers to. InputError names what is missing, never a value."""
    values: dict[str, bytes] = {}
    for name, reference in workload.spec.container.secret_env.items():
        where = f"workload {workload.metadata.name}, secretEnv {name}"
        if reference.from_env is not None:
            value = os.environ.get(reference.from_env)
            if value is None:
                raise InputError(f"variable {reference.from_env} is not set", code="E180", where=where)
            values[name] = value.encode()
        elif reference.from_file is not None:
            try:
                values[name] = Path(reference.from_file).read_bytes().rstrip(b"\n")
            except OSError as error:
                raise InputError(
                    f"secret file {reference.from_file} cannot be read",
                    code="E180",
                    where=where,
                    why=error.strerror or "",
                ) from error
    return values


def run_state(outcome: Outcome) -> RunState:
    """The state of a whole run from those of its workloads."""
    states = set(outcome.groups.values())
    if GroupState.IN_DOUBT in states:
        return RunState.IN_DOUBT
    if states <= {GroupState.DONE}:
        return RunState.DONE
    if states <= {GroupState.DONE, GroupState.PUT_BACK, GroupState.SKIPPED}:
        return RunState.FAILED
    return RunState.OPEN  # something remains for `resume`


@dataclass
class Apply:
    """`reconcile apply`: everything it needs, and the order in which it is asked for.

    `agree` is asked with the plan before anything is changed; it returns False to stop.
    """

    spec: Spec
    journal_path: Path | None
    agree: Callable[[Seen], Awaitable[bool]]
    consent: Consent = field(default_factory=Consent)
    saved: Plan | None = None
    report: Reporter = ignore
    _executor: Executor | None = None
    _lost: Locked | None = None

    def lose(self, error: Locked) -> None:
        """Another controller has the lease of a host by now: go on as after Ctrl-C, and say so at the end."""
        self._lost = self._lost or error
        if self._executor:
            self._executor.cancel()

    def cancel(self) -> None:
        """Ctrl-C or SIGTERM: stop as soon as that is safe."""
        if self._executor:
            self._executor.cancel()
        else:
            raise asyncio.CancelledError

    async def __call__(self) -> Applied:
        with Journal.open(self.journal_path) as journal, journal.locked("apply", owner()):
            async with open_fleet(self.spec) as fleet, fleet_leases(fleet, self.spec.hosts, owner(), self.lose):
                seen = await look(self.spec, fleet, journal)
                plan = self._checked(seen)
                if not plan.steps or not await self.agree(seen):
                    return Applied(plan)
                return await self._run(plan, fleet, journal)

    def _checked(self, seen: Seen) -> Plan:
        """The plan to carry out: the saved one when the world still is what it was made from."""
        plan = seen.plan
        if self.saved is not None:
            refuse_stale(self.saved, plan)
            plan = self.saved
        if missing := lacking(plan, self.consent):
            raise Refused(
                missing,
                code="P401",
                fix="look at the plan, then: reconcile apply --allow-removals N",
            )
        return plan

    async def _run(self, plan: Plan, fleet: Fleet, journal: Journal) -> Applied:
        run = new_run_id()
        for workload in plan.workloads.values():
            resolve_secrets(workload)  # what is missing is said before anything is changed
        if self._lost:
            raise self._lost
        journal.begin(Run(id=run, plan=plan, started_at=time.time(), actor=owner(), commit=plan.commit))
        outcome = await self.carry_out(plan, run, fleet, journal, resolve_secrets)
        return Applied(plan, run, outcome)

    async def carry_out(
        self,
        plan: Plan,
        run: str,
        fleet: Fleet,
        journal: Journal,
        secrets: Callable[[Workload], Mapping[str, bytes]],
        records: tuple[Record, ...] = (),
        recovering: frozenset[str] = frozenset(),
    ) -> Outcome:
        """The loop that `apply` and `resume` share."""
        known = drivers()
        self._executor = Executor(
            plan=plan,
            run=run,
            steps=Steps(plan, run, fleet, known, secrets),
            journal=journal,
            now=time.time,
            report=self.report,
            records=list(records),
            recovering=recovering,
            while_frozen=lambda workload: beat_hold(plan, workload, fleet),
        )
        outcome = await self._executor.execute()
        journal.end(run, run_state(outcome), time.time())
        if self._lost:
            stands = "; ".join(f"{name} is {state}" for name, state in outcome.groups.items())
            self._lost.why = f"{self._lost.why}; {stands}"
            raise self._lost
        return outcome


async def beat_hold(plan: Plan, workload: str, fleet: Fleet) -> None:
    """Tell the source of a frozen workload that its controller lives. An unanswered beat is no error: the
    hook there knows what to do."""
    from reconciler.drivers import guard
    from reconciler.errors import ReconcilerError

    try:
        await pump(guard.beat([workload]), fleet.host(plan.moves[workload].source))
    except ReconcilerError:
        return


def refuse_stale(saved: Plan, fresh: Plan) -> None:
    """StalePlan when the specs or the world are not those that the saved plan was made from."""
    again = "look at a new plan: reconcile plan --out FILE"
    if saved.spec_digest != fresh.spec_digest:
        raise StalePlan("the specs changed since the plan was made", fix=again)
    if saved.world_digest != fresh.world_digest or [s.id for s in saved.steps] != [s.id for s in fresh.steps]:
        raise StalePlan("the hosts changed since the plan was made", fix=again)
