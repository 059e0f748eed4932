"""What a step leaves for later ones, and for those who look at its run: a type for each kind of step that leaves
anything, and the one way to write it down and to read it.

What is written may be read by a later release: a field that is added needs a default, and one that goes away a
new format of the journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import ConfigDict, Field

from reconciler.model.base import Model
from reconciler.model.checkpoint import Manifest
from reconciler.model.command import Bytes, Seconds
from reconciler.model.handover import Located
from reconciler.model.plan import StepKind

EMPTY = "{}"
"""How it is written that a step has left nothing."""


class StepResult(Model):
    """What a step left. What hosts report may be no number at all; it is kept as it is."""

    model_config: ClassVar[ConfigDict] = ConfigDict(ser_json_inf_nan="strings")


class ImagePulled(StepResult):
    image: str = Field(description="Its ID")


class InstanceMade(StepResult):
    instance: str = Field(description="Its ID")


class CopyMade(StepResult):
    """`how`: `direct`, `relay` or why nothing was copied."""

    copied_bytes: Bytes
    seconds: Seconds
    how: str


class Staged(StepResult):
    """Where the source's state is, and where it goes; trees in the same order."""

    source: Located
    destination: Located


class RoundsMade(StepResult):
    """The rounds of a pre-copy. `why`: what ended them."""

    rounds_bytes: tuple[Bytes, ...]
    why: str


class ImagesWritten(StepResult):
    """A held source. `freeze_s`: what the runtime reports. `actions`: what became of those that ran before it."""

    image_bytes: Bytes
    freeze_s: Seconds
    actions: str = ""


class MemoryRestored(StepResult):
    """`actions`: what became of those that ran after it."""

    actions: str = ""


class HealthSeen(StepResult):
    """`unhealthy`: what the check said last; the policy has it stay nevertheless."""

    unhealthy: str = ""


class MovedByRuntime(StepResult):
    """Of memory and disks, as the runtime counts."""

    moved_bytes: Bytes
    seconds: Seconds


class CheckpointFetched(StepResult):
    """Where a checkpoint's files are on the host that it is restored on. `link_left`: the key of the copy is still
    on both hosts."""

    folder: str
    link_left: bool = False


class CheckpointTaken(StepResult):
    """What it says of itself; where it is kept is in the plan. `left`: what stayed where it should not."""

    manifest: Manifest
    left: tuple[str, ...] = ()


class WentBack(StepResult):
    """Of an undo. `became`: what became of the workload, where it does not simply run on."""

    became: str


RESULTS: Mapping[StepKind, type[StepResult]] = {
    StepKind.PULL_IMAGE: ImagePulled,
    StepKind.COPY_IMAGE: CopyMade,
    StepKind.COPY_VOLUME: CopyMade,
    StepKind.CREATE: InstanceMade,
    StepKind.STAGE: Staged,
    StepKind.PRECOPY: RoundsMade,
    StepKind.HOLD: ImagesWritten,
    StepKind.TRANSFER: CopyMade,
    StepKind.RESTORE: MemoryRestored,
    StepKind.CONFIRM: HealthSeen,
    StepKind.MIGRATE: MovedByRuntime,
    StepKind.SETTLE: HealthSeen,
    StepKind.FETCH: CheckpointFetched,
    StepKind.CAPTURE: CheckpointTaken,
}
"""What a done step of each kind leaves, if anything; the others leave nothing."""


def encode(result: StepResult | None) -> str:
    """One line of JSON."""
    return result.model_dump_json(by_alias=True) if result else EMPTY


def decode(kind: StepKind, undo: bool, text: str) -> StepResult | None:
    """What `encode` has written of a step, or of its undo; ValueError for anything else."""
    if text == EMPTY:
        return None
    expected = WentBack if undo else RESULTS.get(kind)
    if expected is None:
        raise ValueError(f"a step of the kind {kind} leaves nothing")
    return expected.model_validate_json(text)
