"""A lost journal, rebuilt: which steps of a hand-over must have begun, judging by the markers on its two hosts."""

from __future__ import annotations

from reconciler.model.plan import Phase, Plan, StepKind
from reconciler.model.record import Mark
from reconciler.model.world import Marker

BEFORE_COMMIT = (StepKind.RESERVE, StepKind.STAGE, StepKind.PRECOPY, StepKind.HOLD, StepKind.TRANSFER)
AFTER_COMMIT = (StepKind.COMMIT, StepKind.RESTORE, StepKind.CONFIRM, StepKind.RETIRE)


def marks_from_markers(
    plan: Plan, workload: str, source: Marker | None, destination: Marker | None
) -> list[tuple[str, Mark]]:
    """Step ids of the workload with the mark each must have had, in order. None for a host that was not seen.

    Before the commit every step that may have begun is an intent: going back undoes all of them, and undoing
    what never happened changes nothing. From the commit on, what the destination's marker proves is done.
    """
    phases = {m.phase for m in (source, destination) if m and m.epoch >= plan.moves[workload].epoch}
    steps = [s for s in plan.steps if s.workload == workload]
    by_kind = {s.kind: s.id for s in steps}
    shared = [(s.id, Mark.DONE) for s in steps if s.kind not in (*BEFORE_COMMIT, *AFTER_COMMIT)]
    destination_phase = destination.phase if destination else ""
    if destination_phase in (Phase.CONFIRMED, Phase.RUNNING):
        done: tuple[StepKind, ...] = (*BEFORE_COMMIT, *AFTER_COMMIT[:3])
        begun: tuple[StepKind, ...] = (StepKind.RETIRE,)
    elif destination_phase == Phase.COMMITTED:
        done, begun = (*BEFORE_COMMIT, StepKind.COMMIT), (StepKind.RESTORE,)
    elif Phase.COMMITTED in phases or Phase.RETIRED in phases:
        done, begun = BEFORE_COMMIT, (StepKind.COMMIT,)
    elif phases & {Phase.HELD, Phase.VERIFIED}:
        done, begun = BEFORE_COMMIT[:3], (StepKind.HOLD,)
    else:
        done, begun = (StepKind.RESERVE,), (StepKind.STAGE,)
    return [
        *shared,
        *((by_kind[kind], Mark.DONE) for kind in done if kind in by_kind),
        *((by_kind[kind], Mark.INTENT) for kind in begun if kind in by_kind),
    ]


def settled_marks(
    plan: Plan, workload: str, source: Marker | None, destination: Marker | None
) -> list[tuple[str, Mark]] | None:
    """Step ids with the mark that ends each, when the markers show that another controller has brought the
    hand-over to its end meanwhile; None when it is still unfinished, or that cannot be told.

    A fenced destination need not be clean: unless the workload has gone on since, that is done once more."""
    move = plan.moves[workload]
    owners = [m for m in (source, destination) if m and m.phase == Phase.RUNNING and m.epoch >= move.epoch]
    if len(owners) != 1 or source is None or destination is None:
        return None
    other = destination if owners[0] is source else source
    if other.phase not in (Phase.RETIRED, Phase.FENCED):
        return None
    mark = Mark.UNDONE if owners[0] is source else Mark.DONE
    clean = mark is Mark.DONE or max(source.epoch, destination.epoch) > move.epoch + 1
    steps = [s for s in plan.steps if s.workload == workload]
    return [(step.id, mark) for step in steps if clean or step.kind is not StepKind.STAGE]
