"""What earlier moves took, and what that says about the next one. Read from runs in the journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from reconciler.core.strategy import DEFAULT, EAGER_RESTORE_RATE, Rates
from reconciler.model.command import Bytes, Seconds
from reconciler.model.plan import StepKind
from reconciler.model.record import Mark, Run
from reconciler.model.result import CopyMade
from reconciler.model.spec import Strategy

RECENT = 8
"""How many moves between two hosts are looked at: enough for a median, few enough to follow changes."""
LARGE: Bytes = 32 * 2**20
"""Copies below this say more about starting programs than about the link."""
TOLERANCE = 0.30
"""A prediction counts as good within this share of what was measured."""


@dataclass(frozen=True)
class Measured:
    """One move that was carried out in one go. `frozen_s`: from the request to hold it until it was restored,
    which is what a client can have waited, apart from TCP's own timers. `drain_s`: from then until memory that
    follows from the source was there; 0 where none does."""

    run: str
    workload: str
    source: str
    destination: str
    strategy: Strategy
    memory: Bytes
    copied: Bytes
    hold_s: Seconds
    copy_s: Seconds
    restore_s: Seconds
    frozen_s: Seconds
    predicted_s: Seconds
    most_s: Seconds = 0.0
    drain_s: Seconds = 0.0

    @property
    def dumped(self) -> Bytes:
        """What was dumped in the freeze: after a pre-copy about what was copied in it, else all memory."""
        return min(self.memory, self.copied) if self.strategy is Strategy.PRECOPY else self.memory

    @property
    def nearest_s(self) -> Seconds:
        """What was predicted; of the range of a first move, what comes nearest."""
        return max(self.predicted_s, min(self.frozen_s, self.most_s))

    @property
    def good(self) -> bool:
        return abs(self.nearest_s - self.frozen_s) <= TOLERANCE * self.frozen_s


def frozen_seconds(run: Run, workload: str) -> Seconds | None:
    """Seconds from the start of the hold to the end of the restore, or of the way back; None when the workload
    was not frozen, or another controller ended it."""
    spans = _spans(run, workload)
    begin = spans.get((StepKind.HOLD, Mark.INTENT))
    end = spans.get((StepKind.RESTORE, Mark.DONE), spans.get((StepKind.HOLD, Mark.UNDONE)))
    return end - begin if begin is not None and end is not None else None


def stopped_seconds(run: Run, workload: str, ran_at: float | None = None) -> Seconds | None:
    """Seconds from when what runs was told to make room for its successor until that, or itself, was started;
    None where it was not, or runs no more. `ran_at`: when it ran again in another run."""
    spans, capture = _spans(run, workload), run.plan.captures.get(workload)
    begin = spans.get((StepKind.SET_ASIDE, Mark.INTENT))
    end = came_back = spans.get((StepKind.SET_ASIDE, Mark.UNDONE))
    if came_back is None:
        end = spans.get((StepKind.START, Mark.DONE))
    elif capture and capture.goes_back:
        end = ran_at
    return end - begin if begin is not None and end is not None else None


def measured_moves(runs: Iterable[Run]) -> list[Measured]:
    """Every move that went through, newest run first as given."""
    return [found for run in runs for name in run.plan.moves if (found := _measured(run, name))]


def rates(moves: Sequence[Measured], source: str, destination: str) -> Rates:
    """What recent moves between two hosts say about the next one; the defaults for what they do not say."""
    recent = [m for m in moves if (m.source, m.destination) == (source, destination)][:RECENT]
    links = [m.copied / m.copy_s for m in recent if m.copied >= LARGE and m.copy_s > 0]
    link = median(links) if links else DEFAULT.link
    drains = [m.memory / m.drain_s for m in recent if m.memory >= LARGE and m.drain_s > 0]
    holds = [m.hold_s - m.dumped / DEFAULT.dump for m in recent]
    starts = [m.copy_s - m.copied / link for m in recent]
    restores = [m.restore_s - _eager(m) for m in recent]
    return Rates(
        dump=DEFAULT.dump,
        link=link,
        hold_s=max(0.02, median(holds)) if holds else DEFAULT.hold_s,
        copy_s=max(0.0, median(starts)) if starts else DEFAULT.copy_s,
        restore_s=max(0.02, median(restores)) if restores else DEFAULT.restore_s,
        drain=median(drains) if drains else min(link, DEFAULT.drain),
        learned_from=len(recent),
        drained=len(drains),
    )


def _eager(move: Measured) -> Seconds:
    return 0.0 if move.strategy in (Strategy.LAZY, Strategy.POSTCOPY) else move.dumped / EAGER_RESTORE_RATE


def _spans(run: Run, workload: str) -> dict[tuple[StepKind, Mark], float]:
    """When each step of the workload got each mark, by this run's own controller."""
    kinds = {step.id: step.kind for step in run.plan.groups.get(workload, ())}
    found: dict[tuple[StepKind, Mark], float] = {}
    for record in run.records_of(workload):
        if not record.note:
            found.setdefault((kinds[record.step], record.mark), record.at)
    return found


def _measured(run: Run, workload: str) -> Measured | None:
    spans = _spans(run, workload)

    def took(kind: StepKind) -> Seconds | None:
        begin, end = spans.get((kind, Mark.INTENT)), spans.get((kind, Mark.DONE))
        return end - begin if begin is not None and end is not None else None

    hold, copy, restore = took(StepKind.HOLD), took(StepKind.TRANSFER), took(StepKind.RESTORE)
    frozen = frozen_seconds(run, workload)
    if hold is None or copy is None or restore is None or frozen is None:
        return None
    move = run.plan.moves[workload]
    assert move.strategy
    transfer = next(s.id for s in run.plan.groups[workload] if s.kind is StepKind.TRANSFER)
    arrived = (r for r in run.records_of(workload) if r.step == transfer and r.mark is Mark.DONE)
    copied = next((r.result.copied_bytes for r in arrived if isinstance(r.result, CopyMade)), 0)
    return Measured(
        run=run.id,
        workload=workload,
        source=move.source,
        destination=move.destination,
        strategy=move.strategy,
        memory=move.memory_bytes,
        copied=copied,
        hold_s=hold,
        copy_s=copy,
        restore_s=restore,
        frozen_s=frozen,
        predicted_s=move.predicted_downtime_s,
        most_s=move.predicted_most_s,
        drain_s=took(StepKind.DRAIN) or 0.0,
    )
