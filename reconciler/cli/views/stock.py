"""What is where, as a table and as JSON."""

from __future__ import annotations

from reconciler.cli.views.layout import table
from reconciler.cli.views.rehearsed import instant, practice_text
from reconciler.cli.views.style import paint
from reconciler.core.copying import SeenCopy
from reconciler.core.stock import Item, Stock, stock
from reconciler.model.spec import Spec
from reconciler.model.units import format_bytes, format_seconds
from reconciler.model.world import World

WIDE = ("RUNTIME", "IMAGE", "ADDRESSES")
HEAD = ("NAME", "WANTED", "FOUND", "MEMORY", "TCP", "UP")
SAVED = ("SAVED",)
"""Where a workload is saved by policy: how long ago."""


def names(there: Stock) -> str:
    """A word for each, for other commands."""
    return "\n".join(f"workload/{item.workload}" for item in there.items)


def render_stock(
    spec: Spec,
    world: World,
    color: bool,
    width: int | None = None,
    *,
    only: Stock | None = None,
    wide: bool = False,
) -> str:
    """For people: workloads as columns, then what is left over."""
    there = stock(spec, world) if only is None else only
    found = there.items
    by_policy = any(item.point for item in found)
    head = (*HEAD, *(SAVED if by_policy else ()), *(WIDE if wide else ()))
    named = [(item, spec.called.get(item.workload, "")) for item in found]
    rows = [
        (*columns(item, called), *((saved(item),) if by_policy else ()), *(_more(item) if wide else ()))
        for item, called in named
    ]
    shown = table(head, rows, width)
    lines = shown[: -len(found)] if found else shown
    for text, item in zip(shown[len(lines) :], found, strict=True):
        well = item.as_wanted is True and not (item.point and item.point.wanting)
        lines.append(text if well else paint("yellow", text, color))
    left = there.orphans
    if left:
        lines += ["", paint("bold", "In no spec:", color)]
        lines += [f"  {o.kind:<9} {o.name} on {o.host} (of {o.workload}): {o.why}" for o in left]
    if there.copies:
        lines += ["", paint("bold", "Copies of checkpoints:", color)]
        lines += [f"  {copied(one)}" for one in there.copies]
    for name, host in sorted(world.unknown().items()):
        lines.append(paint("yellow", f"? {name}: {host.reason}", color))
    return "\n".join(lines)


def copied(one: SeenCopy) -> str:
    """What it is of, and for how long."""
    if not one.state:
        return f"{one.name} on {one.host}: {'being made' if not one.settled else 'its volumes are left'}"
    stands = one.state if one.settled else f"{one.state}, and what was begun with it has not ended"
    return (
        f"{one.name} on {one.host}: {stands}, of {one.of or 'an unknown checkpoint'}, until {instant(one.until)}"
    )


def saved(item: Item) -> str:
    """How old its newest checkpoint is, and whether that is older than its policy promises."""
    if item.point is None:
        return "-"
    old = "never" if item.point.age_s is None else f"{format_seconds(item.point.age_s)} ago"
    if item.point.unknown:
        old = f"{old}, or later"
    elif item.point.late:
        old = f"{old}, too old"
    return f"{old}{practice_text(item.point.rehearsal)}"


def _more(item: Item) -> tuple[str, ...]:
    return item.runtime, item.image or "-", " ".join(item.addresses) or "-"


def columns(item: Item, called: str) -> tuple[str, ...]:
    """As in HEAD."""
    found = f"{item.found} on {item.on}" if item.on else "unknown" if item.as_wanted is None else "nowhere"
    runs = item.memory_bytes or item.up_s
    return (
        f"{called} (there: {item.workload})" if called else item.workload,
        f"{item.state} on {item.belongs}" if item.belongs else f"{item.state}, no host fits",
        found,
        format_bytes(item.memory_bytes) if runs else "-",
        str(item.connections) if runs else "-",
        format_seconds(item.up_s) if item.up_s else "-",
    )
