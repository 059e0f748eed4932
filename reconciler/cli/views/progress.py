"""Progress on stderr: bars with bytes, rate and time left on a terminal, one line per step otherwise."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from reconciler.model.event import Event, Reporter, StepEnded, StepProgress, StepStarted
from reconciler.model.plan import Step
from reconciler.model.units import format_bytes, format_seconds
from reconciler.text import printable


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
    detail = event.error or event.note
    return f"{text}  {detail}" if detail else text


@contextmanager
def progress_view() -> Iterator[Reporter]:
    """A reporter that shows events on stderr for as long as the block lasts."""
    if not sys.stderr.isatty():
        yield _plain
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False)
    bars = Progress(
        TextColumn("    {task.description:<44}"),
        BarColumn(24),
        TextColumn("{task.fields[amount]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
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
            console.print(printable(ended_line(event)), markup=False)

    with bars:
        yield show


def _plain(event: Event) -> None:
    if isinstance(event, StepEnded):
        typer.echo(ended_line(event), err=True)
