"""The old version beside the new one: what an update has saved first comes up once more as a copy, when its
successor is well.

Runs of their own, which belong to the update's and end before it: one in which an earlier copy of that name goes,
and one that is a restore under another name like `restore --as`. Whatever becomes of them the update is done, so
what keeps the copy from being made is a warning, with the command that makes it. A `resume` of the update goes on
with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.core.comeback import misfits
from reconciler.core.copying import discard_plan, in_the_way, labelled, named, until
from reconciler.core.index import Index
from reconciler.core.returning import Return, comeback_plan, run_beside
from reconciler.core.saga import GroupState, Saga
from reconciler.core.saving import as_it_was
from reconciler.engine.execute import Executor
from reconciler.engine.leading import KeptBeside
from reconciler.engine.observe import observe
from reconciler.errors import CommandFailed, Interrupted, JournalError, Locked, ReconcilerError
from reconciler.model.base import parse_duration
from reconciler.model.checkpoint import Kept, Manifest
from reconciler.model.copying import ENDING, CopyLabels
from reconciler.model.event import Untidied
from reconciler.model.plan import Plan, StepKind
from reconciler.model.record import Run
from reconciler.model.result import CheckpointTaken, HealthSeen
from reconciler.model.saving import PlannedBeside
from reconciler.model.spec import Spec
from reconciler.runtimes import registry
from reconciler.runtimes.base import Secludes
from reconciler.state.identity import owner
from reconciler.state.store import UNFINISHED

if TYPE_CHECKING:
    from reconciler.commands.compose import Outside

NOT_BESIDE = "C387"


async def keep_beside(outside: Outside, done: Executor, name: str) -> KeptBeside:
    """Make it, or find how that ended. Only a journal that fails, or has another owner, ends the update's run."""
    wanted = done.plan.captures[name].beside
    assert wanted is not None, name
    known_as = f"{name}@{done.run}"
    try:
        return await _made(outside, done, name, wanted)
    except (JournalError, Locked):
        raise
    except ReconcilerError as error:
        called = wanted.name.removesuffix(ENDING)
        again = f"reconcile restore {known_as} --as {called} --to {wanted.host} --ttl {wanted.ttl}"
        if isinstance(error, _Unended):
            again = "reconcile resume, then " + again
        text = (
            f"the old version of {name} is not beside the new one, which is well: {error}; to try again: {again}"
        )
        outside.warn(Untidied(NOT_BESIDE, text, wanted.host))
        return KeptBeside(wanted.name, wanted.host, known_as, failure=error)


class _Unended(CommandFailed):
    """What only a resume can end."""


async def _made(outside: Outside, done: Executor, name: str, wanted: PlannedBeside) -> KeptBeside:
    taken = done.steps.results.get(done.plan.sibling(done.plan.groups[name][0], StepKind.CAPTURE).id)
    if not isinstance(taken, CheckpointTaken):
        raise CommandFailed("the journal does not say what was saved", code=NOT_BESIDE, where=done.run)
    begun = done.journal.known(run_beside(done.run, name))
    if begun is None:
        if done.cancelled:
            raise Interrupted("stopped as you asked")
        index = await _looked(outside, done.plan)
        if await _earlier_went(outside, done, name, wanted, index):
            index = await _looked(outside, done.plan)
        plan = _plan(outside, done, wanted, taken.manifest, index)
        begun = await _begin(outside, done, run_beside(done.run, name), plan)
    unhealthy = await _carried_out(outside, done, begun, wanted.name)
    says = CopyLabels.read(begun.plan.workloads[wanted.name].metadata.labels)
    return KeptBeside(wanted.name, wanted.host, says.of, says.until, unhealthy)


async def _looked(outside: Outside, plan: Plan) -> Index:
    return Index.of(await observe(outside.fleet, outside.drivers, sorted(plan.hosts)))


