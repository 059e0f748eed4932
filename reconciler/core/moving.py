"""Changes under way, as those who look on see them: what was done, what goes on now, how many bytes of it, how
fast, and for how long a workload has stood still. From a run's records and what was told beside them. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.accuracy import frozen_seconds
from reconciler.core.saga import GroupState, Saga
from reconciler.model.amount import Amount
from reconciler.model.command import Bytes, Seconds
from reconciler.model.plan import Change, ChangeKind, Plan, Step, StepKind
from reconciler.model.record import Mark, Record, Run

NO_AMOUNTS: Mapping[str, Amount] = {}
BEGUN = (Mark.INTENT, Mark.UNDO)
"""The last mark of a step that is being done, or undone."""
LEAST: Seconds = 0.2
"""Seconds of a copy that say nothing yet of how fast it is."""
STALLED: Seconds = 3.0
"""Seconds without a word after which it counts as slower: whoever copies tells twice a second."""


@dataclass(frozen=True)
class StepSeen:
    """One step. `mark` None: it has not begun; `took_s`: until its outcome, or until now."""

    kind: StepKind
    host: str
    peer: str
    mark: Mark | None
    took_s: Seconds | None = None

    @property
    def now(self) -> bool:
        return self.mark in BEGUN


@dataclass(frozen=True)
class Copying:
    """A copy under way. `total` is what was expected, never less than `done`; `rate` in bytes a second, since the
    copy began; `left_s` None where nothing can be said."""

    kind: StepKind
    done: Bytes
    total: Bytes
    rate: float | None
    left_s: Seconds | None


@dataclass(frozen=True)
class Moving:
    """The change of one workload under way. `frozen_s`: for how long its tasks stand still by now, or have stood;
    None where they did not. `carried_on`: a living controller works on it."""

    run: str
    workload: str
    kind: ChangeKind
    source: str
    destination: str
    state: GroupState
    steps: tuple[StepSeen, ...]
    elapsed_s: Seconds
    frozen_s: Seconds | None = None
    frozen_now: bool = False
    predicted_s: Seconds | None = None
    most_s: Seconds | None = None
    copying: Copying | None = None
    carried_on: bool = True

    @property
    def done(self) -> int:
        return sum(step.mark is Mark.DONE for step in self.steps)


def moving(
    runs: Iterable[Run], amounts: Mapping[str, Mapping[str, Amount]], carried_on: Collection[str], now: float
) -> list[Moving]:
    """Of runs that have not ended, the changes that have not: moves first. `amounts`: by run and step;
    `carried_on`: workloads that a living controller has locked; `now`: seconds since the epoch."""
    found = []
    for run in runs:
        told = amounts.get(run.id, NO_AMOUNTS)
        changes = {change.workload: change for change in run.plan.changes}
        for name, state in Saga(run.plan, run.records).states.items():
            if name in changes and (not state.ended or state is GroupState.IN_DOUBT):
                found.append(_moving(run, changes[name], state, told, name in carried_on, now))
    return sorted(found, key=lambda one: (one.kind is not ChangeKind.MOVE, one.run, one.workload))


def _moving(
    run: Run, change: Change, state: GroupState, told: Mapping[str, Amount], carried_on: bool, now: float
) -> Moving:
    name, plan = change.workload, run.plan
    records = run.records_of(name)
    last = {record.step: record for record in records}
    steps = plan.groups[name]
    move = plan.moves.get(name)
    frozen = frozen_seconds(run, name)
    since = None if frozen is not None else _frozen_since(steps, records)
    return Moving(
        run=run.id,
        workload=name,
        kind=change.kind,
        source=change.source or "",
        destination=change.destination or "",
        state=state,
        steps=tuple(_seen(step, records, now) for step in steps),
        elapsed_s=max(0.0, now - run.started_at),
        frozen_s=frozen if since is None else max(0.0, now - since),
        frozen_now=since is not None,
        predicted_s=move.predicted_downtime_s if move else None,
        most_s=move.predicted_most_s if move else None,
        copying=_copying(plan, steps, last, told, now),
        carried_on=carried_on,
    )


def _seen(step: Step, records: Sequence[Record], now: float) -> StepSeen:
    own = [record for record in records if record.step == step.id]
    if not own:
        return StepSeen(step.kind, step.host, step.peer or "", None)
    began = next((record.at for record in reversed(own) if record.mark in BEGUN), own[0].at)
    until = now if own[-1].mark in BEGUN else own[-1].at
    return StepSeen(step.kind, step.host, step.peer or "", own[-1].mark, max(0.0, until - began))


def _frozen_since(steps: Sequence[Step], records: Sequence[Record]) -> float | None:
    """When the tasks were asked to stand still, where nothing has made them go on since."""
    kinds = {step.id: step.kind.traits for step in steps}
    since: float | None = None
    for record in records:
        traits = kinds[record.step]
        if traits.freezes and record.mark is Mark.INTENT and since is None:
            since = record.at
        elif (traits.freezes and record.mark is Mark.UNDONE) or (traits.thaws and record.mark is Mark.DONE):
            since = None
    return since


def _copying(
    plan: Plan, steps: Sequence[Step], last: Mapping[str, Record], told: Mapping[str, Amount], now: float
) -> Copying | None:
    """The last copy that has begun and not ended."""
    for step in reversed(steps):
        record, amount = last.get(step.id), told.get(step.id)
        if record is None or record.mark is not Mark.INTENT:
            continue
        if amount is None or amount.at < record.at:
            if step.expected_bytes:
                return Copying(step.kind, 0, step.expected_bytes, None, None)
            continue
        heard = amount.at if now - amount.at <= STALLED else now
        took = heard - record.at
        rate = amount.done / took if took >= LEAST else None
        left = max(0, step.expected_bytes - amount.done)
        left_s = left / rate if rate and step.expected_bytes else None
        return Copying(step.kind, amount.done, max(step.expected_bytes, amount.done), rate, left_s)
    return None
