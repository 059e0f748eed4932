"""Changes, steps and plans: values that say what would be done, why, and what the way back is."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from reconciler.model.base import Model
from reconciler.model.spec import Cutover, Host, MigrationPolicySpec, Network, Origin, Strategy, Workload

PLAN_VERSION = 1


class Phase(StrEnum):
    """States of a hand-over (DESIGN.md section 5)."""

    RUNNING = "running"
    RESERVED = "reserved"
    HELD = "held"
    VERIFIED = "verified"
    COMMITTED = "committed"
    CONFIRMED = "confirmed"
    RETIRED = "retired"
    FENCED = "fenced"


class ChangeKind(StrEnum):
    CREATE = "create"
    START = "start"
    STOP = "stop"
    RECREATE = "recreate"
    MOVE = "move"
    REMOVE = "remove"

    @property
    def symbol(self) -> str:
        return {"create": "+", "remove": "-", "recreate": "±"}.get(self.value, "~")

    @property
    def is_dangerous(self) -> bool:
        """Whether state held in the workload's memory is lost."""
        return self in (ChangeKind.REMOVE, ChangeKind.RECREATE, ChangeKind.STOP)


class Change(Model):
    """One difference between spec and world. `details` are (label, text) rows for the reviewer."""

    kind: ChangeKind
    workload: str
    source: str | None = None
    destination: str | None = None
    reason: str
    origin: Origin | None = None
    details: tuple[tuple[str, str], ...] = ()


class StepKind(StrEnum):
    PULL_IMAGE = "pull-image"
    COPY_IMAGE = "copy-image"
    CREATE_NETWORK = "create-network"
    CREATE_VOLUME = "create-volume"
    CREATE = "create"
    START = "start"
    STOP = "stop"
    SET_ASIDE = "set-aside"
    REMOVE = "remove"
    RESERVE = "reserve"
    STAGE = "stage"
    PRECOPY = "precopy"
    HOLD = "hold"
    TRANSFER = "transfer"
    COMMIT = "commit"
    RESTORE = "restore"
    CONFIRM = "confirm"
    RETIRE = "retire"

    @property
    def commits(self) -> bool:
        """After the intent of this step the destination owns the workload: forward, or back with proof."""
        return self is StepKind.COMMIT

    @property
    def shared(self) -> bool:
        """Whether what it makes may be used by other workloads, so that it is never undone."""
        return self in (StepKind.PULL_IMAGE, StepKind.COPY_IMAGE, StepKind.CREATE_NETWORK)


class Step(Model):
    """One thing done on one host (`host`), or between two (`peer` to `host`).

    `subject` is the image, network, volume or container the step is about. `id` derives from content.
    """

    id: str
    kind: StepKind
    workload: str
    host: str
    peer: str | None = None
    subject: str = ""
    needs: tuple[str, ...] = ()
    expected_bytes: int = 0


class Move(Model):
    """How one workload is moved: chosen by strategy, shown in the plan, carried out by the saga."""

    workload: str
    source: str
    destination: str
    container_id: str
    image_id: str
    epoch: int = Field(description="The epoch the destination will own the workload with")
    cutover: Cutover
    strategy: Strategy
    oci_runtime: str
    network_lock: str = Field("", description="What CRIU locks connections with on both hosts; empty: its default")
    memory_bytes: int = 0
    expected_bytes: int = 0
    predicted_downtime_s: float = 0.0

    @property
    def follows(self) -> bool:
        """Whether memory follows after the restore (lazy pages)."""
        return self.strategy in (Strategy.LAZY, Strategy.PRECOPY)


class Finding(Model):
    """What a rule found about a change. `severity` `refuse` stops the change; `warn` is shown."""

    rule: str
    severity: str
    workload: str
    host: str
    message: str
    fix: str = ""


class Plan(Model):
    """What `apply` will do, bound to the specs and the world it was made from."""

    version: int = PLAN_VERSION
    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    moves: dict[str, Move] = {}
    findings: tuple[Finding, ...] = ()
    unknown_hosts: dict[str, str] = {}
    hosts: dict[str, Host] = {}
    workloads: dict[str, Workload] = {}
    networks: dict[str, Network] = {}
    policies: dict[str, MigrationPolicySpec] = Field({}, description="By workload")
    epochs: dict[str, int] = Field({}, description="The epoch each workload's steps act under")
    commit: str | None = None
    spec_digest: str = ""
    world_digest: str = ""

    @property
    def applyable(self) -> bool:
        """Whether there is something to do and nothing refuses it."""
        return bool(self.steps)

    @property
    def errored(self) -> bool:
        return any(f.severity == "refuse" for f in self.findings)

    def step(self, step_id: str) -> Step:
        return next(s for s in self.steps if s.id == step_id)

    def policy_of(self, workload: str) -> MigrationPolicySpec:
        return self.policies.get(workload, MigrationPolicySpec())
