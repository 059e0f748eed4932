"""What a watch tells people: a line for each thing that happens."""

from __future__ import annotations

import time
from typing import IO, Any

from reconciler.cli.views.layout import say
from reconciler.cli.views.style import color_of, paint
from reconciler.watch.loop import Stand
from reconciler.watch.told import Listener, News, Told

COLOURS = {
    News.UNREADABLE: "red",
    News.TROUBLE: "red",
    News.WAITS: "yellow",
    News.CONVERGED: "green",
    News.LEADS: "bold",
}


def teller(stream: IO[Any]) -> Listener:
    """Tells on stderr."""
    color = color_of(stream)

    def tell(told: Told) -> None:
        at = time.strftime("%H:%M:%S")
        about = f"{told.workload}: " if told.workload else ""
        word = f"{told.news.value:<10}"
        if told.news in COLOURS:
            word = paint(COLOURS[told.news], word, color)
        say(f"{at}  {word}  {about}{told.text}", err=True)

    return tell


def render_stand(stand: Stand) -> str:
    """How things stand, in the end."""
    if stand.converged:
        return "Everything is as the specs want it."
    lines = [f"{one.workload} waits ({one.cause}): {one.why}" for one in stand.waits]
    lines += [f"? {name}: {reason}" for name, (_, reason) in sorted(stand.unknown.items())]
    return "\n".join(lines or ["Not everything is as the specs want it: reconcile plan"])
