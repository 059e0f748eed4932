"""docs/bench.svg: downtime against memory, by hand and ours, on logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.bench.report import Row

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 110, 48, 52
TICKS_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #555 }
.title { font-size: 15px; font-weight: 600 }
.grid { stroke: #999; stroke-opacity: .3 }
.ours { stroke: #0a7d4f; fill: #0a7d4f }
.manual { stroke: #b5482a; fill: #b5482a }
path { fill: none !important; stroke-width: 2.5 }
text.ours, text.manual { stroke: none; font-weight: 600 }
@media (prefers-color-scheme: dark) { text { fill: #bbb } .ours { stroke: #4cc38a; fill: #4cc38a }
.manual { stroke: #f0906f; fill: #f0906f } }"""


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.begin + share * (self.end - self.begin)


def draw(rows: Sequence[Row]) -> str | None:
    """The picture as SVG text; None when there are not two memory sizes to draw a line through."""
    idle = sorted(
        (r for r in rows if r["kind"] == "move" and r["case"].endswith("-idle-unshaped")),
        key=lambda r: int(r["memory_mib"]),
    )
    points = {
        way: [(float(r["memory_mib"]), float(r[f"{way}_s"])) for r in idle if r[f"{way}_s"]]
        for way in ("manual", "ours")
    }
    values = [downtime for line in points.values() for _, downtime in line]
    memory = sorted({size for line in points.values() for size, _ in line})
    if len(memory) < 2:
        return None
    low = max((t for t in TICKS_S if t <= min(values)), default=TICKS_S[0])
    high = min((t for t in TICKS_S if t >= max(values)), default=TICKS_S[-1])
    x = _Scale(memory[0], memory[-1], LEFT, WIDTH - RIGHT)
    y = _Scale(low, high, HEIGHT - BOTTOM, TOP)
    body = [*_grid(x, y, memory, [t for t in TICKS_S if low <= t <= high])]
    for way, label in (("manual", "by hand"), ("ours", "reconcile")):
        if points[way]:
            body += _line(way, label, [(x(size), y(downtime)) for size, downtime in points[way]], points[way])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
        "<title>Downtime of a move against the memory of the workload</title>\n"
        f"<style>\n{STYLE}\n</style>\n" + "\n".join(body) + "\n</svg>\n"
    )


def _grid(x: _Scale, y: _Scale, memory: Sequence[float], ticks: Sequence[float]) -> Iterator[str]:
    yield f'<text class="title" x="{LEFT}" y="24">Longest wait of a client, idle workload</text>'
    for tick in ticks:
        at = f"{y(tick):.1f}"
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at}" y2="{at}"/>'
        yield f'<text x="{LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g} s</text>'
    for size in memory:
        yield f'<text x="{x(size):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{size:g}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle:.0f}" y="{HEIGHT - 10}" text-anchor="middle">memory of the workload, MiB</text>'


def _line(
    way: str, label: str, at: Sequence[tuple[float, float]], values: Sequence[tuple[float, float]]
) -> Iterator[str]:
    path = " L ".join(f"{px:.1f} {py:.1f}" for px, py in at)
    yield f'<path class="{way}" d="M {path}"/>'
    for (px, py), (_, downtime) in zip(at, values, strict=True):
        yield f'<circle class="{way}" cx="{px:.1f}" cy="{py:.1f}" r="3.5"/>'
        yield f'<text x="{px:.1f}" y="{py - 9:.1f}" text-anchor="middle">{downtime:.2g}</text>'
    px, py = at[-1]
    yield f'<text class="{way}" x="{px + 12:.1f}" y="{py + 5:.1f}">{label}</text>'
