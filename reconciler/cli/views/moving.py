"""Changes under way in words, for `reconcile top` and for the page of a watch."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.cli.views.layout import padded
from reconciler.cli.views.style import paint
from reconciler.core.moving import Copying, Moving, StepSeen
from reconciler.core.saga import GroupState
from reconciler.model.record import Mark
from reconciler.model.units import format_bytes, format_seconds

MARKS = {
    None: ("·", "to come"),
    Mark.INTENT: (">", "now"),
    Mark.DONE: ("+", "done"),
    Mark.FAILED: ("x", "failed"),
    Mark.LOST: ("?", "no answer came"),
    Mark.UNDO: ("<", "being undone"),
    Mark.UNDONE: ("<", "undone"),
    Mark.UNDO_FAILED: ("x", "could not be undone"),
}
"""How a step stands: a sign, and words for those who do not see it."""
BAR = 30


def where_text(one: Moving) -> str:
    """`h1 -> h2`, or the one host."""
    return " -> ".join(dict.fromkeys(filter(None, (one.source, one.destination))))


def stand_text(one: Moving) -> str:
    """How it stands in a line: `4 of 9 steps, for 12 s`."""
    words = {GroupState.BACK: ", going back", GroupState.IN_DOUBT: ", in doubt: nobody may start it"}
    return f"{one.done} of {len(one.steps)} steps{words.get(one.state, '')}, for {format_seconds(one.elapsed_s)}"


def frozen_text(one: Moving) -> str:
    """For how long it stands still, or stood; empty where it did not."""
    if one.frozen_s is None:
        return ""
    return f"{'frozen for' if one.frozen_now else 'was frozen for'} {format_seconds(one.frozen_s)}"


def predicted_text(low: float, high: float) -> str:
    """A prediction: `0.8 s`, or `0.8 s to 2.0 s`."""
    return format_seconds(low) if high <= low else f"{format_seconds(low)} to {format_seconds(high)}"


def copying_text(copy: Copying) -> str:
    """`transfer: 120 MiB of 512 MiB at 80 MiB/s, 4.9 s left`."""
    if copy.rate is None:
        return f"{copy.kind}: of {format_bytes(copy.total)}"
    text = f"{copy.kind}: {format_bytes(copy.done)} of {format_bytes(copy.total)} at {format_bytes(copy.rate)}/s"
    return text if copy.left_s is None else f"{text}, {format_seconds(copy.left_s)} left"


def step_text(step: StepSeen) -> str:
    """Where it is done, and how long it has taken."""
    copies = step.peer and step.kind.value.startswith(("transfer", "copy"))
    where = f"{step.peer} -> {step.host}" if copies else step.host
    return f"{where}, {format_seconds(step.took_s)}" if step.took_s is not None else where


def render_moving(found: Sequence[Moving], color: bool) -> str:
    """For a terminal: each change with its steps."""
    if not found:
        return "Nothing is being changed by a run of this journal."
    lines = []
    for one in found:
        lines.append(f"{paint('bold', one.workload, color)}  {one.kind} {where_text(one)}  (run {one.run})")
        lines.append(f"    {stand_text(one)}")
        if frozen := frozen_text(one):
            lines.append(f"    {paint('yellow', frozen, color) if one.frozen_now else frozen}{_predicted(one)}")
        if one.copying:
            lines.append(f"    {_bar(one.copying)} {copying_text(one.copying)}")
        if not one.carried_on:
            lines.append(f"    {paint('red', 'nobody carries it on', color)}; see how it stands: reconcile status")
        for step in one.steps:
            sign, words = MARKS[step.mark]
            told = "" if step.mark in (None, Mark.DONE, Mark.INTENT) else f"  {words}"
            lines.append(f"    {sign} {padded(step.kind.value, 16)} {step_text(step)}{told}")
    return "\n".join(lines)


def _predicted(one: Moving) -> str:
    if one.predicted_s is None:
        return ""
    return f", predicted {predicted_text(one.predicted_s, one.most_s or 0.0)}"


def _bar(copy: Copying) -> str:
    full = round(BAR * copy.done / copy.total) if copy.total else 0
    return f"[{'#' * full}{'.' * (BAR - full)}]"
