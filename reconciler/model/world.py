"""What was observed on the hosts. "Unknown" is a value of its own, never "absent"."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, SerializeAsAny

from reconciler.model.attach import Ahead as Ahead
from reconciler.model.attach import FoundTree as FoundTree
from reconciler.model.base import DEFAULT_RUNTIME, Model
from reconciler.model.command import Bytes, Seconds
from reconciler.model.held import ContainerOptions as ContainerOptions
from reconciler.model.held import DeletedFile as DeletedFile
from reconciler.model.held import ProcessFacts as ProcessFacts


class InstanceState(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    HELD = "held"  # frozen by a checkpoint command that has not ended yet
    EXITED = "exited"
    CHECKPOINTED = "checkpointed"
    OTHER = "other"

    @property
    def has_processes(self) -> bool:
        return self in (InstanceState.RUNNING, InstanceState.PAUSED, InstanceState.HELD)


MacSeen = Annotated[str, AfterValidator(str.lower)]


class InstanceNetwork(Model):
    name: str
    ip: str | None = None
    mac: MacSeen | None = None
    ip6: str | None = Field(None, description="Beside an IPv4 address")

    @property
    def ips(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.ip, self.ip6)))


class ContainerMount(Model):
    kind: str  # bind, volume, ...
    name: str | None = None
    source: str = ""
    target: str


class TcpConnection(Model):
    local: str
    peer: str


class Instance(Model):
    """One copy of a workload on one host, or something else that a runtime has there. Sizes in bytes; `started_at`
    in seconds since the epoch, 0 if never. What only one kind of runtime knows is in the classes below."""

    KIND: ClassVar[str] = "instance"

    id: str
    name: str
    runtime: str = DEFAULT_RUNTIME
    state: InstanceState
    labels: dict[str, str] = {}
    image_id: str = Field("", description="What it was made from; empty where its runtime knows no images")
    pid: int = 0
    processes: int = 0
    started_at: float = 0.0
    memory_bytes: int = 0
    rootfs_bytes: int = Field(0, description="What it changed in its root filesystem")
    networks: tuple[InstanceNetwork, ...] = ()
    tcp_established: tuple[TcpConnection, ...] = ()
    held: ProcessFacts | None = Field(None, description="Known for the workloads a plan wants to move")
    unseen: str = Field("", description="Why its processes could not be looked at, where a plan wanted to")

    @property
    def volumes(self) -> tuple[str, ...]:
        """The named volumes it uses."""
        return ()


class ContainerFacts(Instance):
    """One container."""

    KIND: ClassVar[str] = "container"

    image_name: str = ""
    annotations: dict[str, str] = {}
    oci_runtime: str = ""
    exit_code: int = 0
    mounts: tuple[ContainerMount, ...] = ()
    auto_remove: bool = False
    restart: str = "no"
    unit: str = Field("", description="The systemd unit that runs it, where its engine knows of one")
    userdata: str = Field("", description="The runtime's folder for this container")
    upper_dir: str = ""
    options: ContainerOptions = ContainerOptions()

    @property
    def volumes(self) -> tuple[str, ...]:
        return tuple(mount.name for mount in self.mounts if mount.kind == "volume" and mount.name)


class TreeFacts(Instance):
    """One tree of processes that runs without a container engine."""

    KIND: ClassVar[str] = "process"

    exit_code: int = 0
    restart: str = "no"
    home: str = Field("", description="The folder on its host that what belongs to it is in")
    mounted: tuple[str, ...] = Field((), description="The named volumes it uses")
    mapped: tuple[str, ...] = Field((), description="Files of its host's that it executes, has mapped or reads")
    carried: tuple[str, ...] = Field((), description="Of its own, in the place of its host's: where they are")
    attached: bool = Field(False, description="Whether it was started by others, and is only attached to")
    found: FoundTree | None = Field(None, description="Of what was attached to, and runs")

    @property
    def volumes(self) -> tuple[str, ...]:
        return self.mounted


class MachineFacts(Instance):
    """One virtual machine. `reason`: why it is in its state, in libvirt's words."""

    KIND: ClassVar[str] = "machine"

    reason: str = ""
    persistent: bool = True
    resident_bytes: int = Field(0, description="Memory of its host that it takes at the moment")


class ImageFacts(Model):
    id: str
    names: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    size_bytes: int = 0
    runtime: str = DEFAULT_RUNTIME


class NetworkFacts(Model):
    name: str
    driver: str = ""
    subnets: tuple[str, ...] = ()
    parent: str | None = None
    mode: str = Field("", description="How a bridge is kept; `unmanaged`: the host's own, with its own uplinks")

    runtime: str = DEFAULT_RUNTIME

    @property
    def on_segment(self) -> bool:
        """Whether its addresses are of a segment that other hosts can be on."""
        return self.driver in ("macvlan", "ipvlan") or self.mode == "unmanaged"


