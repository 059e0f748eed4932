"""Progress on stderr: bars with bytes, rate and time left on a terminal, one line per step otherwise."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.cli.views.layout import folded, say, width_of
from reconciler.model.event import Event, Reporter, StepEnded, StepProgress, StepStarted
from reconciler.model.plan import Step
from reconciler.model.units import format_bytes, format_seconds
from reconciler.text import printable

WIDE = 120
"""Columns of a terminal that has room for everything there is to say of a copy."""


def title(step: Step, undo: bool = False) -> str:
    """A step in a few words: `web: transfer h1 -> h2`."""
    where = (
        f"{step.peer} -> {step.host}" if step.peer and step.kind.value in ("transfer", "copy-image") else step.host
    )
    return f"{step.workload}: {'undo ' if undo else ''}{step.kind.value} {where}"


def ended_line(event: StepEnded) -> str:
    """One finished step as a line."""
    mark = "?" if event.lost else "x" if event.error else "<" if event.undo else "+"
    text = f"  {mark} {title(event.step, event.undo):<44} {format_seconds(event.seconds):>8}"
    detail = _first(event.error or event.note, event.step.workload)
    return f"{text}  {detail}" if detail else text


def _first(text: str, workload: str) -> str:
    """The first line that says something, and where the others are."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        return "".join(lines)
    return f"{lines[0]} ({len(lines) - 1} more lines: reconcile history {workload})"


@contextmanager
def progress_view() -> Iterator[Reporter]:
    """A reporter that shows events on stderr for as long as the block lasts."""
    if not sys.stderr.isatty():
        yield plain
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    width = width_of(sys.stderr)
    console = Console(stderr=True, highlight=False, width=width)
    columns = [TextColumn("    {task.description:<44}"), BarColumn(24), TextColumn("{task.fields[amount]}")]
    columns += [TimeElapsedColumn(), TimeRemainingColumn()]
    if console.width < WIDE:
        columns = [TextColumn("  {task.description}"), TextColumn("{task.fields[amount]}"), TimeElapsedColumn()]
    bars = Progress(*columns, console=console, transient=True)
    tasks: dict[tuple[str, bool], TaskID] = {}

    def show(event: Event) -> None:
        if isinstance(event, StepStarted):
            key = (event.step.id, event.undo)
            tasks[key] = bars.add_task(title(event.step, event.undo), total=None, amount="")
        elif isinstance(event, StepProgress):
            task = tasks.get((event.step.id, False))
            if task is not None:
                speed = bars.tasks[bars.task_ids.index(task)].speed or 0
                amount = f"{format_bytes(event.done)} at {format_bytes(speed)}/s"
                bars.update(task, completed=event.done, total=max(event.total, event.done) or None, amount=amount)
        else:
            task = tasks.pop((event.step.id, event.undo), None)
            if task is not None:
                bars.remove_task(task)
            console.print(folded(printable(ended_line(event)), width), markup=False, soft_wrap=True)

    with bars:
        yield show


def plain(event: Event) -> None:
    """A reporter for what is no terminal, and for what shares one with other lines."""
    if isinstance(event, StepEnded):
        say(ended_line(event), err=True)
