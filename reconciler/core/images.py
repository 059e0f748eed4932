"""Images on a host by any of the names they go by."""

from __future__ import annotations

from reconciler.model.world import HostFacts


def image_id(facts: HostFacts, wanted: str) -> str | None:
    """The ID of an image on a host by name, name with tag, digest or ID; None when it is not there."""
    short = wanted if "@" in wanted or ":" in wanted.rsplit("/", 1)[-1] else f"{wanted}:latest"
    names = {short, f"localhost/{short}", f"docker.io/library/{short}", f"docker.io/{short}"}
    for image in facts.images:
        if names & set(image.names) or wanted in image.digests or wanted in (image.id, f"sha256:{image.id}"):
            return image.id
    return None
