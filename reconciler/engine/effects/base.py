"""What effects act on and with, and what an effect is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from reconciler.guard import dossier
from reconciler.hosts.base import CopyReport, Fleet, Progress, each, pump
from reconciler.model.checkpoint import KeptAt
from reconciler.model.command import Fence, Program
from reconciler.model.labels import LABEL_COMMIT
from reconciler.model.plan import Plan, Step, StepKind
from reconciler.model.result import CopyMade, StepResult, WentBack
from reconciler.model.spec import Workload
from reconciler.runtimes import registry
from reconciler.runtimes.base import Driver, Handover, Runtime

T = TypeVar("T")

Secrets = Callable[[Workload], Mapping[str, bytes]]
StoreKeys = Callable[[KeptAt], Mapping[str, bytes]]


def no_keys(_: KeptAt) -> Mapping[str, bytes]:
    """For stores without secrets."""
    return {}


@dataclass
class Acting:
    """One run on a fleet. `results`: what done steps have left, by step id. `arriving`: images that are on their
    way, by host and ID.

    `generation` grows with every controller that takes a run over: each acts on plain containers under its own
    epoch, so that one which only stood still, and wakes up in the middle of a step, is refused. `undoing`: a step
    of such a container is being taken back, under an epoch of its own again: what was sent to do it may arrive
    later."""

    plan: Plan
    run: str
    fleet: Fleet
    drivers: Mapping[str, Runtime]
    secrets: Secrets
    results: dict[str, StepResult | None] = field(default_factory=dict)
    generation: int = 0
    undoing: bool = False
    now: Callable[[], float] = time.time
    arriving: dict[tuple[str, str], asyncio.Lock] = field(default_factory=dict)
    keys: StoreKeys = no_keys

    def driver(self, step: Step) -> Driver:
        """The runtime of a step's workload, which can do what its kind needs."""
        return registry.need(self.drivers, step.runtime, step.kind.traits.ability)

    def peer_driver(self, step: Step) -> Driver:
        """The same, of the workload on the step's other host."""
        return registry.need(self.drivers, step.peer_runtime or step.runtime, step.kind.traits.ability)

    def fence(self, step: Step) -> Fence:
        run = self.run if self.made_anew(step.workload) else ""
        return Fence(step.workload, self.plan.epochs.get(step.workload, 0) + self.generation + self.undoing, run)

    def made_anew(self, workload: str) -> bool:
        return any(step.kind is StepKind.CREATE for step in self.plan.groups[workload])

    def goes_back(self, workload: str) -> bool:
        """Whether what comes after its checkpoint goes back to that."""
        capture = self.plan.captures.get(workload)
        return capture is not None and capture.goes_back

    def workload(self, name: str) -> Workload:
        """As it is planned; its labels say by which commit."""
        planned, plan = self.plan.workloads[name], self.plan
        labels = {key: value for key, value in planned.metadata.labels.items() if key != LABEL_COMMIT}
        if plan.commit:
            labels[LABEL_COMMIT] = f"{plan.commit}{' with uncommitted changes' * plan.dirty}"
        return planned.model_copy(update={"metadata": planned.metadata.model_copy(update={"labels": labels})})

    def handover(self, step: Step) -> Handover:
        name, plan = step.workload, self.plan
        move = plan.moves[name]
        host = plan.hosts.get(move.destination)
        address = host.spec.address if host else ""
        return Handover(self.workload(name), move, plan.policy_of(name), self.run, address=address)

    def link(self, step: Step) -> str:
        return f"{self.run}-{step.workload}"

    async def on(self, host: str, program: Program[T]) -> T:
        return await pump(program, self.fleet.host(host))


@dataclass(frozen=True)
class Effect:
    """What a kind of step does, and how that is taken back; both may be done again. What they return is recorded.
    `undo`: None where there is nothing to take back."""

    do: Callable[[Acting, Step, Progress], Awaitable[StepResult | None]]
    undo: Callable[[Acting, Step], Awaitable[WentBack | None]] | None = None


def copied(report: CopyReport) -> CopyMade:
    """What is recorded of a copy."""
    return CopyMade(copied_bytes=report.bytes, seconds=round(report.seconds, 3), how=report.how)


async def leave(acting: Acting, step: Step) -> None:
    """An undo for what does no harm where it is, and is tidied with the rest."""


async def keep_dossier(acting: Acting, step: Step, *hosts: str) -> None:
    """On hosts that are marked as this run's since."""
    await each(*(acting.on(host, dossier.keep(acting.plan, step.workload, acting.run)) for host in hosts))
