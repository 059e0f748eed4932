"""Changes, steps and plans: values that say what would be done, why, and what the way back is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Self

from pydantic import Field, model_validator

from reconciler.model.base import DEFAULT_RUNTIME, Model
from reconciler.model.comeback import Comeback
from reconciler.model.outlook import Outlook
from reconciler.model.saving import PlannedCapture
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
    RESTORE = "restore"
    CHECKPOINT = "checkpoint"
    UPDATE = "update"
    REMOVE = "remove"

    @property
    def symbol(self) -> str:
        return {"create": "+", "restore": "+", "remove": "-", "recreate": "±"}.get(self.value, "~")


class Change(Model):
    """One difference between spec and world, and what a reviewer has to know of it."""

    kind: ChangeKind
    workload: str
    source: str | None = None
    destination: str | None = None
    reason: str
    origin: Origin | None = None
    outlook: Outlook = Outlook()
    interrupts: bool = Field(False, description="It runs, and what it holds in memory is lost")

    @model_validator(mode="before")
    @classmethod
    def _without_rows(cls, data: Any) -> Any:
        """Earlier releases kept rows of words here, in journals and on hosts. Nothing acts on them."""
        return {k: v for k, v in data.items() if k != "details"} if isinstance(data, dict) else data


class StepKind(StrEnum):
    PULL_IMAGE = "pull-image"
    COPY_IMAGE = "copy-image"
    CREATE_NETWORK = "create-network"
    CREATE_VOLUME = "create-volume"
    COPY_VOLUME = "copy-volume"
    CREATE = "create"
    START = "start"
    STOP = "stop"
    UPDATE = "update"
    SET_ASIDE = "set-aside"
    REMOVE = "remove"
    REMOVE_VOLUME = "remove-volume"
    RESERVE = "reserve"
    STAGE = "stage"
    PRECOPY = "precopy"
    HOLD = "hold"
    TRANSFER = "transfer"
    COMMIT = "commit"
    RESTORE = "restore"
    DRAIN = "drain"
    CONFIRM = "confirm"
    RETIRE = "retire"
    MIGRATE = "migrate"
    SETTLE = "settle"
    FETCH = "fetch"
    UNPACK = "unpack"
    FENCE = "fence"
    CAPTURE = "capture"

    @property
    def traits(self) -> StepTraits:
        return TRAITS[self]


@dataclass(frozen=True)
class StepTraits:
    """What a kind of step means to those who carry plans out. They ask here; none of them lists kinds of its own.

    `undoable`: leaves something that going back must take away or make good.
    `shared`: what it makes may be used by other workloads, so that it is never undone.
    `commits`: from its intent on the destination owns the workload: forward, or back with proof.
    `freezes`, `thaws`: the frozen window goes from the intent of the one to the end of the other.
    `interruptible`: cut short when the user cancels before the commit; the others take a moment and end. What a
    host still does of it is stopped, or refused, by its undo's higher epoch.
    `one_way`: once it has had an effect the only way is forward.
    `tidying`: nothing is left to go back to, even when it failed: a resume does it again.
    `plain`: acts on a container or its volumes without a hand-over.
    `urgent_undo`: going back is not done before this undo has succeeded, so it is tried for longer.
    `barred_by`: its undo waits as long as that of a step of this kind has failed.
    `goes_with`: its undo needs no other try when a step of this kind was undone.
    `ability`: what the workload's runtime must be able to do for it, by name.
    """

    undoable: bool = False
    shared: bool = False
    commits: bool = False
    freezes: bool = False
    thaws: bool = False
    interruptible: bool = False
    one_way: bool = False
    tidying: bool = False
    plain: bool = False
    urgent_undo: bool = False
    barred_by: StepKind | None = None
    goes_with: StepKind | None = None
    ability: str = "lifecycle"


TRAITS: Mapping[StepKind, StepTraits] = {
    StepKind.PULL_IMAGE: StepTraits(shared=True, interruptible=True, ability="images"),
    StepKind.COPY_IMAGE: StepTraits(shared=True, interruptible=True, ability="images"),
    StepKind.CREATE_NETWORK: StepTraits(shared=True, ability="networks"),
    StepKind.CREATE_VOLUME: StepTraits(undoable=True, plain=True, ability="volumes"),
    StepKind.COPY_VOLUME: StepTraits(undoable=True, interruptible=True, ability="volumes"),
    StepKind.CREATE: StepTraits(undoable=True, plain=True),
    # Its container may be taken away first; what has the name by then is another one.
    StepKind.START: StepTraits(undoable=True, plain=True, goes_with=StepKind.CREATE),
    StepKind.STOP: StepTraits(one_way=True, plain=True),
    StepKind.UPDATE: StepTraits(undoable=True, plain=True, ability="updates"),
    # An old container is not brought back while its successor may still run.
    StepKind.SET_ASIDE: StepTraits(undoable=True, plain=True, barred_by=StepKind.CREATE),
    StepKind.REMOVE: StepTraits(one_way=True, tidying=True, plain=True),
    StepKind.REMOVE_VOLUME: StepTraits(one_way=True, tidying=True, plain=True, ability="volumes"),
    StepKind.RESERVE: StepTraits(undoable=True, ability=""),
    # What was staged is kept until the source runs again: its images may be all that is left of the workload.
    StepKind.STAGE: StepTraits(undoable=True, interruptible=True, barred_by=StepKind.HOLD, ability="moves"),
    StepKind.PRECOPY: StepTraits(undoable=True, interruptible=True, ability="precopies"),
    StepKind.HOLD: StepTraits(undoable=True, freezes=True, interruptible=True, urgent_undo=True, ability="moves"),
    StepKind.TRANSFER: StepTraits(interruptible=True, ability="moves"),
    StepKind.COMMIT: StepTraits(undoable=True, commits=True, urgent_undo=True, ability="moves"),
    StepKind.RESTORE: StepTraits(thaws=True, ability="moves"),
    StepKind.DRAIN: StepTraits(ability="postcopies"),
    StepKind.CONFIRM: StepTraits(interruptible=True, ability=""),
    StepKind.RETIRE: StepTraits(one_way=True, tidying=True, ability="moves"),
    # The runtime's own move: once it may have ended at the destination, nobody takes it back. `failed` is only
    # written with the proof that it has not.
    StepKind.MIGRATE: StepTraits(one_way=True, interruptible=True, ability="self-moves"),
    StepKind.SETTLE: StepTraits(one_way=True, tidying=True, ability="self-moves"),
    # A checkpoint's files, on their way and laid out. What is laid out goes with what was staged.
    StepKind.FETCH: StepTraits(undoable=True, interruptible=True, barred_by=StepKind.STAGE, ability=""),
    StepKind.UNPACK: StepTraits(interruptible=True, ability=""),
    # Not taken back: nothing ran there, and whoever starts it there next does so under a higher epoch.
    StepKind.FENCE: StepTraits(ability="moves"),
    # Taken back: it runs on, and what is no whole checkpoint goes. One that is whole stays, whatever comes after.
    StepKind.CAPTURE: StepTraits(undoable=True, interruptible=True, urgent_undo=True, ability="captures"),
}


class Step(Model):
    """One thing done on one host (`host`), or between two (`peer` to `host`).

    `subject` is the image, network, volume or container the step is about. `id` derives from content. `runtime` is
    that of the workload on `host`.
    """

    id: str
    kind: StepKind
    workload: str
    host: str
    peer: str | None = None
    runtime: str = DEFAULT_RUNTIME
    peer_runtime: str = Field("", description="That of the workload on `peer`; empty: the same")
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
    cutover: Cutover | None = Field(None, description="None: the runtime moves it by itself")
    strategy: Strategy | None = None
    oci_runtime: str = ""
    network_lock: str = Field("", description="What CRIU locks connections with on both hosts; empty: its default")
    carried: tuple[str, ...] = Field((), description="Files of the source's host that go along, by their paths")
    memory_bytes: int = 0
    expected_bytes: int = 0
    predicted_downtime_s: float = 0.0
    predicted_most_s: float = Field(0.0, description="More than the above for a first move between two hosts")
    comeback: Comeback | None = Field(None, description="What it comes back from; then there is no source")

    @property
    def hosts(self) -> frozenset[str]:
        """Its two sides; one for a comeback."""
        return frozenset(filter(None, (self.source, self.destination)))

    @property
    def held_by_us(self) -> Cutover:
        """How the source is held, for whoever holds it."""
        assert self.cutover, self.workload
        return self.cutover

    @property
    def by_runtime(self) -> bool:
        """Whether the runtime moves it by itself: there is no hold, and no commit of ours."""
        return self.cutover is None

    @property
    def follows(self) -> bool:
        """Whether memory follows after the restore (lazy pages)."""
        return self.strategy in (Strategy.LAZY, Strategy.PRECOPY, Strategy.POSTCOPY)

    @property
    def drains(self) -> bool:
        """Whether memory follows from the source, after the commit."""
        return self.strategy is Strategy.POSTCOPY


class Finding(Model):
    """What a rule found about a change. `severity` `refuse` stops the change; `warn` is shown. `accepted`: the
    policy names the rule, so that it neither stops nor warns."""

    rule: str
    severity: str
    workload: str
    host: str
    message: str
    fix: str = ""
    accepted: bool = False


class Plan(Model):
    """What `apply` will do, bound to the specs and the world it was made from."""

    version: int = PLAN_VERSION
    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    moves: dict[str, Move] = {}
    captures: dict[str, PlannedCapture] = Field({}, description="Checkpoints that are taken, by workload")
    findings: tuple[Finding, ...] = ()
    unknown_hosts: dict[str, str] = {}
    hosts: dict[str, Host] = {}
    workloads: dict[str, Workload] = {}
    networks: dict[str, Network] = {}
    policies: dict[str, MigrationPolicySpec] = Field({}, description="By workload")
    epochs: dict[str, int] = Field({}, description="The epoch each workload's steps act under")
    commit: str | None = None
    dirty: bool = Field(False, description="Whether the specs differ from the commit")
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
        return self._by_id[step_id]

    @cached_property
    def _by_id(self) -> Mapping[str, Step]:
        return {step.id: step for step in self.steps}

    @cached_property
    def groups(self) -> Mapping[str, tuple[Step, ...]]:
        """The steps of each workload, in order."""
        groups: dict[str, list[Step]] = {}
        for step in self.steps:
            groups.setdefault(step.workload, []).append(step)
        return {workload: tuple(steps) for workload, steps in groups.items()}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        copy = super().model_copy(update=update, deep=deep)
        for name in ("groups", "_by_id"):  # pydantic copies them with the fields, also of other steps
            copy.__dict__.pop(name, None)
        return copy

    def sibling(self, step: Step, kind: StepKind) -> Step:
        """The step of this kind in the same workload's group."""
        return next(s for s in self.groups[step.workload] if s.kind is kind)

    def policy_of(self, workload: str) -> MigrationPolicySpec:
        return self.policies.get(workload, MigrationPolicySpec())
