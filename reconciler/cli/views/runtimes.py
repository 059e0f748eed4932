"""Runtimes as people read them and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.cli.views.layout import table
from reconciler.model.world import HostFacts, HostView, World
from reconciler.runtimes.registry import FoundRuntime


def render_runtimes(found: Sequence[FoundRuntime], world: World | None, width: int | None = None) -> str:
    """A line each: name, where it comes from, the section of specs it takes, what it can do; with hosts a table of
    its version on each, and why a host was not seen."""
    rows = [(one.name, one.package, _takes(one) or "-", one.problem or " ".join(one.abilities)) for one in found]
    lines = table(("runtime", "from", "takes", "abilities"), rows, width)
    if world:
        names = [one.name for one in found if one.runtime is not None]
        rows_by_host = [(host, *(_version(view, name) for name in names)) for host, view in world.hosts.items()]
        lines += ["", *table(("host", *names), rows_by_host, width)]
        lines += [f"? {host}: {view.reason}" for host, view in sorted(world.unknown().items())]
    return "\n".join(lines)


def _takes(one: FoundRuntime) -> str | None:
    return one.takes.section if one.takes else None


def _version(view: HostView, runtime: str) -> str:
    if not isinstance(view, HostFacts):
        return "not seen"
    return (view.runtimes[runtime] or "yes") if runtime in view.runtimes else "-"
