"""Where images of a workload's memory are kept for the time of a move."""

from __future__ import annotations

from reconciler.model.command import Bytes

SPARE: Bytes = 64 * 2**20
"""Beyond a workload's memory: what it may grow by, and CRIU's own tables."""


def available_for(images: Bytes) -> Bytes:
    """How much memory a host must have available to keep images of so many bytes in it; with less they go to
    its disk. They may grow by a quarter until the workload is held, and half of what is available is left to
    others."""
    return (images + SPARE) * 5 // 2


def on_disk(images: Bytes, available: Bytes) -> bool:
    """Whether a host with so much memory available puts images on its disk, as templates/criu/room.sh does."""
    return available <= available_for(images)
