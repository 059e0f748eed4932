"""What a change brings, in numbers and codes: what it takes, what comes along, what is lost, the way back.

Whoever shows it makes words of it. Seconds are to the millisecond; hosts, volumes and addresses are values.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict, Field

from reconciler.model.base import Model
from reconciler.model.live import OnTimeout
from reconciler.model.spec import Cutover, Strategy


class OutlookPart(Model):
    """Base of all parts: as JSON every field is there."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        allow_inf_nan=False, json_schema_serialization_defaults_required=True
    )


class Span(OutlookPart):
    """A time, at least and at most; both are the same once an earlier move has been measured."""

    least_s: float
    most_s: float


class ObstacleCode(StrEnum):
    """Why a way of moving is not possible, or not surely right."""

    NO_CRIU_CONFIG = "no-criu-config"
    CONFIG_NOT_READ = "config-not-read"
    NO_USERFAULTFD = "no-userfaultfd"
    NO_KEEPER = "no-keeper"
    NO_SERVER = "no-server"
    SEVERAL_PROCESSES = "several-processes"
    MEMORY_NOT_TRACKED = "memory-not-tracked"
    ARCHITECTURE = "architecture"
    RUNTIME = "runtime"
    OCI_RUNTIME = "oci-runtime"


class MoveObstacle(OutlookPart):
    """Why a way of moving is not possible, or not surely right."""

    code: ObstacleCode
    host: str = Field("", description="Where; empty when it is about the workload")
    found: str = Field("", description="What is there: a version, a count, a name")
    needed: str = Field("", description="What has to be there")
    keeps_from_lazy: bool = Field(False, description="It is one of lazy restore, which the way needs")


class Ways(StrEnum):
    """What a policy's `auto` would have preferred."""

    TRANSACTIONAL = "transactional"
    LAZY = "lazy"
    PRECOPY = "precopy"
    POSTCOPY = "postcopy"


class NotChosen(OutlookPart):
    """A way of moving that was not chosen, and why."""

    way: Ways
    obstacle: MoveObstacle


class OwnNetwork(StrEnum):
    """Whose addresses a workload has."""

    OWN = "own"
    HOST = "host"
    NONE = "none"


class NetworkOutlook(OutlookPart):
    """What becomes of addresses and of established TCP connections."""

    of: OwnNetwork = OwnNetwork.OWN
    along: tuple[str, ...] = Field((), description="Addresses that move along")
    behind: tuple[str, ...] = Field((), description="Addresses that do not")
    established: int = 0
    kept: int = 0
    closed: int = Field(0, description="By the policy: clients connect again")
    lost: int = 0
    by_actions: int = Field(0, description="Kept only if the actions take the way to them along")


class RoomOutlook(OutlookPart):
    """Where the images of a move go on a host."""

    host: str
    needed_bytes: int
    free_bytes: int = Field(description="Of memory")
    on_disk: bool = Field(description="There is too little memory")


class TurnsOutlook(OutlookPart):
    """Moves that share a host with this one are frozen one after the other, not at once: seconds that clients of
    all of them wait, taken together."""

    others: tuple[str, ...] = Field(description="The first of their workloads")
    more: int = Field(description="How many there are beside those")
    in_turn: Span
    at_once: Span = Field(description="If they were not, over a link that they share fairly")


class HeldMove(OutlookPart):
    """A move whose source is held, or stopped, while memory is restored at the destination."""

    strategy: Strategy
    cutover: Cutover
    not_chosen: tuple[NotChosen, ...] = ()
    downtime: Span
    dumping: Span = Field(description="Of the downtime")
    copying: Span = Field(description="Of the downtime")
    restoring: Span = Field(description="Of the downtime")
    expected_bytes: int = Field(description="Memory, and what it changed in its root filesystem")
    in_rounds: bool = Field(description="Most of it is copied before it is frozen")
    learned_from: int = Field(description="Earlier moves between these hosts that say so; 0: it is the first")
    drains_s: Span | None = Field(
        None,
        description="How long memory follows after the restore, while both hosts must live; null: it is there",
    )
    on_disk_s: Span | None = Field(
        None,
        description="When what has not followed by then is on the source's disk, after the restore; null: never",
    )
    network: NetworkOutlook
    room: tuple[RoomOutlook, ...]
    turns: TurnsOutlook | None = Field(None, description="null: no other move of the plan uses its hosts")


class LiveMove(OutlookPart):
    """A move that the runtime makes by itself, while it runs."""

    runtime: str
    bandwidth_bytes: int | None = Field(description="The most that is sent in a second; null: as much as goes")
    slowed_down: bool = Field(description="When it writes faster than is sent")
    downtime_s: float
    lasts_s: float = Field(description="At least")
    within_s: float = Field(description="How long it may take")
    on_timeout: OnTimeout
    macs: tuple[str, ...] = Field(description="Cards that move along")


