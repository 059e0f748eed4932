"""A lost journal, rebuilt: which steps of a hand-over must have begun, judging by the markers on its two hosts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconciler.core.index import Index
from reconciler.core.returning import failed_run
from reconciler.core.saga import BEGUN, GroupState, next_actions
from reconciler.model.plan import Move, Phase, Plan, Step, StepKind
from reconciler.model.record import Mark, Record, Run
from reconciler.model.world import Marker, World

BEFORE_COMMIT = (StepKind.RESERVE, StepKind.STAGE, StepKind.PRECOPY, StepKind.HOLD, StepKind.TRANSFER)
AFTER_COMMIT = (StepKind.COMMIT, StepKind.RESTORE, StepKind.DRAIN, StepKind.CONFIRM, StepKind.RETIRE)


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
    steps = plan.groups[workload]
    if plan.moves[workload].by_runtime:
        return _marks_by_runtime(plan.moves[workload], steps, source, destination)
    if plan.moves[workload].comeback:
        return _marks_of_comeback(plan.moves[workload], steps, destination)
    phases = {m.phase for m in (source, destination) if m and m.epoch >= plan.moves[workload].epoch}
    by_kind = {s.kind: s.id for s in steps}
    shared = [(s.id, Mark.DONE) for s in steps if s.kind not in (*BEFORE_COMMIT, *AFTER_COMMIT)]
    destination_phase = destination.phase if destination else ""
    proven = (*BEFORE_COMMIT, *AFTER_COMMIT[:-1])
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


def _marks_by_runtime(
    move: Move, steps: Sequence[Step], source: Marker | None, destination: Marker | None
) -> list[tuple[str, Mark]]:
    """The same for a move that the runtime makes by itself. The markers do not say where it runs: `migrate`
    asks, and begins nothing that has ended."""
    settling = destination is not None and destination.phase == Phase.RUNNING and destination.epoch >= move.epoch
    staying = source is not None and source.phase == Phase.RUNNING and source.epoch > move.epoch
    found: list[tuple[str, Mark]] = []
    for step in steps:
        if step.kind is StepKind.RESERVE and staying:
            return [*found, (step.id, Mark.UNDO)]
        if (step.kind is StepKind.MIGRATE and not settling) or step.kind is StepKind.SETTLE:
            return [*found, (step.id, Mark.INTENT)]
        found.append((step.id, Mark.DONE))
    return found


def _marks_of_comeback(move: Move, steps: Sequence[Step], here: Marker | None) -> list[tuple[str, Mark]]:
    """The same for a workload that comes back from a checkpoint. Before its commit nothing runs anywhere, and
    where its files were laid out is not known any more: it goes back. From the commit on it goes on."""
    phase = here.phase if here is not None and here.epoch == move.epoch else ""
    begun = {Phase.COMMITTED.value: StepKind.RESTORE, Phase.CONFIRMED.value: StepKind.RETIRE}
    at = begun.get(phase) or (StepKind.RETIRE if phase == Phase.RUNNING else StepKind.STAGE)
    found: list[tuple[str, Mark]] = []
    for step in steps:
        if step.kind is at:
            return [*found, (step.id, Mark.UNDO if at is StepKind.STAGE else Mark.INTENT)]
        found.append((step.id, Mark.DONE))
    return found


def _settled_comeback(move: Move, steps: Sequence[Step], here: Marker | None) -> list[tuple[str, Mark]] | None:
    """It runs, or has run since; or it was undone, after which what is left of it is tidied once more. What was
    there before a restore that was undone has it under the epoch after the move's: nothing had been staged; and
    what was set aside is about to run again under the next one."""
    returns = move.comeback is not None and move.comeback.returns
    undone = (1, 2) if returns else (1,)
    left = (StepKind.STAGE, StepKind.FETCH) if returns else (StepKind.STAGE,)
    if here is not None and here.phase == Phase.RUNNING and here.epoch - move.epoch in undone:
        return [(step.id, Mark.UNDONE) for step in steps if step.kind is not StepKind.FETCH]
    if here is not None and here.phase == Phase.RUNNING and here.epoch >= move.epoch:
        last = StepKind.RETIRE if here.epoch == move.epoch else None
        return [(step.id, Mark.DONE) for step in steps if step.kind is not last]
    if here is not None and here.phase in (Phase.FENCED, Phase.RETIRED) and here.epoch > move.epoch:
        over = here.epoch > move.epoch + 1
        return [(step.id, Mark.UNDONE) for step in steps if over or step.kind not in left]
    return None


def settled_marks(
    plan: Plan, workload: str, source: Marker | None, destination: Marker | None
) -> list[tuple[str, Mark]] | None:
    """Step ids with the mark that ends each, when the markers show that another controller has brought the
    hand-over to its end meanwhile; None when it is still unfinished, or that cannot be told.

    A fenced destination need not be clean, nor the link of a retired source closed: unless the workload has gone
    on since, the last step on the way is done once more."""
    move = plan.moves[workload]
    if move.comeback:
        return _settled_comeback(move, plan.groups[workload], destination)
    owners = [m for m in (source, destination) if m and m.phase == Phase.RUNNING and m.epoch >= move.epoch]
    if len(owners) != 1 or source is None or destination is None:
        return None
    other = destination if owners[0] is source else source
    if other.phase not in (Phase.RETIRED, Phase.FENCED):
        return None
    mark = Mark.UNDONE if owners[0] is source else Mark.DONE
    clean = max(source.epoch, destination.epoch) > move.epoch + 1
    last = StepKind.STAGE if mark is Mark.UNDONE else StepKind.RETIRE
    return [(step.id, mark) for step in plan.groups[workload] if clean or step.kind is not last]


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


def settling_marks(run: Run, workload: str, world: World) -> list[tuple[str, Mark]]:
    """What another controller has finished or undone of an open run meanwhile, as records still missing."""
    move = run.plan.moves.get(workload)
    if move is None:
        return []
    markers = dict(Index.of(world).markers.get(workload, ()))
    source, destination = markers.get(move.source), markers.get(move.destination)
    marks = settled_marks(run.plan, workload, source, destination)
    if move.comeback and move.comeback.returns:  # the run that led here takes things back, this one fences hosts
        markers = {host: m for host, m in markers.items() if m.run not in (run.id, failed_run(run.id))}
    if marks is None and not gone_on(move, source, destination) and superseded(move, run.id, markers.values()):
        marks = [(step.id, Mark.UNDONE) for step in run.plan.groups[workload]]
    if marks is None and committed_by_other(run, workload, source):
        begun = {StepKind.COMMIT: Mark.INTENT} | dict.fromkeys(BEFORE_COMMIT, Mark.DONE)
        marks = [(s.id, begun[s.kind]) for s in run.plan.groups[workload] if s.kind in begun]
    last = {record.step: record.mark for record in run.records}
    missing = [(step, mark) for step, mark in marks or () if last.get(step) is not mark]
    return [(step, mark) for step, mark in missing if mark is not Mark.UNDONE or step in last]


def committed_by_other(run: Run, workload: str, source: Marker | None) -> bool:
    """Whether the source is committed under this very run, which this journal knows nothing of."""
    commits = {s.id for s in run.plan.groups[workload] if s.kind.traits.commits}
    ours = source is not None and (source.run, source.epoch) == (run.id, run.plan.moves[workload].epoch)
    known = commits & {record.step for record in run.records}
    return ours and not known and source is not None and source.phase == Phase.COMMITTED


def what_resume_does(
    plan: Plan, workload: str, records: Sequence[Record]
) -> tuple[GroupState, frozenset[StepKind]]:
    """Which way a resume goes from these records, and the kinds of steps it has still to do, or to undo."""
    steps = plan.groups[workload]
    last = {record.step: record.mark for record in records}
    again = {Mark.LOST: Mark.INTENT, Mark.UNDO_FAILED: Mark.UNDO}
    asked = [Record(seq=0, step=s, mark=again[mark], at=0.0) for s, mark in last.items() if mark in again]
    state = next_actions(plan, [*records, *asked], recovering=frozenset({workload})).groups[workload]
    marks = last | {record.step: record.mark for record in asked}
    if state is GroupState.BACK:
        left = {s.kind for s in steps if s.kind.traits.undoable and marks.get(s.id) in (*BEGUN, Mark.UNDO)}
    elif state is GroupState.FORWARD or (state is GroupState.INCOMPLETE):
        left = {s.kind for s in steps if marks.get(s.id) is not Mark.DONE}
    else:
        left = set()
    return state, frozenset(left)
