"""What was tried already, and put back: said by plans, so that nobody tries it again unawares. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.core.saga import GroupState, Saga
from reconciler.core.tending import wanted_digest
from reconciler.model.plan import ChangeKind, Finding, Plan
from reconciler.model.record import Mark, Run

RULE = "update.put-back"


def asked_again(plan: Plan) -> tuple[str, ...]:
    """Workloads that go back to a checkpoint when what the plan makes of them fails."""
    return tuple(
        change.workload
        for change in plan.changes
        if change.kind is ChangeKind.RECREATE
        and (capture := plan.captures.get(change.workload)) is not None
        and capture.goes_back
    )


def put_back(plan: Plan, name: str, runs: Iterable[Run]) -> Iterator[Finding]:
    """That the last one of these runs, newest first, that made the workload anew by the same spec was put
    back."""
    wanted = wanted_digest(plan, name)
    for run in runs:
        if name not in run.plan.captures or wanted_digest(run.plan, name) != wanted:
            continue
        steps = {step.id for step in run.plan.groups.get(name, ())}
        failed = [r for r in run.records if r.step in steps and r.mark is Mark.FAILED and r.note]
        if failed and Saga(run.plan, run.records).states.get(name) is GroupState.PUT_BACK:
            yield Finding(
                rule=RULE,
                severity="warn",
                workload=name,
                host=next(c.source or "" for c in plan.changes if c.workload == name),
                message=f"its spec was tried, and put back (run {run.id}): {failed[0].note.splitlines()[0]}",
                fix="change the spec, or take the commit back; to try it once more: reconcile apply",
            )
        return
