"""The invariants, checked after every single event of the universe."""

from dataclasses import dataclass, field

from reconciler.hosts.memory.machine import FROZEN, RUNNING, Universe
from reconciler.model.copying import is_copy


@dataclass
class Watcher:
    """I1: at most one copy runs. I2: what could be brought back can still be, unless a disaster took it.

    `removable`: workloads that are meant to go. `moving`: workloads whose process must survive. `proven`: those
    whose destination is confirmed, so that what a disaster takes from there is lost. `disturbed`: hosts that had
    a disaster.
    """

    universe: Universe
    removable: frozenset[str]
    moving: frozenset[str]
    violations: list[str] = field(default_factory=list)
    excused: dict[str, str] = field(default_factory=dict)
    proven: set[str] = field(default_factory=set)
    disturbed: set[str] = field(default_factory=set)
    data: dict[str, str] = field(default_factory=dict)
    """What was in each volume at the beginning."""
    comes_back: bool = False
    """Whether a checkpoint was there at the beginning. One that is taken on the way is no way back."""
    _kept: int = 0
    _lineage: dict[str, int] = field(default_factory=dict)
    _alive: dict[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for machine in self.universe.machines.values():
            self.comes_back = self.comes_back or bool(machine.kept)
            self.data.update((n, v.data) for n, v in machine.volumes.items() if not is_copy(v.workload))
            self._kept = next((kept.lineage for kept in machine.kept.values()), self._kept)
            for container in machine.containers.values():
                self._lineage[container.workload] = container.lineage
                self._alive[container.workload] = True
        self.universe.observers.append(self)

    def lineage(self, workload: str) -> int:
        """The process that counts: the one that ran at the beginning; of a copy the one that was kept."""
        return self._lineage.get(workload, self._kept if is_copy(workload) else 0)

    def __call__(self, what: str, disaster: bool) -> None:
        if disaster:
            self.disturbed.add(what.partition(":")[0])
        if "ran on" in what:
            self.fail("I2", f"{what}: a past state was brought back")
        running: dict[str, list[str]] = {}
        for machine in self.universe.machines.values():
            for container in machine.containers.values():
                if container.state == RUNNING:
                    running.setdefault(container.workload, []).append(machine.name)
        for workload, places in running.items():
            if len(places) > 1:
                self.fail("I1", f"{workload} runs on {' and '.join(places)} after: {what}")
        for workload in self._alive:
            self._check_survival(workload, what, disaster)
        self._check_data(what)

    def _check_data(self, what: str) -> None:
        """What was in a volume at the beginning is in one somewhere, be its host on or off."""
        for name, data in self.data.items():
            if not any(
                (name in m.volumes and m.volumes[name].data == data)
                or any(data in kept.data for kept in m.kept.values())
                for m in self.universe.machines.values()
            ):
                self.fail("data", f"no host has what was in volume {name} after: {what}")

    def fail(self, rule: str, text: str) -> None:
        self.universe.note(f"VIOLATION {rule}: {text}")
        self.violations.append(f"{rule}: {text}")

    def _check_survival(self, workload: str, what: str, disaster: bool) -> None:
        if workload in self.removable or workload in self.excused or (workload in self.proven and self.disturbed):
            return
        can = self.recoverable(workload)
        if self._alive[workload] and not can:
            if disaster:
                self.excused[workload] = what
            else:
                self.fail("I2", f"{workload} cannot be brought back after: {what}")
        self._alive[workload] = can

    def recoverable(self, workload: str) -> bool:
        """Whether the process (of a move), or any container with the workload's state (else), is still there."""
        copies = self.universe.copies(workload)
        if workload not in self.moving:
            return any(not machine.lost for machine, _ in copies)
        wanted = self.lineage(workload)
        for machine, container in copies:
            there = not machine.lost and container.state in (RUNNING, FROZEN) and container.whole
            if there and container.lineage == wanted:
                return True
        if self.comes_back and any(
            kept.workload == workload and kept.lineage == wanted and not kept.damaged and not machine.lost
            for machine in self.universe.machines.values()
            for kept in machine.kept.values()
        ):
            return True
        for machine in self.universe.machines.values():
            images = machine.dumps.get(workload)
            if images and images.complete and not machine.lost and not images.dump.resumed:
                if images.dump.lineage == wanted:
                    return True
        return False