class VolumeFacts(Model):
    name: str
    mountpoint: str = ""
    labels: dict[str, str] = {}


class Marker(Model):
    """A workload's durable marker on a host: who owns it, as far as this host was told.

    `phase` is that of the hand-over (see `reconciler.model.plan.Phase`); `role` says which side this is.
    """

    workload: str
    epoch: int
    phase: str
    role: Literal["source", "destination", "owner"]
    run: str = ""
    peer: str = ""
    broken: str = Field("", description="Why the marker file cannot be trusted; empty when it can")
    newer: str = Field("", description="Its format, where another release of Reconciler wrote it: not torn")


@dataclass(frozen=True)
class Following:
    """Memory that follows a restore from another host: what is missing, and for how long processes have waited for
    some of it; 0 where none does."""

    missing: Bytes
    waits_s: Seconds


@dataclass(frozen=True)
class OnDisk:
    """Images of a source that memory follows from, which are kept on its disk as well: how much of them is there,
    how much should be, and how much of what was asked for after a loss of power never came there."""

    written: Bytes
    of: Bytes
    lost: Bytes = 0


@dataclass(frozen=True)
class Alive:
    """What is known of an instance for the question "does it run here?". `frozen`: its processes are held.
    `ending`: it still runs, but whoever moved it away by itself is ending it here."""

    exists: bool
    running: bool
    restorable: bool = False
    frozen: bool = False
    pid: int = 0
    detail: str = ""
    ending: bool = False
    following: Following | None = None
    on_disk: OnDisk | None = None


class Folder(Model):
    """A place that a bind mount with `move: true` comes from or goes to. `kind`: `absent`, `empty`, `folder`,
    `link`, `mountpoint` or `other`; empty when nobody asked. `owner`: the workload it came along with."""

    kind: str = ""
    owner: str = ""


class Preflight(Model):
    """What a plan asked a host about beyond the observation. Keys of the dictionaries are what was asked.

    `complaint`: what `criu check` said when it was not content. `paths`: file system type of a path, empty
    when it is not there. `answers`: the MAC that answered for an address. `units`: systemd units that start
    a container of that name. `listening`: `tcp/ADDRESS:PORT`.
    """

    complaint: str = ""
    libcriu: bool = True
    confinement: tuple[str, ...] = Field((), description="Security modules at work: apparmor, selinux")
    seccomp: bool = True
    capabilities: tuple[str, ...] = ()
    addresses: tuple[str, ...] = Field((), description="The host's own")
    listening: tuple[str, ...] = ()
    sudo: str = Field("", description="Version")
    paths: dict[str, str] = {}
    answers: dict[str, str] = {}
    units: dict[str, tuple[str, ...]] = {}
    folders: dict[str, Folder] = {}
    profiles: tuple[str, ...] = Field((), description="Those of AppArmor that are loaded, of the ones asked about")
    files: dict[str, str] = Field({}, description="SHA-256 of each, empty when it is not there")
    contents: dict[str, str] = Field({}, description="Digests of what is below each path; empty where not known")
    found: dict[str, FoundTree] = Field({}, description="What there is to attach to, by workload")
    tree: Ahead = Ahead()
    shared: dict[str, str] = Field(
        {}, description="File system and inode number of folders; empty where not known"
    )


class RuntimeFacts(Model):
    """What one runtime has on a host. `version` None: it is not installed there, and has nothing."""

    version: str | None = None
    versions: dict[str, str] = Field({}, description="Of what it runs with, by name; empty where that is missing")
    settings: tuple[str, ...] = Field((), description="What rules ask of how it is set up, in words of its own")
    disk_free_bytes: int | None = Field(None, description="Where it keeps things; None: as the host itself")
    instances: tuple[SerializeAsAny[Instance], ...] = ()
    images: tuple[ImageFacts, ...] = ()
    networks: tuple[NetworkFacts, ...] = ()
    volumes: tuple[VolumeFacts, ...] = ()


