"""What users write: the kinds of `reconciler/v1alpha1`. Shapes and single-field rules only.

Rules that need several objects (owners of an address, policies that exist) are in `reconciler.load`;
rules that need the live hosts are in `reconciler.core.rules`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Discriminator, Field, JsonValue, Tag, model_validator

from reconciler.model.action import MoveActions
from reconciler.model.base import DEFAULT_RUNTIME, Duration, Model, Name
from reconciler.model.checkpointing import CheckpointPolicySpec, CheckpointRefs, CheckpointStoreSpec
from reconciler.model.cluster import ClusterSpec
from reconciler.model.cluster_machine import ClusterMachine, kind_of
from reconciler.model.container import (
    Container,
    Mount,
    NetworkAttachment,
    PublishedPort,
    SecretRef,
    VolumeMount,
)
from reconciler.model.failing import MayFail
from reconciler.model.fields import (
    LABEL_KEY,
    ONE_LINE,
    PUBLIC_KEY,
    USER,
    Flag,
    HostAddress,
    Labels,
    Port,
)
from reconciler.model.following import PostCopy
from reconciler.model.health import HealthCheck
from reconciler.model.live import LiveMigration
from reconciler.model.machine import VirtualMachine
from reconciler.model.network import NetworkDefinition
from reconciler.model.place import seat
from reconciler.model.placement import Placement as Placement
from reconciler.model.process import ProcessTree
from reconciler.model.sync import SyncPolicySpec
from reconciler.model.updating import Update


class Metadata(Model):
    name: Name
    labels: Labels = {}


class WorkloadMetadata(Metadata):
    renamed_from: Name | None = Field(
        None, description="The name it keeps on the hosts: its container, marker and volumes are called so"
    )


class HostSpec(MayFail):
    """How a host is reached, and what may be placed on it."""

    address: HostAddress
    user: Annotated[str, Field(pattern=USER)] = "root"
    port: Port = 22
    host_key: Annotated[str, Field(pattern=PUBLIC_KEY)] | None = Field(
        None, description="The host's public key, as in a known_hosts file; known_hosts itself is read otherwise"
    )
    host_ca: Annotated[str, Field(pattern=PUBLIC_KEY)] | None = Field(
        None, description="Public key of the CA that signs the host's certificate"
    )
    identity_file: Annotated[str, Field(pattern=ONE_LINE)] | None = Field(
        None, description="Private key file; the SSH agent is asked otherwise"
    )
    jump: Name | None = Field(None, description="Name of the Host to connect through")
    sudo: Flag = False
    zone: Annotated[str, Field(pattern=LABEL_KEY)] | None = None
    schedulable: Flag = True


class Host(Model):
    api_version: Literal["reconciler/v1alpha1"]
    kind: Literal["Host"]
    metadata: Metadata
    spec: HostSpec


class Cluster(Model):
    api_version: Literal["reconciler/v1alpha1"]
    kind: Literal["Cluster"]
    metadata: Metadata
    spec: ClusterSpec = ClusterSpec()


class PolicyRefs(Model):
    """How this workload moves."""

    policy: Name | None = None
    actions: MoveActions | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.policy is None and self.actions is None:
            raise ValueError("give `policy`, `actions` or both")
        return self


class DesiredState(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    ABSENT = "absent"


CUSTOM: Final = "custom"
PAYLOADS: Final = {
    "container": "container",
    "process": "process",
    "virtualMachine": "virtual_machine",
    CUSTOM: CUSTOM,
}
"""The sections of a workload of which it has exactly one, with their fields: what runs, in its runtime's words."""

Payload = Model | dict[str, JsonValue]