async def _earlier_went(outside: Outside, done: Executor, name: str, wanted: PlannedBeside, index: Index) -> bool:
    """That of an earlier update goes from the hosts that this one has a part in; whether there was one."""
    ours = {place for step in done.plan.groups[name] for place in (step.host, step.peer)}
    earlier = [found for found in named(wanted.name, index) if found.settled and found.host in ours]
    for found in earlier:
        run = run_beside(done.run, name, found.host)
        begun = done.journal.known(run)
        if begun is None:
            spec = Spec(hosts=done.plan.hosts, commit=done.plan.commit)
            plan = discard_plan(found, spec, index, f"the old version of {name} takes its place")
            begun = await _begin(outside, done, run, plan)
        await _carried_out(outside, done, begun, wanted.name)
    return bool(earlier)


def _plan(outside: Outside, done: Executor, wanted: PlannedBeside, taken: Manifest, index: Index) -> Plan:
    """From the spec that it was made from, as the update's plan has it; the archive has no say in that."""
    plan, name = done.plan, taken.workload
    workload, facts = as_it_was(plan.captures[name]), index.seen.get(wanted.host)
    if workload is None or facts is None:
        why = index.unknown.get(wanted.host, "nobody knows the spec that it was made from")
        raise CommandFailed("no copy of it can be made", code=NOT_BESIDE, where=wanted.host, why=why)
    runtime = registry.need(outside.drivers, workload.spec.runtime, "secludes")
    assert isinstance(runtime, Secludes)
    says = CopyLabels(f"{name}@{done.run}", until(outside.now(), parse_duration(wanted.ttl)))
    alone = labelled(runtime.secluded(workload, wanted.name), says)
    found = [*misfits(taken, workload, facts), *in_the_way(wanted.name, taken, index, facts)]
    if found:
        why, fix = "; ".join(one.text for one in found), found[0].fix
        raise CommandFailed("no copy of it can be made", code=NOT_BESIDE, where=wanted.host, why=why, fix=fix)
    outside.secrets(alone)  # what is missing is said before anything is made
    back = Return(
        workload=alone,
        kept=Kept(plan.captures[name].at, name, done.run, manifest=taken),
        manifest=taken,
        host=wanted.host,
        beside=frozenset(),
        policy=plan.policy_of(name).model_copy(update={"on_unhealthy": "stay"}),
        age_s=max(0.0, outside.now() - taken.taken_at),
        copy_of=name,
        why=f", as the copy {wanted.name}",
    )
    spec = Spec(hosts=plan.hosts, workloads={name: workload}, networks=plan.networks, commit=plan.commit)
    return comeback_plan(back, spec, index)


async def _begin(outside: Outside, done: Executor, run: str, plan: Plan) -> Run:
    new = Run(id=run, plan=plan, started_at=outside.now(), actor=owner(), commit=plan.commit)
    await done.journal.begin(new)
    return new


async def _carried_out(outside: Outside, done: Executor, run: Run, name: str) -> str:
    """To its end; what its health check said. Raises what kept it from being done."""
    if run.state not in UNFINISHED:
        state, cause = Saga(run.plan, run.records).states[name], None
        results = [record.result for record in run.records]
    else:
        recovering = frozenset({name}) if run.records else frozenset()
        executor = outside.executor(
            run.plan, run.id, done.journal, report=done.report, records=run.records, recovering=recovering
        )
        outcome = await outside.carry_out(done.lead_to(executor))
        state, cause = outcome.groups[name], next(iter(outcome.failures), None)
        results = list(executor.steps.results.values())
    if state not in (GroupState.DONE, GroupState.PUT_BACK, GroupState.SKIPPED):
        raise _Unended("it has not ended", code=NOT_BESIDE, where=run.id, why=str(cause or ""))
    if state is not GroupState.DONE:
        raise cause or Interrupted("stopped before it was there")
    return next((one.unhealthy for one in results if isinstance(one, HealthSeen)), "")
