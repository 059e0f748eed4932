"""What is where, as a table and as JSON."""

from __future__ import annotations

from reconciler.cli.views.layout import table
from reconciler.cli.views.style import paint
from reconciler.core.stock import Item, items, orphans
from reconciler.model.spec import Spec
from reconciler.model.units import format_bytes, format_seconds
from reconciler.model.world import World

JSON_VERSION = 1
HEAD = ("NAME", "WANTED", "FOUND", "MEMORY", "TCP", "UP")


def stock_json(spec: Spec, world: World) -> dict[str, object]:
    """For scripts. `asWanted` is null where an unknown host may have it."""
    return {
        "version": JSON_VERSION,
        "workloads": [
            {
                "name": item.workload,
                "state": item.state,
                "belongs": item.belongs or None,
                "on": item.on or None,
                "found": item.found or None,
                "memoryBytes": item.memory_bytes,
                "upSeconds": round(item.up_s, 1),
                "connections": item.connections,
                "asWanted": item.as_wanted,
            }
            for item in items(spec, world)
        ],
        "orphans": [vars(orphan) for orphan in orphans(spec, world)],
        "unknownHosts": {name: host.reason for name, host in world.unknown().items()},
    }


def render_stock(spec: Spec, world: World, color: bool, width: int | None = None) -> str:
    """For people: workloads as columns, then what is left over."""
    found = items(spec, world)
    shown = table(HEAD, [_columns(item) for item in found], width)
    lines = shown[: -len(found)] if found else shown
    for text, item in zip(shown[len(lines) :], found, strict=True):
        lines.append(paint("yellow", text, color) if item.as_wanted is not True else text)
    left = orphans(spec, world)
    if left:
        lines += ["", paint("bold", "In no spec:", color)]
        lines += [f"  {o.kind:<9} {o.name} on {o.host} (of {o.workload}): {o.why}" for o in left]
    for name, host in sorted(world.unknown().items()):
        lines.append(paint("yellow", f"? {name}: {host.reason}", color))
    return "\n".join(lines)


def _columns(item: Item) -> tuple[str, ...]:
    found = f"{item.found} on {item.on}" if item.on else "unknown" if item.as_wanted is None else "nowhere"
    runs = item.memory_bytes or item.up_s
    return (
        item.workload,
        f"{item.state} on {item.belongs}" if item.belongs else f"{item.state}, no host fits",
        found,
        format_bytes(item.memory_bytes) if runs else "-",
        str(item.connections) if runs else "-",
        format_seconds(item.up_s) if item.up_s else "-",
    )
