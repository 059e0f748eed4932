"""The shapes of plans: a world in memory, and specs that ask for a change of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.hosts.memory import Machine, MemoryContainer, Universe
from reconciler.hosts.memory.machine import MarkerRow, Volume
from reconciler.hosts.memory.runtime import let_at_boot
from reconciler.model.base import canonical_json
from reconciler.model.checkpoint import Kept
from reconciler.model.container import Container as ContainerSpec
from reconciler.model.plan import Plan
from reconciler.model.restic import ResticStore
from reconciler.model.spec import Host, MigrationPolicy, Network, Spec, Workload
from reconciler.model.world import World
from reconciler.runtimes.base import Runtime
from tests.sim.comebacks import (
    comeback,
    comeback_from_repository,
    comeback_here,
    copy_beside,
    copy_here_from_repository,
    discard_copy,
)
from tests.sim.driver import SimDriver
from tests.sim.engine import SimEngine
from tests.sim.savings import (
    checkpoint_elsewhere,
    checkpoint_here,
    move_saved,
    plan_of,
    recreate_elsewhere_saved_first,
    recreate_saved,
    recreate_saved_first,
    repository_elsewhere,
    repository_here,
    saved,
    side_by_side,
    side_by_side_elsewhere,
    vault,
)
from tests.sim.together import move_and_more, moves_to_one, moves_together, swap

API = "reconciler/v1alpha1"
DATA = [{"name": "data", "target": "/data"}]


@dataclass
class Scene:
    """A universe and what is wanted of it. `wanted`: the host that should run each workload; None: nowhere.
    `newer`: specs of a controller that does not know of the first one's run. `effects`: what its actions leave
    `before` the hold at the source and `after` the restore at the destination."""

    universe: Universe
    spec: Spec
    wanted: dict[str, str | None]
    effects: dict[tuple[str, str], tuple[str, ...]]
    newer: Spec | None = None
    drivers: dict[str, Runtime] = field(default_factory=lambda: {"podman": SimDriver()})
    kept: Kept | None = None
    """A checkpoint of `web`, from which it comes back where it runs nowhere."""
    keeper: str = ""
    """The host on which a checkpoint of `web` is wanted, by itself."""
    repository: ResticStore | None = None
    """What it is wanted in there, where that is no folder."""
    copied: str = ""
    """A copy of that checkpoint which is wanted beside `web`, or not any more."""

    def plan(self, world: World) -> Plan:
        return plan_of(self, world)


@dataclass
class Builder:
    """`on_disk`: images are kept on disk, not in memory. `restart`: containers come up at boot; nobody is asked.
    `boots`: hosts start what ran on them and was not stopped, if the guard lets them."""

    on_disk: bool = False
    restart: bool = False
    stay: bool = False
    boots: bool = False
    universe: Universe = field(default_factory=Universe)
    workloads: dict[str, Workload] = field(default_factory=dict)
    wanted: dict[str, str | None] = field(default_factory=dict)
    cutover: str = "transactional"
    strategy: str = "auto"
    persist: bool = False
    networks: dict[str, Network] = field(default_factory=dict)
    effects: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    newer: dict[str, Workload] = field(default_factory=dict)
    runtime: str = SimDriver.NAME
    kept: Kept | None = None
    keeper: str = ""
    repository: ResticStore | None = None
    copied: str = ""
    saved_before: str = ""
    vault: str = ""
    """The host of the store that the specs name, if any."""

    def hosts(self, *names: str) -> None:
        for name in names:
            machine = self.universe.add(name, on_disk=self.on_disk)
            machine.images["app"] = 2**20

    def want(
        self,
        name: str,
        host: str,
        *,
        state: str = "running",
        image: str = "app",
        actions: bool = False,
        update: dict[str, str] | None = None,
        **container: object,
    ) -> None:
        restart = "always" if self.restart else "no"
        self.workloads[name] = Workload(
            api_version=API,
            kind="Workload",
            metadata={"name": name},
            spec={
                "runtime": self.runtime,
                "container": {"image": f"localhost/{image}:1", "restart": restart, **container},
                "placement": {"host": host},
                "state": state,
                "update": update,
                "health": {"tcp": {"port": 80}, "within": "2s"},
                "migration": {"policy": "p"} | ({"actions": self._actions(name)} if actions else {}),
            },
        )
        self.wanted[name] = host if state == "running" else None

    def _actions(self, name: str) -> dict[str, object]:
        """Two on each side, so that the second may fail after the first was done."""
        for when in ("before", "after"):
            self.effects[name, when] = tuple(f"{name}-{when}-{number}" for number in (1, 2))
        before, after = (
            [{"do": ["effect", "on", what], "undo": ["effect", "off", what]} for what in self.effects[name, when]]
            for when in ("before", "after")
        )
        return {"before_hold": before, "after_restore": after}

    def have(self, name: str, host: str, state: str = "running", *, epoch: int = 0, changed: bool = False) -> None:
        """A container of the workload, as an earlier apply made it."""
        machine = self.universe.machines[host]
        wanted = self.workloads[name].container if name in self.workloads else None
        text = canonical_json(wanted) if wanted and not changed else self._old_spec(wanted)
        called = SimEngine.CALLED + name if self.runtime == SimEngine.NAME else name
        container = MemoryContainer(self.universe.new_id(), called, name, text, "app", state)
        container.lineage = self.universe.new_lineage()
        container.restart = self.restart and state == "running"
        machine.containers[called] = container
        if wanted:
            for volume in wanted.volumes:
                machine.volumes[volume.name] = Volume(name, epoch, "earlier", f"data of {name}")
        if epoch:
            machine.markers[name] = MarkerRow(epoch, "running", "owner", "-", "-")

    def keep(self, name: str, host: str, *, epoch: int) -> None:
        """Volumes that stayed when the workload was removed."""
        machine = self.universe.machines[host]
        for volume in self.workloads[name].container.volumes:
            machine.volumes[volume.name] = Volume(name, epoch, "earlier", f"data of {name}")
        machine.markers[name] = MarkerRow(epoch, "running", "owner", "-", "-")

    def _old_spec(self, wanted: ContainerSpec | None) -> str:
        volumes = json.loads(canonical_json(wanted)).get("volumes", []) if wanted else []
        restart = "always" if self.restart else "no"
        return json.dumps({"image": "localhost/old:1", "restart": restart, "volumes": volumes})

    def scene(self) -> Scene:
        machines: dict[str, Machine] = self.universe.machines
        on_unhealthy = "stay" if self.stay else "back"
        policy = MigrationPolicy(
            api_version=API,
            kind="MigrationPolicy",
            metadata={"name": "p"},
            spec={
                "cutover": self.cutover,
                "strategy": self.strategy,
                "postcopy": {"persist": self.persist},
                "on_unhealthy": on_unhealthy,
                "silence_limit": "20s",
                "freeze_limit": "5m",
                "live": {"within": "20s"},
            },
        )
        hosts = {
            n: Host(api_version=API, kind="Host", metadata={"name": n}, spec={"address": "192.0.2.1"})
            for n in machines
        }
        spec = Spec(hosts=hosts, workloads=self.workloads, policies={"p": policy}, networks=self.networks)
        if self.saved_before:
            spec = saved(spec, self.saved_before)
        if self.vault:
            spec = spec.model_copy(update={"checkpoint_stores": {"vault": vault(self.vault)}})
        newer = spec.model_copy(update={"workloads": self.workloads | self.newer}) if self.newer else None
        drivers: dict[str, Runtime] = {
            self.runtime: SimEngine() if self.runtime == SimEngine.NAME else SimDriver()
        }
        self.universe.boots = let_at_boot if self.boots else None
        kept = (self.kept, self.keeper, self.repository, self.copied)
        return Scene(self.universe, spec, self.wanted, self.effects, newer, drivers, *kept)


def create(b: Builder) -> None:
    b.hosts("h1", "h2")
    b.networks["lan"] = Network(
        api_version=API, kind="Network", metadata={"name": "lan"}, spec={"driver": "bridge"}
    )
    del b.universe.machines["h1"].images["app"]
    b.want("web", "h1", networks=[{"name": "lan"}], volumes=DATA)


def create_pull(b: Builder) -> None:
    b.hosts("h1")
    b.want("web", "h1", image="new")


def start(b: Builder) -> None:
    b.hosts("h1")
    b.want("web", "h1")
    b.have("web", "h1", "exited", epoch=2)


def stop(b: Builder) -> None:
    b.hosts("h1")
    b.want("web", "h1", state="stopped")
    b.have("web", "h1")


def remove(b: Builder) -> None:
    b.hosts("h1")
    b.have("web", "h1", epoch=1)
    b.wanted["web"] = None


def update(b: Builder) -> None:
    """The same container with another restart policy."""
    b.hosts("h1")
    b.want("web", "h1")
    b.have("web", "h1", epoch=1)
    container = b.universe.machines["h1"].containers["web"]
    container.spec = json.dumps(json.loads(container.spec) | {"restart": "on-failure"})


def recreate(b: Builder) -> None:
    b.hosts("h1")
    b.want("web", "h1", image="new")
    b.have("web", "h1", changed=True)


def recreate_elsewhere(b: Builder) -> None:
    b.hosts("h1", "h2")
    b.want("web", "h2", volumes=DATA)
    b.have("web", "h1", changed=True, epoch=1)


def create_where_data_is_elsewhere(b: Builder) -> None:
    b.hosts("h1", "h2")
    b.want("web", "h2", volumes=DATA)
    b.keep("web", "h1", epoch=1)


def move(b: Builder) -> None:
    b.hosts("h1", "h2")
    b.networks["lan"] = Network(
        api_version=API, kind="Network", metadata={"name": "lan"}, spec={"driver": "bridge"}
    )
    b.universe.machines["h1"].networks["lan"] = "bridge"
    del b.universe.machines["h2"].images["app"]
    b.want("web", "h2", networks=[{"name": "lan"}], volumes=DATA)
    b.have("web", "h1")


def move_states(b: Builder) -> None:
    """Of which every state is looked at (`tests.sim.states`): as few steps as a move has."""
    b.hosts("h1", "h2")
    b.want("web", "h2")
    b.have("web", "h1", epoch=4)


def move_restore_back(b: Builder) -> None:
    b.cutover = "restore-back"
    b.hosts("h1", "h2")
    b.want("web", "h2")
    b.have("web", "h1", epoch=4)


def move_precopy(b: Builder) -> None:
    b.strategy = "precopy"
    b.hosts("h1", "h2")
    b.want("web", "h2")
    b.have("web", "h1", epoch=2)


def move_postcopy(b: Builder) -> None:
    b.strategy = "postcopy"
    b.hosts("h1", "h2")
    b.want("web", "h2")
    b.have("web", "h1", epoch=2)


def move_persisted(b: Builder) -> None:
    """Memory that follows is written to the source's disk meanwhile."""
    b.persist = True
    move_postcopy(b)