class WorkloadSpec(Model):
    runtime: Name = DEFAULT_RUNTIME
    container: Container | None = None
    process: ProcessTree | None = None
    virtual_machine: (
        Annotated[
            Annotated[VirtualMachine, Tag("libvirt")] | Annotated[ClusterMachine, Tag("kubevirt")],
            Discriminator(kind_of),
        ]
        | None
    ) = None
    custom: dict[str, JsonValue] | None = Field(
        None, description="What runs, for a runtime that brings a model of its own, which checks it"
    )
    placement: Placement
    state: DesiredState = DesiredState.RUNNING
    migration: PolicyRefs | None = None
    health: HealthCheck | None = None
    update: Update | None = None
    checkpoints: CheckpointRefs | None = None

    @model_validator(mode="after")
    def _one_payload(self) -> Self:
        if sum(getattr(self, field) is not None for field in PAYLOADS.values()) != 1:
            names = [f"`{section}`" for section in PAYLOADS]
            raise ValueError(f"give exactly one of {', '.join(names[:-1])} and {names[-1]}")
        if self.virtual_machine and self.health:
            self.virtual_machine.can_be_asked(self.health)
        return self

    @property
    def section(self) -> str:
        """The name of the section that says what runs."""
        return next(section for section, field in PAYLOADS.items() if getattr(self, field) is not None)

    @property
    def payload(self) -> Payload:
        """What runs."""
        found: Payload = getattr(self, PAYLOADS[self.section])
        return found

    @property
    def image(self) -> str:
        """The image it is made from; empty where its runtime knows none."""
        return self.container.image if self.container else ""

    @property
    def networks(self) -> list[NetworkAttachment]:
        return self._listed("networks")

    @property
    def volumes(self) -> list[VolumeMount]:
        return self._listed("volumes")

    @property
    def mounts(self) -> list[Mount]:
        return [*self._listed("mounts"), *self._listed("carried")]

    @property
    def ports(self) -> list[PublishedPort]:
        return self._listed("ports")

    @property
    def address(self) -> str:
        """Where it answers: its first static address, else its host's own."""
        if found := getattr(self.payload, "address", ""):
            return str(found)
        return next((joined.ip for joined in self.networks if joined.ip), "127.0.0.1")

    @property
    def secret_env(self) -> dict[str, SecretRef]:
        """Secrets it is given, of payloads that can have some."""
        found: dict[str, SecretRef] = getattr(self.payload, "secret_env", {})
        return found

    def _listed(self, field: str) -> list[Any]:
        """Empty where the payload's kind has no such list. What is in a dictionary concerns its runtime alone."""
        found: list[Any] = getattr(self.payload, field, [])
        return found


class Workload(Model):
    api_version: Literal["reconciler/v1alpha1"]
    kind: Literal["Workload"]
    metadata: WorkloadMetadata
    spec: WorkloadSpec

    @property
    def identity(self) -> str:
        """Its name on the hosts, which a new name in the specs does not change."""
        return self.metadata.renamed_from or self.metadata.name

    @property
    def container(self) -> Container:
        """For whoever is asked about containers only."""
        assert self.spec.container is not None, self.metadata.name
        return self.spec.container


class Strategy(StrEnum):
    """What of the memory is copied in the freeze. `cold`: all. `lazy`: all, it follows while it runs. `precopy`:
    what changed since the last round. `postcopy`: none; it follows from the source, which must live for that."""

    AUTO = "auto"
    COLD = "cold"
    LAZY = "lazy"
    PRECOPY = "precopy"
    POSTCOPY = "postcopy"


class Cutover(StrEnum):
    """`transactional`: the source stays frozen until the destination runs. `restore-back`: it is stopped,
    and its images stay in place for the way back."""

    AUTO = "auto"
    TRANSACTIONAL = "transactional"
    RESTORE_BACK = "restore-back"


class TcpHandling(StrEnum):
    ESTABLISHED = "established"
    CLOSE = "close"


class FloorPolicy(StrEnum):
    """What a plan does about releases with known holes. `reconcile doctor` always shows them."""

    IGNORE = "ignore"
    WARN = "warn"
    REFUSE = "refuse"


class MigrationPolicySpec(Model):
    """How a workload moves."""

    strategy: Strategy = Strategy.AUTO
    allow_post_copy: bool = Field(False, description="`auto` may take `postcopy`: its source must live for that")
    postcopy: PostCopy = PostCopy()
    cutover: Cutover = Cutover.AUTO
    tcp: TcpHandling = TcpHandling.ESTABLISHED
    max_rounds: int = Field(5, ge=1, le=20, description="The most rounds of a pre-copy before the freeze")
    silence_limit: Duration = Field(
        "30s", description="A held source resumes when its controller was silent for this long before commit"
    )
    freeze_limit: Duration = Field("10m", description="The longest a move may keep its source frozen")
    max_downtime: Duration | None = Field(
        None, description="A move that is predicted to take clients longer than this is refused"
    )
    best_effort: bool = Field(False, description="Warn about `maxDowntime` instead of refusing")
    security_floor: FloorPolicy = Field(
        FloorPolicy.IGNORE, description="Moves between hosts whose programs are older than known security fixes"
    )
    unseen: Literal["refuse", "warn"] = Field(
        "refuse", description="Changes of which a host did not answer all that the rules ask"
    )
    accept: list[Name] = Field(
        [], description="Rules whose findings are known and wanted: they do not refuse, nor warn"
    )
    compression: Literal["auto", "none", "lz4", "zstd"] = Field(
        "auto", description="Of what is copied between the hosts; `auto` measures the link"
    )
    live: LiveMigration = LiveMigration()
    on_unhealthy: Literal["back", "stay"] = Field(
        "back", description="After a failed health check on the destination: go back to the source, or stay"
    )


