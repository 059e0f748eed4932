"""One seed's world, and what must hold of it when everything has ended."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.commands.compose import Outside
from reconciler.commands.discarding import Discard
from reconciler.commands.resolve import decide
from reconciler.core.copying import copies
from reconciler.core.diff import current_copy, old_copies
from reconciler.core.index import Index
from reconciler.core.planner import make_plan
from reconciler.core.returning import run_back, run_beside
from reconciler.core.saga import GroupState, Saga
from reconciler.engine.observe import observe
from reconciler.hosts.memory import MemoryFleet
from reconciler.hosts.memory.machine import FROZEN, RUNNING
from reconciler.model.plan import Plan, StepKind
from reconciler.model.record import Mark, RunState
from reconciler.model.world import World
from reconciler.state.memory import MemoryStore
from tests.sim.controller import RUN, Controller
from tests.sim.faults import Boundary, Fault, Strike
from tests.sim.savings import whole
from tests.sim.shapes import scene
from tests.sim.watch import Watcher

Groups = Mapping[str, GroupState]


@dataclass(frozen=True)
class Scenario:
    """What a seed stands for."""

    seed: int
    shape: str
    strikes: tuple[Strike, ...]
    on_disk: bool = False
    restart: bool = False
    stay: bool = False
    boots: bool = False

    def __str__(self) -> str:
        more = [name for name in ("on_disk", "restart", "stay", "boots") if getattr(self, name)]
        faults = "; ".join(str(s) for s in self.strikes) or "no faults"
        return f"seed {self.seed}: {self.shape}{' ' + ','.join(more) if more else ''}: {faults}"


@dataclass
class Result:
    scenario: Scenario
    violations: list[str]
    reached: dict[Boundary, int]
    struck: set[tuple[Boundary, Fault]]
    groups: dict[str, GroupState]
    log: list[tuple[float, str]]


@dataclass
class Checks:
    """What a simulation consists of, and what must hold of it in the end."""

    scenario: Scenario
    journal_full: bool = False
    refusing: dict[str, int] = field(default_factory=dict)
    reached: dict[Boundary, int] = field(default_factory=dict)
    struck: set[tuple[Boundary, Fault]] = field(default_factory=set)
    zombies: list[Controller] = field(default_factory=list)
    journal_lost: bool = False
    late: int = 0
    run: str = RUN
    runs: int = 1
    durable: dict[str, Mark] = field(default_factory=dict)

    watcher: Watcher = field(init=False)
    plan: Plan = field(init=False)
    whole_plan: Plan = field(init=False)
    ran: dict[str, str] = field(init=False)
    """Where each workload ran at the beginning."""

    def __post_init__(self) -> None:
        s = self.scenario
        self.rng = random.Random(s.seed)
        self.scene = scene(s.shape, on_disk=s.on_disk, restart=s.restart, stay=s.stay, boots=s.boots)
        self.universe = self.scene.universe
        self.pending = list(s.strikes)
        self.journal = MemoryStore()

    async def look(self) -> World:
        fleet = MemoryFleet(self.universe)
        return await observe(fleet, self.scene.drivers, sorted(self.scene.spec.hosts))

    def _check_put_back(self, groups: Groups) -> None:
        """The source of a move runs, and what was set aside and ran does so again."""
        aside = {s.workload for s in self.plan.steps if s.kind is StepKind.SET_ASIDE}
        if self.watcher.disturbed:
            aside = set()
        for workload, state in groups.items():
            if workload in self.watcher.excused or state not in (GroupState.PUT_BACK, GroupState.SKIPPED):
                continue
            move = self.plan.moves.get(workload)
            host = move.source if move else self.ran.get(workload) if workload in aside else None
            if host and not self._runs(workload, host):
                self.watcher.fail("nowhere", f"{workload} was put back and does not run on {host}")

    def _check_returned(self, groups: Groups) -> None:
        """What went back to its checkpoint is the process that was captured."""
        for name in self.whole_plan.captures:
            back = run_back(RUN, name)
            if (
                self.watcher.disturbed
                or groups.get(name) is not GroupState.PUT_BACK
                or not self.journal.knows(back)
            ):
                continue
            run = self.journal.run(back)
            if Saga(run.plan, run.records).states[name] is GroupState.DONE:
                ran = [c.lineage for _, c in self.universe.copies(name) if c.state == RUNNING]
                if ran != [self.watcher.lineage(name)]:
                    self.watcher.fail("returned", f"{name} is not what was captured: {ran}")

    def _check_actions(self, groups: Groups) -> None:
        """What actions did stays after a move that is done, and only then."""
        for (workload, when), names in self.scene.effects.items():
            move, state = self.whole_plan.moves[workload], groups.get(workload)
            if self.watcher.disturbed or state not in (GroupState.DONE, GroupState.PUT_BACK):
                continue
            wanted = set(names) if state is GroupState.DONE else set()
            for machine in self.universe.machines.values():
                here = move.source if when == "before" else move.destination
                found = machine.effects & set(names)
                if found != (wanted if machine.name == here else set()):
                    text = f"{workload} is {state}, and of its actions {when} {sorted(found)} are in force"
                    self.watcher.fail("actions", f"{text} on {machine.name}")

    def _check_kept(self, groups: Groups) -> None:
        """What is listed is whole and of a process that ran; a checkpoint that was taken is listed."""
        listed = whole(self.scene)
        for host, folder in listed:
            found = self.universe.machines[host].kept.get(folder)
            if found is None or found.damaged or not found.files:
                self.watcher.fail("kept", f"{folder} on {host} is listed and not whole: {found}")
        for step in self.whole_plan.steps:
            done = groups.get(step.workload) is GroupState.DONE and self.durable.get(step.id) is Mark.DONE
            at = self.whole_plan.captures.get(step.workload)
            if step.kind is StepKind.CAPTURE and done and not self.journal_lost and at:
                folder = at.at.of(step.workload, RUN)
                if (at.keeper, folder) not in listed:
                    self.watcher.fail("kept", f"{folder} is not on {at.keeper}, though it was taken")

    def _check_copy(self, groups: Groups) -> None:
        """Nothing is left of a copy that was put back, or is gone; one that is there has what was kept."""
        name, state = self.scene.copied, groups.get(self.scene.copied)
        if not name or self.watcher.disturbed or self.zombies or self.journal_lost:
            return
        machines = self.universe.machines.values()
        volumes = {n: v.data for m in machines for n, v in m.volumes.items() if v.workload == name}
        left = [container.name for _, container in self.universe.copies(name)] + list(volumes)
        gone = state is GroupState.PUT_BACK or (state is GroupState.DONE and self.scene.wanted[name] is None)
        if gone and left:
            self.watcher.fail("copy", f"{left} is left of {name}, which is {state}")
        if state is GroupState.DONE and not gone and list(volumes.values()) != ["data of web"]:
            self.watcher.fail("copy", f"{name} has not what was kept: {volumes}")

    def _check_beside(self, groups: Groups) -> None:
        """The old version beside the new one is what was captured; beside one that was put back there is none."""
        for name, capture in self.whole_plan.captures.items():
            copy, state = capture.beside and capture.beside.name, groups.get(name)
            if not copy or self.watcher.disturbed or self.zombies or self.journal_lost:
                continue
            there = [c for _, c in self.universe.copies(copy) if c.state in (RUNNING, FROZEN)]
            run = run_beside(RUN, name)
            made = self.journal.knows(run) and self.journal.run(run).state is RunState.DONE
            if state is GroupState.DONE and made and [c.lineage for c in there] != [self.watcher.lineage(name)]:
                self.watcher.fail("beside", f"{copy} is not what was captured: {there}")
            if state is GroupState.PUT_BACK and self.journal.knows(run):
                self.watcher.fail("beside", f"{name} was put back, and {copy} was made")

    async def copies_go(self) -> None:
        """A person discards what has ended since, or was left behind."""
        for found in copies(Index.of(await self.look())):
            if found.settled and found.state != "running":
                self.universe.note(f"a person discards {found.name} on {found.host}")
                outside = Outside(MemoryFleet(self.universe), drivers=self.scene.drivers, secrets=lambda _: {})
                await Discard(self.scene.spec).one(found, "asked for", outside, MemoryStore())

    def _waits_for_a_person(self, groups: Groups) -> bool:
        return any(self._needs_a_person(workload, state) for workload, state in groups.items())

    def _needs_a_person(self, workload: str, state: GroupState) -> bool:
        """In doubt, and rightly so: a reboot ended the frozen process; its images are only elsewhere."""
        move = self.whole_plan.moves.get(workload)
        if state is not GroupState.IN_DOUBT or not move or move.source not in self.watcher.disturbed:
            return False
        others = (m.dumps.get(workload) for m in self.universe.machines.values() if m.name != move.source)
        return any(images and images.complete for images in others)

    def _runs(self, workload: str, host: str) -> bool:
        """Whether it does: a moved one as the same process, unless a disaster ended that."""
        same = workload in self.watcher.moving and not self.watcher.disturbed
        lineage = self.watcher.lineage(workload)
        return any(
            m.name == host and c.state == RUNNING and (not same or c.lineage == lineage)
            for m, c in self.universe.copies(workload)
        )

    async def old_copies_go(self) -> None:
        """A person has them removed, of workloads that run elsewhere by now, as `status` says."""
        index = Index.of(await self.look())
        outside = Outside(MemoryFleet(self.universe), drivers=self.scene.drivers, secrets=lambda _: {})
        for name in sorted(index.copies):
            current = current_copy(name, index)
            if old_copies(name, index) and current and current.instance.state.has_processes:
                self.universe.note(f"a person has old copies of {name} removed, but on {current.host}")
                await decide(self.scene.spec, name, current.host, "seen", outside, MemoryStore())

    def _ended_beside(self) -> set[str]:
        """What a copy is made beside and ended with its host: the next apply starts it, not the copy's run."""
        others = {w: h for w, h in self.scene.wanted.items() if self.scene.copied and w != self.scene.copied and h}
        return {workload for workload, host in others.items() if self.universe.machines[host].boot > 1}

    async def _check_done(self, when: str) -> None:
        await self.old_copies_go()
        beside = self._ended_beside()
        for workload, host in self.scene.wanted.items():
            if host and workload not in beside and not self._runs(workload, host):
                self.watcher.fail("nowhere", f"{workload} does not run on {host} {when}")
            for machine, container in self.universe.copies(workload):
                if machine.name != host and container.state in (RUNNING, FROZEN):
                    self.watcher.fail("left", f"{workload} is {container.state} on {machine.name} {when}")
        for name, token in self.watcher.data.items():
            workload = token.removeprefix("data of ")
            host = self.scene.wanted.get(workload)
            there = self.universe.machines[host].volumes.get(name) if host else None
            if host and (there is None or there.data != token):
                self.watcher.fail("data", f"volume {name} on {host} holds `{there and there.data}` {when}")
        plan = make_plan(self.scene.spec, await self.look())
        if plan.errored or {step.workload for step in plan.steps} - beside:
            found = [s.id for s in plan.steps] + [f.message for f in plan.findings]
            self.watcher.fail("I5", f"the plan {when} is not empty: {found}")