def move_with_actions(b: Builder) -> None:
    b.hosts("h1", "h2")
    b.want("web", "h2", actions=True)
    b.have("web", "h1", epoch=1)


def move_elsewhere(b: Builder) -> None:
    """Another controller, with its own journal, has newer specs that name another destination."""
    b.hosts("h1", "h2", "h3")
    b.want("web", "h3")
    b.newer = dict(b.workloads)
    b.want("web", "h2")
    b.have("web", "h1", epoch=1)


def move_by_runtime(b: Builder) -> None:
    """The runtime moves it by itself."""
    b.runtime = SimEngine.NAME
    b.hosts("h1", "h2")
    b.want("web", "h2")
    b.have("web", "h1", epoch=3)


SHAPES: dict[str, Callable[[Builder], None]] = {
    "create": create,
    "create-pull": create_pull,
    "start": start,
    "stop": stop,
    "remove": remove,
    "update": update,
    "recreate": recreate,
    "recreate-elsewhere": recreate_elsewhere,
    "create-where-data-is-elsewhere": create_where_data_is_elsewhere,
    "move": move,
    "move-restore-back": move_restore_back,
    "move-precopy": move_precopy,
    "move-postcopy": move_postcopy,
    "move-persisted": move_persisted,
    "move-with-actions": move_with_actions,
    "move-elsewhere": move_elsewhere,
    "moves-together": moves_together,
    "moves-to-one": moves_to_one,
    "swap": swap,
    "move-and-more": move_and_more,
    "move-by-runtime": move_by_runtime,
    "checkpoint-elsewhere": checkpoint_elsewhere,
    "checkpoint-repository-elsewhere": repository_elsewhere,
    "checkpoint-repository-here": repository_here,
    "checkpoint-here": checkpoint_here,
    "recreate-saved": recreate_saved,
    "recreate-saved-first": recreate_saved_first,
    "recreate-elsewhere-saved-first": recreate_elsewhere_saved_first,
    "move-saved": move_saved,
    "side-by-side": side_by_side,
    "side-by-side-elsewhere": side_by_side_elsewhere,
    "comeback": comeback,
    "comeback-here": comeback_here,
    "comeback-repository": comeback_from_repository,
    "copy-beside": copy_beside,
    "copy-here-from-repository": copy_here_from_repository,
    "discard-copy": discard_copy,
}


def scene(
    shape: str, *, on_disk: bool = False, restart: bool = False, stay: bool = False, boots: bool = False
) -> Scene:
    builder = Builder(on_disk=on_disk, restart=restart, stay=stay, boots=boots)
    (SHAPES.get(shape) or move_states)(builder)
    return builder.scene()
