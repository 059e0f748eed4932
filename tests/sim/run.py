"""One seed: a plan shape, faults at some of its boundaries, controllers that come and go, and the final checks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import reduce

from reconciler.commands.recover import note_settled, rebuilt_runs
from reconciler.core.saga import GroupState
from reconciler.errors import HostUnreachable, ReconcilerError
from reconciler.guard import dossier
from reconciler.hosts.memory import Deadlock, MemoryFleet, run_virtual
from reconciler.hosts.memory.machine import REBOOT_TIME, RUNNING
from reconciler.hosts.memory.runtime import Failed, MemoryRuntime
from reconciler.hosts.wrap import About, Call
from reconciler.model.plan import Plan
from reconciler.model.record import Mark, Record, Run, RunState
from reconciler.state.memory import MemoryStore
from reconciler.state.store import Awaited
from tests.sim.checks import Checks, Groups, Result, Scenario
from tests.sim.controller import Controller, Here
from tests.sim.faults import Boundary, Point, Strike
from tests.sim.strikes import befall
from tests.sim.watch import Watcher

ENDED = (GroupState.DONE, GroupState.PUT_BACK, GroupState.SKIPPED)
MOST_CONTROLLERS = 7
HEALED_AFTER = 3
LONGEST = 6 * 3600.0


class Simulation(Checks):
    """Controllers come and go until everything has ended."""

    # --- called by controllers ---

    def at(self, controller: Controller, here: Here, point: Point, about: About | None = None) -> str | None:
        """A boundary is reached: strike what is due. For commands, answers what happens to this one."""
        where = Boundary(here.step.kind, here.undo, point)
        self.reached[where] = self.reached.get(where, 0) + 1
        trouble = None
        for strike in list(self.pending):
            if strike.at != where:
                continue
            skip = next(i for i, s in enumerate(self.pending) if s is strike)
            if strike.skip:
                self.pending[skip] = Strike(strike.at, strike.fault, strike.skip - 1)
                continue
            del self.pending[skip]
            self.struck.add((where, strike.fault))
            self.universe.note(f"** {strike.fault} at {where} ({controller.name}, {here.step.id})")
            trouble = befall(self, strike.fault, controller, here.step, about) or trouble
        return trouble

    def check_intent(self, here: Here, about: About) -> None:
        """I3: nothing is sent to a host unless its step's intent is durable and has no outcome yet."""
        if about.command is not None and not about.command.changes:
            return
        wanted = Mark.UNDO if here.undo else Mark.INTENT
        if self.zombies or self.journal_lost:
            return  # the journal is another controller's by now
        mark = self.durable.get(here.step.id)
        if mark is not wanted:
            self.watcher.fail("I3", f"{here.step.id} acts while the journal says {mark}")

    async def deliver_late(self, call: Call[object]) -> None:
        self.late += 1
        await asyncio.sleep(self.rng.uniform(1.0, 40.0))
        try:
            await call()
        except Exception as error:
            self.universe.note(f"late command: {error}")
        finally:
            self.late -= 1

    def heal(self) -> None:
        self.journal_full = False
        self.refusing.clear()
        self.universe.cut_links = False
        self.pending.clear()
        for machine in self.universe.machines.values():
            machine.reachable = True
            machine.slow = 1.0
            machine.clock_offset = 0.0
            machine.armed.clear()
            machine.power_on()

    # --- the course of a run ---

    async def course(self) -> Result:
        world = await self.look()
        self.plan = self.scene.plan(world)
        self.whole_plan = self.plan
        assert self.plan.steps and not self.plan.errored, self.plan.findings
        removable = frozenset(
            name for name, host in self.scene.wanted.items() if name not in self.scene.spec.workloads
        )
        removable |= {capture.beside.name for capture in self.plan.captures.values() if capture.beside}
        self.watcher = Watcher(self.universe, removable, frozenset(self.plan.moves))
        self.ran = {
            c.workload: m.name
            for m in self.universe.machines.values()
            for c in m.containers.values()
            if c.state == RUNNING
        }
        self.journal.begin(Run(id=self.run, plan=self.plan, started_at=0.0, actor="sim"))
        groups = await self._until_ended()
        for zombie in self.zombies:
            zombie.awake.set()
            await asyncio.wait({zombie.task}, timeout=3000.0)
            if not zombie.task.done() and not zombie.dead:
                self.watcher.fail("stuck", f"{zombie.name} never ends")
        self.heal()
        await asyncio.sleep(400.0)
        if self.zombies and not self._ended(groups):
            groups = await self._until_ended(first=False)
        for zombie in self.zombies:
            await self._end_its_run(zombie)
        await self._check_end(groups)
        return Result(self.scenario, self.watcher.violations, self.reached, self.struck, groups, self.universe.log)

    def _ended(self, groups: Groups, of_journal: bool = False) -> bool:
        return (
            bool(groups)
            and (of_journal or not self.journal_lost)
            and all(state in ENDED for state in groups.values())
        )

    async def _until_ended(self, first: bool = True) -> dict[str, GroupState]:
        """Controllers one after the other, until one says that everything has ended."""
        groups: dict[str, GroupState] = {}
        for number in range(MOST_CONTROLLERS):
            controller = Controller(self, f"c{number}")
            fresh = first and number == 0
            if number >= HEALED_AFTER:
                self.heal()
                await asyncio.sleep(REBOOT_TIME + 1)
            try:
                records = () if fresh else await self._recover()
            except HostUnreachable as error:  # it went away in the middle of the look, as people are told
                self.universe.note(f"{controller.name} did not begin: {error}")
                continue
            names = frozenset(step.workload for step in self.plan.steps)
            fresh = fresh or (self.journal_lost and not records)
            controller.run = self.run
            controller.start(self.plan, self.journal, records, frozenset() if fresh else names)
            await asyncio.wait_for(controller.over.wait(), LONGEST)
            if controller.dead:
                controller.task.cancel()
            if controller.groups is not None:
                groups = controller.groups
                self.universe.note(f"{controller.name} ended: {groups}")
                if self._ended(groups) or (self.journal_lost and not groups and number > HEALED_AFTER):
                    return groups
            else:
                self.universe.note(f"{controller.name} did not end: {controller.error!r}")
            self.journal_full = self.journal_full and number < 2
            await asyncio.sleep(self.rng.choice([0.1, 5.0, 70.0]))
        return groups

    async def _end_its_run(self, zombie: Controller) -> None:
        """A journal that another controller does not know can be brought to its end, too, when that is done."""
        journal, old = zombie.journal.inner, zombie.plan
        moves = tuple(step for step in old.steps if step.workload in old.moves)
        if (
            journal is self.journal
            or not isinstance(journal, MemoryStore)
            or not moves
            or journal.run(zombie.run).state in (RunState.DONE, RunState.FAILED)
            or any(m.lost for m in self.universe.machines.values())
        ):
            return
        await note_settled(journal.run(zombie.run), await self.look(), Awaited(journal))
        records = journal.run(zombie.run).records
        plan = old.model_copy(update={"steps": moves})
        again = Controller(self, f"{zombie.name}'s run", run=zombie.run)
        again.start(plan, journal, records, frozenset(old.moves))
        await asyncio.wait_for(again.over.wait(), LONGEST)
        self.universe.note(f"{again.name} ended: {again.groups} {again.error}")
        if not self.watcher.disturbed and not self._ended(again.groups or {}, of_journal=True):
            self.watcher.fail("stuck", f"{again.name} is {again.groups} {again.error}")

    async def _recover(self) -> Sequence[Record]:
        """The records a new controller starts from. Without a journal, what the hosts know of unfinished moves;
        where they know of none, it applies the specs anew."""
        if self.journal_lost:
            self.journal = MemoryStore()
            world = await self.look()
            if self.scene.newer:
                self.scene.spec = self.scene.newer
                self.scene.wanted = {n: w.spec.placement.host for n, w in self.scene.spec.workloads.items()}
            runs = await rebuilt_runs(MemoryFleet(self.universe), world)
            if runs:
                self.run = runs[0].id
                self.plan = reduce(dossier.joined, (run.plan for run in runs))
            else:
                self.run, self.runs = f"run{self.runs + 1}", self.runs + 1
                self.plan = await self._plan_again()
                if self.plan.errored:
                    self.plan = self.plan.model_copy(update={"steps": ()})
            self.journal.begin(Run(id=self.run, plan=self.plan, started_at=0.0, actor="sim"))
            for run in runs:
                for record in run.records:
                    self.journal.append(self.run, record.step, record.mark, 0.0)
                    self.durable[record.step] = record.mark
        else:
            world = await self.look()
            for run in self.journal.open_runs():
                await note_settled(run, world, Awaited(self.journal))
        return self.journal.run(self.run).records

    # --- the end ---

    async def _check_end(self, groups: Groups) -> None:
        fail, excused = self.watcher.fail, self.watcher.excused
        self._check_kept(groups)
        self._check_copy(groups)
        self._check_beside(groups)
        lost = [m.name for m in self.universe.machines.values() if m.lost]
        for workload, state in groups.items():
            if (
                state not in ENDED
                and not lost
                and workload not in excused
                and not self._needs_a_person(workload, state)
            ):
                fail("stuck", f"{workload} is {state} though every host answers")
        if not (self.journal_lost or lost):
            self._check_put_back(groups)
            self._check_returned(groups)
        if lost or excused:
            return
        self._check_actions(groups)
        done = groups and set(groups.values()) <= {GroupState.DONE}
        if done and not self.watcher.disturbed and not self.journal_lost:
            await self._check_done("after success")
        elif self._ended(groups) or (self.journal_lost and not self._waits_for_a_person(groups)):
            await self._apply_again()

    async def _plan_again(self) -> Plan:
        """A new plan. Where it is refused for another copy of a volume, a person takes away the wrong one; where a
        stopped workload belongs elsewhere, its spec says for now that it runs where it is."""
        await self.old_copies_go()
        await self.copies_go()
        plan = self.scene.plan(await self.look())
        for finding in [f for f in plan.findings if f.rule == "stopped-elsewhere"]:
            self._place(finding.workload, finding.host)
            plan = self.scene.plan(await self.look())
        stale = [f for f in plan.findings if f.rule.startswith("volume.")]
        for finding in stale:
            unclear = finding.rule == "volume.unclear"
            machines = [m for m in self.universe.machines.values() if unclear or m.name == finding.host]
            for name, token in self.watcher.data.items():
                there = sorted(
                    (m for m in machines if name in m.volumes), key=lambda m: m.volumes[name].data != token
                )
                for machine in there if not unclear else there[1:]:
                    self.universe.note(f"a person removes volume {name} on {machine.name}")
                    for container in re.findall(r"podman rm (\S+)", finding.fix):
                        machine.containers.pop(container, None)
                    with suppress(Failed):  # a container uses it
                        MemoryRuntime(machine, b"").volume_rm(name)
        return self.scene.plan(await self.look()) if stale else plan

    def _place(self, name: str, host: str) -> None:
        workload, spec = self.scene.spec.workloads[name], self.scene.spec
        placement = workload.spec.placement.model_copy(update={"host": host})
        placed = workload.model_copy(update={"spec": workload.spec.model_copy(update={"placement": placement})})
        self.scene.spec = spec.model_copy(update={"workloads": {**spec.workloads, name: placed}})
        self.scene.wanted[name] = host

    async def _apply_again(self) -> None:
        """What was put back can be applied again, and then succeeds."""
        self.plan = await self._plan_again()
        if not self.plan.steps and not self.plan.errored:
            await self._check_done("in the end")
            return
        if self.plan.errored:
            self.watcher.fail("I5", f"cannot plan again: {[f.message for f in self.plan.findings]}")
            return
        self.journal = MemoryStore()
        self.run, self.runs = f"run{self.runs + 1}", self.runs + 1
        self.journal.begin(Run(id=self.run, plan=self.plan, started_at=0.0, actor="sim"))
        controller = Controller(self, "again", run=self.run)
        controller.start(self.plan, self.journal, (), frozenset())
        await asyncio.wait_for(controller.over.wait(), LONGEST)
        if controller.groups is None or set(controller.groups.values()) - {GroupState.DONE}:
            self.watcher.fail("again", f"apply again without faults: {controller.groups} {controller.error}")
            return
        await self._check_done("after applying again")


def simulate(scenario: Scenario) -> Result:
    """Run one scenario; a violation is in the result, not raised."""
    simulation = Simulation(scenario)
    try:
        return run_virtual(simulation.course())
    except (Deadlock, TimeoutError, ReconcilerError) as error:
        violations = [*simulation.watcher.violations, f"stuck: {type(error).__name__} {error}"]
        return Result(scenario, violations, simulation.reached, simulation.struck, {}, simulation.universe.log)
