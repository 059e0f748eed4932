"""Doing and undoing the steps of a plan. Nothing here decides what comes next: that is `core.saga`."""

from __future__ import annotations

from dataclasses import replace

from reconciler.engine.effects import EFFECTS, Acting
from reconciler.guard import guard
from reconciler.hosts.base import Progress
from reconciler.model.plan import Phase, Step
from reconciler.model.result import StepResult, WentBack


class Steps(Acting):
    """A run's steps, by their effects."""

    async def do(self, step: Step, progress: Progress) -> StepResult | None:
        """Carry a step out; what it returns is recorded with its outcome."""
        await self._claim(step)
        return await EFFECTS[step.kind].do(self, step, progress)

    async def undo(self, step: Step) -> WentBack | None:
        """Take a step back; what it returns is recorded."""
        back = replace(self, undoing=True)
        await back._claim(step)
        undo = EFFECTS[step.kind].undo
        return await undo(back, step) if undo else None

    async def _claim(self, step: Step) -> None:
        """Raise the epoch where a former controller of this run may still be at work on a plain container, or what
        was sent to do the steps that are taken back may still arrive. Where one is made anew, it is this run's
        from the first step on: another that was planned from the same state is refused."""
        if not step.kind.traits.plain:
            return
        await self.on(step.host, self.driver(step).prepare_host())
        if self.generation or self.undoing or self.made_anew(step.workload):
            await self.on(step.host, guard.mark(self.fence(step), Phase.RUNNING, "owner", run=self.run))