class ClusterMove(OutlookPart):
    """What a cluster says of a move between its nodes, and what else it has under way."""

    migratable: bool | None = Field(description="null: it has not said")
    method: str = Field(description="KubeVirt's: LiveMigration, or BlockMigration with its disks")
    policy: str = Field(description="The MigrationPolicy in force; empty: the cluster's own settings")
    per_gib_s: int = Field(
        description="Seconds for each GiB, after which KubeVirt ends it, or what it may do then"
    )
    post_copy: bool
    disruption: bool = Field(description="Whether the guest may be paused to bring it to an end")
    cluster_limit: int = Field(description="Migrations at once in the cluster")
    running: int = Field(description="Those under way now")
    node_limit: int = Field(description="Migrations at once from one node")
    from_node: int = Field(description="Those under way from its node now")


class VolumeWay(StrEnum):
    """What becomes of a volume: `here`: it is where it is wanted."""

    NEW = "new"
    ALONG = "along"
    HERE = "here"


class VolumeOutlook(OutlookPart):
    """Where a volume comes from."""

    name: str
    way: VolumeWay
    source: str | None = Field(description="The host it comes along from")
    stays: bool = Field(description="It is not removed there: a container mounts it")
    others: tuple[str, ...] = Field(description="Hosts where another copy of it stays")


class Loss(OutlookPart):
    """What stopping, removing or making it anew costs, as far as it was seen."""

    memory_bytes: int | None = Field(description="null when nothing runs")
    connections: int | None = Field(description="Established ones of TCP; null when nothing runs")
    rootfs_changes: bool = Field(description="What it changed in its root filesystem goes, too")
    rootfs_bytes: int = Field(description="Of that, as far as it is known; else 0")
    ran_s: float | None = Field(description="How long it has run; null when nothing runs or it is not known")


class WayBack(StrEnum):
    """How things go back when something fails."""

    SOURCE_RESUMES = "source-resumes"
    IMAGES_RESTORED = "images-restored"
    UNTIL_SWITCHED = "until-switched"
    OLD_STARTS = "old-starts"
    CHECKPOINT = "checkpoint"
    VALUES_BEFORE = "values-before"


class ConsentOutlook(StrEnum):
    """Who agrees to an interruption: the spec does, or somebody has to."""

    BY_SPEC = "by-spec"
    NEEDED = "needed"


class ActionTime(StrEnum):
    """When an action runs."""

    BEFORE_FREEZE = "before-freeze"
    AFTER_RESTORE = "after-restore"


class ActionOutlook(OutlookPart):
    """A command of the specs that runs on a host."""

    when: ActionTime
    host: str
    argv: tuple[str, ...]


class Setting(OutlookPart):
    """A value it will have, as the specs write it."""

    name: str
    value: str


class BesideOutlook(OutlookPart):
    """A copy of the old version that is made beside the new one."""

    copy_name: str = Field(description="As hosts know it")
    host: str
    ttl: str = Field(description="How long it is kept, as specs write it")
    replaces: str = Field(description="The checkpoint of an earlier copy of that name, which goes; else empty")


class SavedOutlook(OutlookPart):
    """A checkpoint that is taken, before anything else."""

    kept_on: str = Field(description="A store, or a host")
    freeze_limit: str = Field(description="The longest it may be frozen for it, as specs write it")
    memory_bytes: int
    beside: BesideOutlook | None = Field(None, description="null: the old version is not kept beside the new one")


class ComebackOutlook(OutlookPart):
    """A workload that comes back from a checkpoint, for the host it ran on is given up."""

    checkpoint: str
    kept_on: str = Field(description="A store, or a host")
    age_s: float = Field(description="What it did for so long is lost")
    not_in_it: tuple[str, ...] = Field(description="Folders of its host that it mounts: no checkpoint has them")
    skipped: tuple[str, ...] = Field(description="Newer checkpoints that are damaged, and how")
    gone: tuple[str, ...] = Field(description="Hosts that are declared failed")
    evidence: str


class Rehearsed(OutlookPart):
    """What a trial dump showed."""

    possible: bool = Field(description="false: it cannot be held, only stopped, so it was not tried")
    frozen_s: float
    image_bytes: int


class Outlook(OutlookPart):
    """What a change brings; parts that do not apply are null or empty."""

    called: str = Field("", description="Its name in the specs, where hosts know it by another")
    image: str = ""
    held_move: HeldMove | None = None
    live_move: LiveMove | None = None
    cluster_move: ClusterMove | None = None
    volumes: tuple[VolumeOutlook, ...] = ()
    left_behind: tuple[str, ...] = Field((), description="Volumes that stay where it was, and nothing of it uses")
    becomes: tuple[Setting, ...] = Field((), description="Limits that it gets while it runs on")
    loss: Loss | None = None
    way_back: WayBack | None = None
    consent: ConsentOutlook | None = Field(None, description="null when nothing that runs is interrupted")
    actions: tuple[ActionOutlook, ...] = ()
    saved: SavedOutlook | None = Field(None, description="null where no checkpoint is taken")
    comeback: ComebackOutlook | None = Field(None, description="null unless it comes back from a checkpoint")
    rehearsed: Rehearsed | None = Field(None, description="With `--rehearse`")
