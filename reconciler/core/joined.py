"""One host, as several runtimes see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.model.world import HostFacts, Versions


def joined(parts: Mapping[str, HostFacts]) -> HostFacts:
    """What runtimes, by name, said of one host. What each has of its own is put together, all with its runtime's
    name; of the host itself the first that knows something is believed."""
    seen = [_named(runtime, facts) for runtime, facts in parts.items()]
    if len(seen) == 1:
        return seen[0]
    fields = {name: [getattr(facts, name) for facts in seen] for name in HostFacts.model_fields}
    told: dict[str, Any] = {name: _first(values) for name, values in fields.items()}
    for name in ("instances", "images", "networks", "volumes"):
        told[name] = tuple(item for items in fields[name] for item in items)
    for name in ("features", "tools", "cpu_flags"):
        told[name] = tuple(dict.fromkeys(item for items in fields[name] for item in items))
    told["runtimes"] = {name: version for known in fields["runtimes"] for name, version in known.items()}
    versions = {name: _first([getattr(v, name) for v in fields["versions"]]) for name in Versions.model_fields}
    told["versions"] = Versions(**versions)
    return HostFacts.model_construct(**told)


def _named(runtime: str, facts: HostFacts) -> HostFacts:
    named = {}
    for field in ("instances", "images", "networks"):
        items = getattr(facts, field)
        if any(item.runtime != runtime for item in items):
            named[field] = tuple(item.model_copy(update={"runtime": runtime}) for item in items)
    return facts.model_copy(update=named) if named else facts


def _first(values: Sequence[Any]) -> Any:
    return next((value for value in values if value), values[0])
