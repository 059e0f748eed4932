"""Images on a host by any of the names they go by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.model.command import Bytes
from reconciler.model.spec import Workload
from reconciler.model.world import HostFacts


def image_id(facts: HostFacts, wanted: str) -> str | None:
    """The ID of an image on a host by name, name with tag, digest or ID; None when it is not there."""
    short = wanted if "@" in wanted or ":" in wanted.rsplit("/", 1)[-1] else f"{wanted}:latest"
    names = {short, f"localhost/{short}", f"docker.io/library/{short}", f"docker.io/{short}"}
    for image in facts.images:
        if names & set(image.names) or wanted in image.digests or wanted in (image.id, f"sha256:{image.id}"):
            return image.id
    return None


@dataclass(frozen=True)
class ImageWay:
    """How an image gets to a host. `source`: the host that it is copied from; None: it is pulled, by its name."""

    image: str
    source: str | None = None
    bytes: Bytes = 0


def image_way(workload: Workload, host: str, seen: Mapping[str, HostFacts]) -> ImageWay | None:
    """How the image that a spec names gets to the host; None where nothing has to be done."""
    wanted, runtime, container = workload.spec.image, workload.spec.runtime, workload.spec.container
    pull = container.pull if container else "missing"
    if not wanted:
        return None
    if pull == "always":
        return ImageWay(wanted)
    if image_id(seen[host].of(runtime), wanted):
        return None
    for peer, facts in sorted(seen.items()):
        there = facts.of(runtime)
        if found := image_id(there, wanted):
            return ImageWay(found, peer, next(i.size_bytes for i in there.images if i.id == found))
    return ImageWay(wanted) if pull != "never" else None
