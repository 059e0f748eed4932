"""A host, with what one runtime after the other has on it."""

from __future__ import annotations

from typing import Any

from reconciler.model.world import HostFacts, RuntimeFacts


def with_runtime(host: HostFacts, runtime: str, found: RuntimeFacts) -> HostFacts:
    """The host with what a runtime said that it has there, all with the runtime's name."""
    told: dict[str, Any] = {"volumes": (*host.volumes, *found.volumes)}
    for field in ("instances", "images", "networks"):
        named = (_named(item, runtime) for item in getattr(found, field))
        told[field] = (*getattr(host, field), *named)
    if found.version is not None:
        told["runtimes"] = {**host.runtimes, runtime: found.version}
    if found.settings:
        told["settings"] = {**host.settings, runtime: found.settings}
    if found.disk_free_bytes is not None:
        told["disks"] = {**host.disks, runtime: found.disk_free_bytes}
    if found.versions:
        told["programs"] = {**host.programs, runtime: found.versions}
    return host.model_copy(update=told)


def _named(item: Any, runtime: str) -> Any:
    return item if item.runtime == runtime else item.model_copy(update={"runtime": runtime})
