"""A lost journal, rebuilt: which steps of a hand-over must have begun, judging by the markers on its two hosts."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.model.plan import Move, Phase, Plan, StepKind
from reconciler.model.record import Mark
from reconciler.model.world import Marker

BEFORE_COMMIT = (StepKind.RESERVE, StepKind.STAGE, StepKind.PRECOPY, StepKind.HOLD, StepKind.TRANSFER)
AFTER_COMMIT = (StepKind.COMMIT, StepKind.RESTORE, StepKind.CONFIRM, StepKind.RETIRE)


def marks_from_markers(
    plan: Plan, workload: str, source: Marker | None, destination: Marker | None
) -> list[tuple[str, Mark]]:
    """Step ids of the workload with the mark each must have had, in order. None for a host that was not seen.

    Before the commit every step that may have begun is an intent: going back undoes all of them, and undoing
    what never happened changes nothing. A source that was not seen may be held, and its images be all that is
    left of it: they are kept until it runs again. From the commit on, what the destination's marker proves is
    done. A source that is verified under a higher epoch was about to take the workload back: that goes on, with
    its proof.
    """
    phases = {m.phase for m in (source, destination) if m and m.epoch >= plan.moves[workload].epoch}
    steps = plan.groups[workload]
    by_kind = {s.kind: s.id for s in steps}
    shared = [(s.id, Mark.DONE) for s in steps if s.kind not in (*BEFORE_COMMIT, *AFTER_COMMIT)]
    destination_phase = destination.phase if destination else ""
    proven = (*BEFORE_COMMIT, *AFTER_COMMIT[:3])
    mark = Mark.INTENT
    done: tuple[StepKind, ...]
    begun: tuple[StepKind, ...]
    if source and source.phase == Phase.VERIFIED and source.epoch > plan.moves[workload].epoch:
        done, begun, mark = BEFORE_COMMIT, (StepKind.COMMIT,), Mark.UNDO
    elif gone_on(plan.moves[workload], source, destination) or destination_phase in (
        Phase.CONFIRMED,
        Phase.RUNNING,
    ):
        done, begun = proven, (StepKind.RETIRE,)
    elif destination_phase == Phase.COMMITTED:
        done, begun = (*BEFORE_COMMIT, StepKind.COMMIT), (StepKind.RESTORE,)
    elif Phase.COMMITTED in phases or Phase.RETIRED in phases:
        done, begun = BEFORE_COMMIT, (StepKind.COMMIT,)
    elif source is None or phases & {Phase.HELD, Phase.VERIFIED}:
        done, begun = BEFORE_COMMIT[:3], (StepKind.HOLD,)
    else:
        done, begun = (StepKind.RESERVE,), (StepKind.STAGE,)
    return [
        *shared,
        *((by_kind[kind], Mark.DONE) for kind in done if kind in by_kind),
        *((by_kind[kind], mark) for kind in begun if kind in by_kind),
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
    steps = plan.groups[workload]
    return [(step.id, mark) for step in steps if clean or step.kind is not StepKind.STAGE]


def gone_on(move: Move, source: Marker | None, destination: Marker | None) -> bool:
    """Whether the workload has left the destination since in a later hand-over, while the source is still held: it
    only has to be let go."""
    held = source and (source.role, source.phase, source.epoch) == ("source", Phase.COMMITTED, move.epoch)
    return bool(held and destination and destination.epoch > move.epoch + 1)


def superseded(move: Move, run: str, markers: Iterable[Marker]) -> bool:
    """Whether a later hand-over, or one that another controller planned from the same state, has the workload by
    now: then nothing of this one is left to be finished or undone. Going back has the epoch after the move's."""
    newest = max(markers, key=lambda m: m.epoch, default=None)
    if newest is None or newest.epoch < move.epoch:
        return False
    return newest.epoch > move.epoch + 1 or (newest.run != run and newest.run != "")