class HostFacts(Model):
    """A host that answered."""

    status: Literal["seen"] = "seen"
    name: str
    machine: str = Field("", description="The same for hosts that are one machine; empty where that is not known")
    arch: str = ""
    cpu_flags: tuple[str, ...] = ()
    versions: dict[str, str] = Field({}, description="Of what serves all runtimes: kernel, criu")
    programs: dict[str, dict[str, str]] = Field({}, description="Versions of what each runtime runs with")
    runtimes: dict[str, str] = Field({}, description="Version of each runtime that is installed, by name")
    settings: dict[str, tuple[str, ...]] = Field({}, description="How each runtime is set up, in words of its own")
    features: tuple[str, ...] = Field((), description="CRIU features present, e.g. uffd, mem_dirty_track")
    tools: tuple[str, ...] = Field((), description="Programs found, e.g. iptables-restore, nft, rsync, zstd")
    memory_free_bytes: int = 0
    memory_told: bool = Field(True, description="Whether a node's cluster says what memory it gives to pods")
    disk_free_bytes: int = Field(0, description="Where Reconciler keeps things")
    disks: dict[str, int] = Field({}, description="Bytes free where a runtime keeps things, by its name")
    clock_s: float = Field(0.0, description="The host's clock when it was looked at")
    clock_offset_s: float = Field(0.0, description="How far the host's clock is ahead of the controller's")
    cgroup_version: int = 0
    instances: tuple[SerializeAsAny[Instance], ...] = ()
    images: tuple[ImageFacts, ...] = ()
    networks: tuple[NetworkFacts, ...] = ()
    volumes: tuple[VolumeFacts, ...] = ()
    markers: tuple[Marker, ...] = ()
    holds: tuple[str, ...] = Field((), description="Workloads whose tasks a checkpoint here holds, or is about to")
    labels: dict[str, str] = Field({}, description="Of a node of a cluster; those of hosts are in specs")
    zone: str = ""
    cordoned: bool = Field(False, description="A node that takes nothing new")
    ready: bool = Field(True, description="Whether a node's cluster hears of it")
    preflight: Preflight | None = Field(None, description="Only of hosts that a change concerns")
    preflight_error: str = ""
    deep: dict[str, tuple[str, ...] | None] = Field(
        {},
        description="Of what is copied, as it was asked about: paths that are too long; null: nobody could look",
    )

    @property
    def containers(self) -> tuple[ContainerFacts, ...]:
        """Those of its instances that are containers."""
        return tuple(one for one in self.instances if isinstance(one, ContainerFacts))

    @property
    def least_disk_bytes(self) -> int:
        """Free in the fullest of the places where anything is kept."""
        return min((self.disk_free_bytes, *self.disks.values()))

    def versions_with(self, runtime: str) -> dict[str, str]:
        """By program, as they are where that runtime is at work: the host's, its own, what it runs with. Empty for
        what it looked for and did not find; what nobody looked for is not there."""
        own = {name: version for name, version in self.runtimes.items() if name == runtime}
        return self.versions | own | self.programs.get(runtime, {})

    def version(self, program: str, runtime: str = "") -> str:
        """Of a program where that runtime is at work; empty where it is not known."""
        return self.versions_with(runtime).get(program, "")

    @property
    def installed(self) -> tuple[tuple[str, str], ...]:
        """Programs with their versions, runtimes first; one that two runtimes have in two versions is there twice.
        A kernel is nothing that one installs."""
        told = (self.programs.get(name, {}) for name in self.runtimes)
        found = [
            (name, its)
            for programs in (*told, self.versions)
            for name, its in programs.items()
            if its and name != "kernel"
        ]
        return tuple(dict.fromkeys((*self.runtimes.items(), *found)))

    def of(self, runtime: str) -> HostFacts:
        """As a runtime sees it: its own disk, and without the images and networks that only others have."""
        told: dict[str, object] = {"disk_free_bytes": self.disks.get(runtime, self.disk_free_bytes)}
        if len(self.runtimes) > 1:
            told["images"] = tuple(image for image in self.images if image.runtime == runtime)
            told["networks"] = tuple(network for network in self.networks if network.runtime == runtime)
        return self.model_copy(update=told)


SILENT = ("H201", "H291")
"""No connection to it, or no answer in time."""


class HostUnknown(Model):
    """A host that could not be looked at: nothing about it may be concluded."""

    status: Literal["unknown"] = "unknown"
    name: str
    reason: str
    code: str = ""
    fix: str = ""

    @property
    def silent(self) -> bool:
        """It may be off. One that refuses a login, or whose answers cannot be read, runs what it runs; one that
        was not asked, for want of a key, may."""
        return self.code in SILENT


HostView = Annotated[HostFacts | HostUnknown, Field(discriminator="status")]


class World(Model):
    """All hosts asked in one observation."""

    hosts: dict[str, HostView] = {}
    abilities: dict[str, tuple[str, ...]] = Field({}, description="What each runtime that was asked can do")

    def seen(self) -> dict[str, HostFacts]:
        return {n: h for n, h in self.hosts.items() if isinstance(h, HostFacts)}

    def unknown(self) -> dict[str, HostUnknown]:
        return {n: h for n, h in self.hosts.items() if isinstance(h, HostUnknown)}

    @property
    def blind(self) -> bool:
        """Whether there are hosts, and none of them was seen: nothing can be said."""
        return bool(self.hosts) and not self.seen()
