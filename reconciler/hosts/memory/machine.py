"""The state of hosts in memory: what survives a reboot and what does not, and who is told of each change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.model.command import Bytes, Seconds

if TYPE_CHECKING:
    from reconciler.hosts.memory.engine import Migration
    from reconciler.hosts.memory.stores import MemoryKept

CREATED, RUNNING, FROZEN, EXITED = "created", "running", "frozen", "exited"
"""States of a container. Frozen: its processes are there and do nothing."""

REBOOT_TIME: Seconds = 40.0


@dataclass
class Dump:
    """One checkpoint of one process. `resumed`: the process ran on after it, so that its images are history.

    `lineage` is the process: a restore keeps it, a start makes a new one."""

    workload: str
    lineage: int
    origin: str
    resumed: bool = False


@dataclass
class ImageSet:
    """A dump's images on one host. `later`: of its pages only those that a restore needs at once. `persisting`:
    they are written to its disk."""

    dump: Dump
    complete: bool
    on_disk: bool
    later: bool = False
    persisting: bool = False


@dataclass
class Volume:
    """`data` stands for what is in it; empty for a new one. `run` and `epoch`: who made it, as its labels say."""

    workload: str
    epoch: int = 0
    run: str = ""
    data: str = ""


@dataclass
class MemoryContainer:
    """`whole`: all memory pages are here; after a lazy restore they follow.
    `waits`: for some that nobody serves."""

    id: str
    name: str
    workload: str
    spec: str
    image: str
    state: str = CREATED
    restart: bool = False
    lineage: int = 0
    whole: bool = True
    waits: bool = False
    networks: tuple[dict[str, str | None], ...] = ()
    before: str = ""
    """The spec it had before it was changed in place."""
    stopped: bool = False
    """Somebody stopped it, and nobody has started it since."""


@dataclass
class MarkerRow:
    """As the guard writes it; `broken` says why it cannot be trusted, `newer` the later format it has."""

    epoch: int = 0
    phase: str = "none"
    role: str = "owner"
    run: str = "-"
    peer: str = "-"
    broken: str = ""
    newer: str = ""


@dataclass
class MemoryHook:
    """One hold under way or ended; the fields are the files of the guard's folder `hook`.
    `killed`: which of its processes was, `hook` or `criu`. `tasks_ended`: nothing frozen was left to run on, so
    the tasks were ended, and only their images are a way back."""

    epoch: int
    silence: Seconds
    freeze: Seconds
    mode: str
    boot: int
    began: Seconds
    held: Seconds | None = None
    beat: Seconds = 0.0
    verdict: str = ""
    final: str = ""
    status: int | None = None
    killed: str = ""
    tasks_ended: bool = False
    notify: asyncio.Event = field(default_factory=asyncio.Event)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Machine:
    """One host. `reachable`: the controllers can talk to it. `armed`: what goes wrong when it is tried next:
    `dump`, `restore`, `health`, `dies` (the program ends right after a restore), `full` (disk and tmpfs),
    `truncate` (copies to here), `marker` (it cannot be written), `pages` (the daemon that serves them dies),
    `pages-slow` (they take very long), `action` and `undo` (commands of a spec), `migrate` and `stalls` (moves by
    the runtime itself). `pages`: the status of each page daemon that has ended; `fed_by`: the host that memory
    follows from, and `left` how many parts of it are missing. `effects`: what actions have done here and not taken
    back. `installed`: guards."""

    name: str
    universe: Universe
    on_disk: bool = False
    up: bool = True
    reachable: bool = True
    lost: bool = False
    boot: int = 1
    slow: float = 1.0
    clock_offset: Seconds = 0.0
    armed: dict[str, int] = field(default_factory=dict)
    images: dict[str, Bytes] = field(default_factory=dict)
    networks: dict[str, str] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    containers: dict[str, MemoryContainer] = field(default_factory=dict)
    dumps: dict[str, ImageSet] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    markers: dict[str, MarkerRow] = field(default_factory=dict)
    hooks: dict[str, MemoryHook] = field(default_factory=dict)
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    processes: dict[asyncio.Task[Any], None] = field(default_factory=dict)
    pages: dict[str, int | None] = field(default_factory=dict)
    fed_by: dict[str, Machine] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    effects: set[str] = field(default_factory=set)
    migrations: dict[str, Migration] = field(default_factory=dict)
    installed: set[str] = field(default_factory=set)
    kept: dict[str, MemoryKept] = field(default_factory=dict)
    """Checkpoints by their folder."""

    @property
    def answers(self) -> bool:
        return self.up and self.reachable

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """A process of this host: it ends with the host, not with who started it."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self.name}: {name}")
        self.processes[task] = None
        task.add_done_callback(lambda t: self.processes.pop(t, None))
        return task

    async def work(self, seconds: Seconds) -> None:
        """Time that a piece of work takes here."""
        await asyncio.sleep(seconds * self.slow)

    def take(self, trouble: str) -> bool:
        """Whether an armed trouble strikes now; each strikes as often as it was armed, `full` until healed."""
        left = self.armed.get(trouble, 0)
        if left and trouble != "full":
            self.armed[trouble] = left - 1
        return left > 0

    def changed(self, what: str) -> None:
        self.universe.changed(f"{self.name}: {what}")

    def power_off(self, *, for_good: bool) -> None:
        """All processes end at once; what was only in memory is gone."""
        self.up = False
        self.lost = for_good
        for task in list(self.processes):
            task.cancel()
        self.processes.clear()
        self.locks.clear()
        self.pages.clear()
        self.migrations.clear()
        for container in self.containers.values():
            if container.state in (RUNNING, FROZEN):
                container.state = EXITED
        self.dumps = {name: images for name, images in self.dumps.items() if images.on_disk}
        for other in self.universe.machines.values():
            other.fed_by = {name: source for name, source in other.fed_by.items() if source is not self}
        self.universe.disaster(f"{self.name}: power off{' for good' if for_good else ''}")

    def reboot(self) -> None:
        """A power cut; it comes back by itself."""
        if self.up:
            self.power_off(for_good=False)
            asyncio.get_running_loop().call_later(REBOOT_TIME, self.power_on)

    def kill_hold(self, workload: str, process: str) -> None:
        """kill -9 of a process of a hold: CRIU, or its action script."""
        hook = self.hooks.get(workload)
        if hook and hook.boot == self.boot and hook.status is None:
            hook.killed = process
            hook.wake.set()

    def power_on(self) -> None:
        """The host is back: containers with a restart policy start anew."""
        if self.lost or self.up:
            return
        self.up = True
        self.boot += 1
        self.changed("up again")
        lets = self.universe.boots
        for container in self.containers.values():
            if container.state == EXITED and (container.restart or (lets and lets(self, container))):
                self.begin(container, "started at boot")

    def begin(self, container: MemoryContainer, why: str) -> None:
        """The container's program starts from its beginning."""
        container.lineage = self.universe.new_lineage()
        container.state, container.whole, container.stopped = RUNNING, True, False
        self.changed(f"{container.name} {why}")


