"""What the two sides of a hand-over are told, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.command import Bytes, Fence, Seconds, Tree
from reconciler.model.plan import Move
from reconciler.model.spec import MigrationPolicySpec, Workload


@dataclass(frozen=True)
class Located:
    """Where a container's movable state is on a host. `trees`: images, rootfs and volumes, in this order."""

    container_id: str
    trees: tuple[Tree, ...]


@dataclass(frozen=True)
class Handover:
    """What the steps of one move need to know. `staged`: what `stage` answered, where a caller has it at hand.
    `address`: where the destination is reached, for runtimes that connect to each other."""

    workload: Workload
    move: Move
    policy: MigrationPolicySpec
    run: str
    staged: Located | None = None
    address: str = ""

    @property
    def name(self) -> str:
        return self.workload.metadata.name

    @property
    def fence(self) -> Fence:
        return Fence(self.name, self.move.epoch)

    @property
    def after(self) -> Fence:
        """What comes after the move, or goes back from it."""
        return Fence(self.name, self.move.epoch + 1)

    @property
    def returns(self) -> bool:
        """Whether it goes back where it was, onto the volumes that are there."""
        return self.move.comeback is not None and self.move.comeback.returns

    @property
    def may_find_the_old(self) -> bool:
        """Whether what has the name and is stopped may be no copy that was staged, but the one before it, which
        another controller has brought back meanwhile."""
        return self.returns and self.staged is None


@dataclass(frozen=True)
class Held:
    """A frozen source: its images are complete. `freeze_s`: what the runtime reports."""

    image_bytes: int
    freeze_s: Seconds = 0.0


@dataclass(frozen=True)
class Round:
    """What one round of a pre-copy wrote down, in bytes, and where."""

    image_bytes: int
    tree: Tree


@dataclass(frozen=True)
class Underway:
    """How a move that a runtime makes by itself stands at its source. Bytes of memory and disks. `why`: what the
    runtime said of the last one, where that failed."""

    moving: bool
    done: Bytes = 0
    total: Bytes = 0
    why: str = ""
    phase: str = ""
