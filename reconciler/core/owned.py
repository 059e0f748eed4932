"""Whose a volume is, by its labels: what may be written to, taken over or removed, for all runtimes alike."""

from __future__ import annotations

from reconciler.errors import Refused
from reconciler.model.command import Fence
from reconciler.model.labels import LABEL_RUN, LABEL_WORKLOAD
from reconciler.model.world import VolumeFacts


def check_owner(volume: VolumeFacts, workload: str, way_out: str) -> None:
    """Refused unless it is the workload's. `way_out`: how its data is moved away."""
    owner = volume.labels.get(LABEL_WORKLOAD)
    if owner != workload:
        raise Refused(
            f"the volume {volume.name} belongs to {owner or 'something else than Reconciler'}, not to {workload}",
            code="P434",
            fix=f"use another volume name, or move its data away: {way_out}",
        )


def check_made_by(volume: VolumeFacts, fence: Fence, run: str, way_out: str) -> None:
    """Refused unless this run has made it: any other holds data. `way_out`: how it is dropped."""
    if volume.labels.get(LABEL_RUN) != run:
        raise Refused(
            f"a volume {volume.name} of {fence.workload} is there already, with data of its own",
            code="P440",
            fix=f"plan again; to drop it{way_out}",
        )
