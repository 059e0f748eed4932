"""How an apply ended: what was done, what failed and why, what was put back, and the one next command."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.cli.views.layout import labelled
from reconciler.cli.views.rehearsed import instant
from reconciler.cli.views.status import render_status
from reconciler.cli.views.style import paint
from reconciler.commands.app import Applied
from reconciler.commands.recover import Resumed, rows
from reconciler.core.criu_errors import translate
from reconciler.core.saga import GroupState
from reconciler.engine.execute import INTERRUPTED, Outcome
from reconciler.model.copying import ENDING
from reconciler.model.ending import Ending
from reconciler.model.event import Untidied
from reconciler.model.plan import Change, ChangeKind, Step, StepKind

MOST_LINES = 6
"""Lines of an error that are shown after its first one."""

NOTHING = "Nothing to do: the hosts are as specified."
UNTOUCHED = {
    Ending.REFUSED: "Refused; nothing was changed.",
    Ending.DECLINED: "Nothing was changed.",
    Ending.UNSEEN: "No host could be seen; nothing was changed.",
    Ending.INTERRUPTED: "Interrupted; nothing was changed.",
}
"""Of an apply that began nothing, although it was not as specified."""

DONE_WORD = {
    ChangeKind.CREATE: "created on {destination}",
    ChangeKind.START: "started on {source}",
    ChangeKind.STOP: "stopped on {source}",
    ChangeKind.UPDATE: "changed on {source} while it ran",
    ChangeKind.RECREATE: "made anew on {destination}",
    ChangeKind.MOVE: "moved {source} -> {destination}",
    ChangeKind.REMOVE: "removed from {source}",
    ChangeKind.RESTORE: "restored on {destination}",
    ChangeKind.CHECKPOINT: "saved on {source}, and runs on",
}


def _frozen(applied: Applied, name: str) -> str:
    if applied.outcome and (stopped := applied.outcome.stopped.get(name)) is not None:
        return f"; it did not run for {stopped:.2f} s"
    move, frozen = applied.plan.moves.get(name), applied.outcome.frozen.get(name) if applied.outcome else None
    if move is None or frozen is None:
        return ""
    least, most = f"{move.predicted_downtime_s:.1f}", f"{move.predicted_most_s:.1f}"
    predicted = f"{least} to {most} s" if move.predicted_most_s > move.predicted_downtime_s else f"{least} s"
    return f"; frozen for {frozen:.2f} s, predicted {predicted}"


def render_applied(applied: Applied, ending: Ending, color: bool) -> str:
    """The end of an apply, workload by workload, and what could not be tidied after it."""
    return "\n".join([_render_outcome(applied, ending, color), *_untidied(applied.untidied, color)])


def _untidied(warnings: Sequence[Untidied], color: bool) -> list[str]:
    return [f"{paint('yellow', '!', color)} {text}" for text in warnings]


def _render_outcome(applied: Applied, ending: Ending, color: bool) -> str:
    if applied.outcome is None:
        return paint("red", UNTOUCHED[ending], color) if ending in UNTOUCHED else NOTHING
    lines = [""]
    for change in applied.plan.changes:
        state = applied.outcome.groups[change.workload]
        lines += _workload(change, state, applied, color)
    told = ending.told(applied.counted)
    return "\n".join([*lines, "", f"{told[0].upper()}{told[1:]}. Run {applied.run}."])


def _workload(change: Change, state: GroupState, applied: Applied, color: bool) -> list[str]:
    assert applied.outcome
    name = change.workload
    if state is GroupState.DONE:
        did = DONE_WORD[change.kind].format(source=change.source, destination=change.destination)
        lines = [f"{paint('green', '+', color)} {name} {did}{_frozen(applied, name)}"]
        return [*lines, *_beside(applied.outcome, name)]
    verdict, then = _verdict(change, state, applied.outcome.errors.get(name, ()), _keeps(change, applied))
    if state is GroupState.PUT_BACK and _only_stopped(applied.outcome, name):
        verdict, then = f"stopped as you asked, put back{_keeps(change, applied)}", "reconcile apply"
    if name in applied.where and state not in (GroupState.PUT_BACK, GroupState.SKIPPED):
        then = ""  # what is still unfinished is shown once, behind everything
    lines = [f"{paint('red', 'x', color)} {name}: {verdict}"]
    for step, undo, text in applied.outcome.errors.get(name, ()):
        what = f"{'undoing ' if undo else ''}{step.kind.value} on {step.host}"
        first, *rest = text.splitlines() or [""]
        lines.append(_row(what, first))
        if len(rest) > MOST_LINES:
            lines.append(_row("", f"... {len(rest) - MOST_LINES} more lines: reconcile history {name}"))
        lines += [_row("", line) for line in rest[-MOST_LINES:]]
        if known := translate(text):
            lines += [_row("that means", known.cause), _row("what helps", known.fix)]
    return [*lines, _row("next", then)] if then else lines


def _beside(outcome: Outcome, name: str) -> list[str]:
    """The old version's copy; why there is none is a warning of its own."""
    made = outcome.beside.get(name)
    if made is None or made.failure:
        return []
    called = made.name.removesuffix(ENDING)
    ill = f"; its health check says: {made.unhealthy}" if made.unhealthy else ""
    text = f"{called} on {made.host}, as it was at {made.checkpoint}, until {instant(made.until)}{ill}"
    return [_row("beside it", text), _row("to look into it", f"reconcile exec {called} -- sh")]


