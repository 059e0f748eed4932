"""A hand-over played by hand as far as a test wants it, over hosts in memory."""

from reconciler.commands.compose import Outside
from reconciler.commands.recover import Resume
from reconciler.commands.resolve import decide
from reconciler.core.planner import make_plan
from reconciler.engine.observe import observe
from reconciler.engine.steps import Steps
from reconciler.engine.survey import take_survey
from reconciler.hosts.memory import MemoryFleet
from reconciler.model.plan import StepKind
from reconciler.model.record import Mark, Run
from reconciler.runtimes.base import Handover
from reconciler.state.memory import MemoryStore
from tests.sim.shapes import scene

UPTO_COPY = (StepKind.COPY_IMAGE, StepKind.RESERVE, StepKind.STAGE, StepKind.HOLD, StepKind.TRANSFER)


class Stage:
    """A move that got as far as `kinds`, in memory."""

    def __init__(self, shape="move-restore-back", kinds=UPTO_COPY, run="run1"):
        self.scene, self.kinds, self.run = scene(shape), kinds, run
        self.machines = self.scene.universe.machines
        self.fleet, self.journal = MemoryFleet(self.scene.universe), MemoryStore()

    async def look(self):
        return await observe(self.fleet, self.scene.drivers, sorted(self.scene.spec.hosts))

    async def play(self):
        self.plan = make_plan(self.scene.spec, await self.look())
        self.journal.begin(Run(id=self.run, plan=self.plan, started_at=0.0, actor="sim"))
        self.steps = Steps(self.plan, self.run, self.fleet, self.scene.drivers, lambda _: {})
        for step in self.plan.steps:
            if step.kind in self.kinds:
                self.journal.append(self.run, step.id, Mark.INTENT, 0.0)
                await self.act(step)
                self.journal.append(self.run, step.id, Mark.DONE, 0.0)

    async def act(self, step):
        self.steps.results[step.id] = await self.steps.do(step, lambda _: None)

    def handover(self, name="web"):
        return Handover(self.plan.workloads[name], self.plan.moves[name], self.plan.policy_of(name), self.run)

    @property
    def outside(self):
        return Outside(self.fleet, drivers=self.scene.drivers, secrets=lambda _: {})

    async def decide(self, chosen, name="web", **more):
        return await decide(self.scene.spec, name, chosen, "seen", self.outside, self.journal, **more)

    async def survey(self):
        return await take_survey(self.fleet, self.outside.drivers, sorted(self.machines), self.journal)

    async def way_out(self, name="web"):
        return (await self.survey()).open[name].verdict.next

    async def resume(self):
        return await Resume(self.scene.spec, None).on(self.outside, self.journal)

    def reboot(self, name):
        self.machines[name].power_off(for_good=False)
        self.machines[name].power_on()

    def running(self, name="web"):
        return [m.name for m, c in self.scene.universe.copies(name) if c.state == "running"]