Observer = Callable[[str, bool], None]
"""Called with what happened, and whether it was a disaster (a fault) rather than something that was asked for."""


@dataclass
class Universe:
    """All machines. Observers are called after every single change."""

    machines: dict[str, Machine] = field(default_factory=dict)
    observers: list[Observer] = field(default_factory=list)
    log: list[tuple[float, str]] = field(default_factory=list)
    cut_links: bool = False
    boots: Callable[[Machine, MemoryContainer], bool] | None = None
    """Where hosts start what ran on them at boot: whether this is let."""
    _lineages: int = 0
    _ids: int = 0

    def add(self, name: str, *, on_disk: bool = False) -> Machine:
        self.machines[name] = Machine(name, self, on_disk=on_disk)
        return self.machines[name]

    def new_lineage(self) -> int:
        self._lineages += 1
        return self._lineages

    def new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:064x}"

    def note(self, what: str) -> None:
        self.log.append((asyncio.get_running_loop().time(), what))

    def changed(self, what: str) -> None:
        self.note(what)
        for observer in self.observers:
            observer(what, False)

    def disaster(self, what: str) -> None:
        self.note(f"!! {what}")
        for observer in self.observers:
            observer(what, True)

    def copies(self, workload: str) -> list[tuple[Machine, MemoryContainer]]:
        return [(m, c) for m in self.machines.values() for c in m.containers.values() if c.workload == workload]