def _row(label: str, text: str) -> str:
    return labelled(label, text, indent=4, column=23)


def _only_stopped(outcome: Outcome, name: str) -> bool:
    """Whether nothing was wrong but that somebody asked to stop."""
    return outcome.cancelled and all(text == INTERRUPTED for _, _, text in outcome.errors.get(name, ()))


def _keeps(change: Change, applied: Applied) -> str:
    """Where a workload runs that was put back: as somebody saw it since, else as going back says."""
    name = change.workload
    if applied.outcome and (became := applied.outcome.became.get(name)):
        return f"; {became}{_frozen(applied, name)}"
    if name in applied.where:
        return f"; it runs on {applied.where[name]}" if applied.where[name] else "; it does not run"
    return f"; it runs on {change.source}" if change.kind is ChangeKind.MOVE else ""


def _verdict(
    change: Change, state: GroupState, errors: tuple[tuple[Step, bool, str], ...], keeps: str
) -> tuple[str, str]:
    moves = change.kind is ChangeKind.MOVE
    match state:
        case GroupState.PUT_BACK:
            return f"failed, put back{keeps}", "mend the cause, then: reconcile apply"
        case GroupState.SKIPPED:
            return f"not started{keeps}", "reconcile apply"
        case GroupState.IN_DOUBT:
            return "in doubt: nothing will start it until its owner is known", "reconcile resume"
        case GroupState.INCOMPLETE if moves:
            if errors and errors[-1][0].kind is StepKind.MIGRATE and not errors[-1][1]:
                places = f"{change.source} or {change.destination}"
                return (
                    f"not known yet whether it runs on {places}; nothing will start it meanwhile",
                    "reconcile resume",
                )
            undone = [step.kind for step, undo, _ in errors if undo]
            if StepKind.HOLD in undone:
                return f"failed, and {change.source} could not be told to go on yet", "reconcile resume"
            if undone:
                return f"failed, put back{keeps}; {change.destination} remains to be tidied", "reconcile resume"
            return f"moved to {change.destination}; {change.source} remains to be tidied", "reconcile resume"
        case GroupState.INCOMPLETE:
            return "something remains to be tidied", "reconcile resume"
        case _:
            return "stopped before its end", "reconcile resume"


def render_resumed(resumed: Resumed, ending: Ending, color: bool) -> str:
    """The end of a resume: every run that was taken up again, and what is still unfinished, as `status` says."""
    parts = [render_applied(applied, Ending(applied.state), color).lstrip("\n") for applied in resumed.runs]
    if resumed.left.open or resumed.left.world.unknown():
        parts.append(render_status(resumed.left.world, rows(resumed.left), color))
    if ending is Ending.INTERRUPTED:
        parts.append(paint("red", "Interrupted.", color))
    return "\n".join([*(parts or ["Nothing is unfinished."]), *_untidied(resumed.untidied, color)])
