"""Going back to a checkpoint: what was set aside for a successor that failed runs again as it was then.

It is a run of its own, a restore like any other, but that its container and volumes are where they were. It
belongs to the run that has failed, which ends after it: `apply` begins it when the old container is left aside. A
`resume` goes through the failed run's records, finds it begun, ended, or missing, and goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from reconciler.core.index import Index
from reconciler.core.returning import going_back, run_back
from reconciler.core.saga import GroupState, Saga
from reconciler.engine.execute import Executor, Outcome
from reconciler.engine.leading import Returned
from reconciler.engine.observe import observe
from reconciler.errors import CommandFailed, ReconcilerError
from reconciler.model.checkpoint import Manifest
from reconciler.model.plan import Plan, StepKind
from reconciler.model.record import Mark, Record, Run
from reconciler.model.result import CheckpointTaken, HealthSeen, WentBack
from reconciler.model.units import format_seconds
from reconciler.state.identity import owner
from reconciler.state.store import UNFINISHED

if TYPE_CHECKING:
    from reconciler.commands.compose import Outside


async def go_back(outside: Outside, failed: Executor, name: str) -> Returned | None:
    """None where it turns out to run: then it was never stopped."""
    taken = failed.steps.results.get(failed.plan.sibling(failed.plan.groups[name][0], StepKind.CAPTURE).id)
    if not isinstance(taken, CheckpointTaken):
        return None
    begun = failed.journal.known(run_back(failed.run, name))
    try:
        if begun is None and (begun := await _begin(outside, failed, name, taken.manifest)) is None:
            return None
    except ReconcilerError as error:
        text = f"it does not run: it could not go back to {name}@{failed.run} yet ({error.what})"
        return Returned(GroupState.INCOMPLETE, text, failures=(error,))
    if begun.state not in UNFINISHED:
        return _told(begun, failed, taken.manifest)
    return await _carry_out(outside, failed, begun, taken.manifest)


async def _begin(outside: Outside, failed: Executor, name: str, taken: Manifest) -> Run | None:
    """Planned by what is there now, and written down."""
    plan, capture = failed.plan, failed.plan.captures[name]
    hosts = sorted({place for step in plan.groups[name] for place in (step.host, step.peer) if place})
    index = Index.of(await observe(outside.fleet, outside.drivers, hosts))
    if any(copy.instance.state.has_processes for copy in index.copies.get(name, ())):
        return None
    back = going_back(plan, taken, failed.run, index)
    if back is None:
        why = index.unknown.get(capture.host, "nobody knows the spec that it was made from")
        raise CommandFailed(f"{name} cannot go back on {capture.host}", code="C384", where=capture.host, why=why)
    outside.secrets(back.workloads[name])  # what is missing is said before anything is changed
    run = Run(
        id=run_back(failed.run, name), plan=back, started_at=outside.now(), actor=owner(), commit=plan.commit
    )
    await failed.journal.begin(run)
    return run


async def _carry_out(outside: Outside, failed: Executor, run: Run, taken: Manifest) -> Returned:
    name = taken.workload
    executor = outside.executor(
        run.plan,
        run.id,
        failed.journal,
        report=failed.report,
        records=run.records,
        recovering=frozenset({name}) if run.records else frozenset(),
    )
    outcome = await outside.carry_out(executor)
    ended = run.model_copy(update={"records": tuple(executor.records)})
    return _told(ended, failed, taken, outcome)


def _told(run: Run, failed: Executor, taken: Manifest, outcome: Outcome | None = None) -> Returned:
    """How it ended, for the run that has failed. Put back, for that one, is what went back."""
    name = taken.workload
    state = Saga(run.plan, run.records).states[name]
    known_as, errors = f"{name}@{taken.id}", outcome.errors.get(name, ()) if outcome else ()
    failures = outcome.failures if outcome else ()
    why = f" ({failures[0]})" if failures else ""
    well = _at(run.plan, name, run.records, StepKind.CONFIRM, Mark.DONE)
    if state is GroupState.DONE or (state is GroupState.INCOMPLETE and well):
        stopped_at = _at(failed.plan, name, failed.records, StepKind.SET_ASIDE, Mark.INTENT) or taken.taken_at
        apart = max(0.0, stopped_at - taken.taken_at - taken.frozen_s)
        text = (
            f"it runs again as it was at {known_as}: the {format_seconds(apart)} that it ran on after that, and"
            " what its successor did, are lost; its connections are closed"
        )
        ran_at = _at(run.plan, name, run.records, StepKind.RESTORE, Mark.DONE)
        unhealthy = next((r.result.unhealthy for r in run.records if isinstance(r.result, HealthSeen)), "")
        text += f"; it is not healthy: {unhealthy}" if unhealthy else ""
        ended = GroupState.PUT_BACK if state is GroupState.DONE else state
        return Returned(ended, text, errors, failures, ran_at)
    if state is GroupState.PUT_BACK:
        became = next((r.result.became for r in run.records if isinstance(r.result, WentBack)), "")
        text = f"it could not go back to {known_as}, which is kept{why}: {became or 'it does not run'}"
        ran_at = _at(run.plan, name, run.records, StepKind.FETCH, Mark.UNDONE) if became else None
        return Returned(state, text, errors, failures, ran_at)
    text = f"it does not surely run: going back to {known_as}, which is kept, has not ended{why}"
    return Returned(state if state.ended else GroupState.INCOMPLETE, text, errors, failures)


def _at(plan: Plan, name: str, records: Iterable[Record], kind: StepKind, mark: Mark) -> float | None:
    """When the workload's step of this kind got its mark, in seconds since the epoch."""
    step = plan.sibling(plan.groups[name][0], kind)
    return next((record.at for record in records if (record.step, record.mark) == (step.id, mark)), None)