class MigrationPolicy(Model):
    api_version: Literal["reconciler/v1alpha1"]
    kind: Literal["MigrationPolicy"]
    metadata: Metadata
    spec: MigrationPolicySpec = MigrationPolicySpec()


class Network(Model):
    api_version: Literal["reconciler/v1alpha1"]
    kind: Literal["Network"]
    metadata: Metadata
    spec: NetworkDefinition


class SyncPolicy(Model):
    api_version: Literal["reconciler/v1alpha1"]
    kind: Literal["SyncPolicy"]
    metadata: Metadata
    spec: SyncPolicySpec


class CheckpointPolicy(Model):
    api_version: Literal["reconciler/v1alpha1"]
    kind: Literal["CheckpointPolicy"]
    metadata: Metadata
    spec: CheckpointPolicySpec = CheckpointPolicySpec()


class CheckpointStore(Model):
    api_version: Literal["reconciler/v1alpha1"]
    kind: Literal["CheckpointStore"]
    metadata: Metadata
    spec: CheckpointStoreSpec


AnyKind = Host | Cluster | Workload | MigrationPolicy | Network | SyncPolicy | CheckpointPolicy | CheckpointStore
KINDS: dict[
    str,
    type[Host]
    | type[Cluster]
    | type[Workload]
    | type[MigrationPolicy]
    | type[Network]
    | type[SyncPolicy]
    | type[CheckpointPolicy]
    | type[CheckpointStore],
] = {
    "Host": Host,
    "Cluster": Cluster,
    "Workload": Workload,
    "MigrationPolicy": MigrationPolicy,
    "Network": Network,
    "SyncPolicy": SyncPolicy,
    "CheckpointPolicy": CheckpointPolicy,
    "CheckpointStore": CheckpointStore,
}


class Origin(Model):
    """Where a value stands in the user's files. Lines and columns count from 1."""

    file: str
    line: int
    col: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Spec(Model):
    """The desired state: all objects of a run, by name, and where each stands.

    `origins` maps `Kind/name` and `Kind/name/dotted.path` (e.g. `Workload/web/spec.placement.host`)
    to the place in the files. `commit` is the git commit of the specs, `dirty` when files differ from it.
    """

    hosts: dict[str, Host] = {}
    clusters: dict[str, Cluster] = {}
    workloads: dict[str, Workload] = {}
    policies: dict[str, MigrationPolicy] = {}
    networks: dict[str, Network] = {}
    sync: dict[str, SyncPolicy] = {}
    checkpoint_policies: dict[str, CheckpointPolicy] = {}
    checkpoint_stores: dict[str, CheckpointStore] = {}
    origins: dict[str, Origin] = {}
    called: dict[str, str] = Field({}, description="Names in the files of what is called otherwise on the hosts")
    commit: str | None = None
    dirty: Flag = False

    def origin(self, kind: str, name: str, path: str = "") -> Origin | None:
        """The place of a field, else of its object."""
        return self.origins.get(f"{kind}/{name}/{path}") or self.origins.get(f"{kind}/{name}")

    @property
    def places(self) -> list[str]:
        """All that are asked what they have: hosts, and clusters, which tell of their nodes."""
        return [*self.hosts, *map(seat, self.clusters)]

    def policy_of(self, workload: Workload) -> MigrationPolicySpec:
        """The migration policy of a workload; the defaults where it names none."""
        if workload.spec.migration is None or workload.spec.migration.policy is None:
            return MigrationPolicySpec()
        return self.policies[workload.spec.migration.policy].spec
