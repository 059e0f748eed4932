"""What each kind of step does on its hosts, and how it is undone. All effects are idempotent.

The order inside a move is DESIGN.md section 5. Nothing here decides what comes next: that is `core.saga`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeVar

from reconciler.engine.carry import VolumeCopy
from reconciler.engine.precopy import Precopy
from reconciler.errors import CommandFailed, GuardRefused, HostError
from reconciler.guard import actions, dossier, guard
from reconciler.hosts.base import Fleet, Progress, each, pump
from reconciler.model.command import Fence, Program
from reconciler.model.plan import Phase, Plan, Step, StepKind
from reconciler.model.spec import Strategy, Workload
from reconciler.runtimes.base import ENDED, Driver, Handover, Located

T = TypeVar("T")

Data = dict[str, str]
"""What a step leaves in the journal for later steps."""
BECAME = "became"
"""In the data of a step that was undone: what became of its workload, where it does not simply run on."""

Secrets = Callable[[Workload], Mapping[str, bytes]]


@dataclass
class Steps:
    """The effects of a plan's steps on a fleet. `data` holds what done steps recorded, by step id.

    `generation` grows with every controller that takes a run over: each acts on plain containers under its own
    epoch, so that one which only stood still, and wakes up in the middle of a step, is refused."""

    plan: Plan
    run: str
    fleet: Fleet
    drivers: Mapping[str, Driver]
    secrets: Secrets
    data: dict[str, Data] = field(default_factory=dict)
    generation: int = 0

    async def do(self, step: Step, progress: Progress) -> Data:
        """Carry a step out; what it returns is recorded with its outcome."""
        await self._claim(step)
        return await self._EFFECTS[step.kind](self, step, progress)

    async def undo(self, step: Step) -> Data:
        """Take a step back; what it returns is recorded. Going back is a hand-over too: both hosts get the epoch
        after the destination's, so that commands of this hand-over which arrive late, or come from a replaced
        controller, are refused."""
        await self._claim(step)
        driver, fence = self._driver(step), self._fence(step)
        match step.kind:
            case StepKind.CREATE:
                await self._on(step.host, driver.remove(step.workload, fence))
            case StepKind.CREATE_VOLUME:
                await self._on(step.host, driver.remove_volume(step.subject, fence, self.run))
            case StepKind.COPY_VOLUME:
                await self._volume_copy(step).end()
            case StepKind.START:
                await self._on(step.host, driver.stop(step.workload, fence))
            case StepKind.UPDATE:
                await self._on(step.host, driver.update_back(step.workload, fence, self.run))
            case StepKind.SET_ASIDE:
                await self._on(step.host, driver.bring_back(step.workload, fence))
            case StepKind.STAGE:
                return _became(await self._unstage(step))
            case StepKind.HOLD:
                return _became(await self._resume(step))
            case StepKind.COMMIT:
                return _became(await self._fence_off(step))
        return {}

    def _driver(self, step: Step) -> Driver:
        workload = self.plan.workloads.get(step.workload)
        return self.drivers[workload.spec.runtime if workload else "podman"]

    def _fence(self, step: Step) -> Fence:
        run = self.run if self._made_anew(step.workload) else ""
        return Fence(step.workload, self.plan.epochs.get(step.workload, 0) + self.generation, run)

    async def _claim(self, step: Step) -> None:
        """Raise the epoch where a former controller of this run may still be at work on a plain container. Where
        one is made anew, it is this run's from the first step on: another that was planned from the same state is
        refused."""
        if not step.kind.traits.plain:
            return
        await self._on(step.host, self._driver(step).prepare_host())
        if self.generation or self._made_anew(step.workload):
            await self._on(step.host, guard.mark(self._fence(step), Phase.RUNNING, "owner", run=self.run))

    def _made_anew(self, workload: str) -> bool:
        return any(step.kind is StepKind.CREATE for step in self.plan.groups[workload])

    def _handover(self, step: Step) -> Handover:
        name, plan = step.workload, self.plan
        return Handover(plan.workloads[name], plan.moves[name], plan.policy_of(name), self.run)

    async def _on(self, host: str, program: Program[T]) -> T:
        return await pump(program, self.fleet.host(host))

    async def _copy_image(self, step: Step, progress: Progress) -> Data:
        assert step.peer
        key = f"{self.run}-{step.workload}-image"
        await self.fleet.open_link(step.peer, step.host, key)
        name = self.plan.workloads[step.workload].spec.container.image
        try:
            report = await self.fleet.copy_image(step.peer, step.host, key, step.subject, name, progress)
        finally:
            await self.fleet.close_link(step.peer, step.host, key)
        return {"bytes": str(report.bytes), "seconds": f"{report.seconds:.3f}", "how": report.how}

    async def _pull_image(self, step: Step, progress: Progress) -> Data:
        return {"image": await self._on(step.host, self._driver(step).pull_image(step.subject))}

    async def _create_network(self, step: Step, progress: Progress) -> Data:
        network = self.plan.networks[step.subject].spec
        await self._on(step.host, self._driver(step).create_network(step.subject, network))
        return {}

    async def _create_volume(self, step: Step, progress: Progress) -> Data:
        await self._on(step.host, self._driver(step).create_volume(step.subject, self._fence(step), self.run))
        return {}

    async def _copy_volume(self, step: Step, progress: Progress) -> Data:
        compression = self.plan.policy_of(step.workload).compression
        return await self._volume_copy(step).carry(compression, progress)

    def _volume_copy(self, step: Step) -> VolumeCopy:
        return VolumeCopy(step, self._driver(step), self.fleet, self.run)

    async def _remove_volume(self, step: Step, progress: Progress) -> Data:
        """Only while the volume that it was copied into is there and the workload's."""
        assert step.peer
        await self._on(step.peer, self._driver(step).locate_volume(step.subject, step.workload))
        await self._on(step.host, self._driver(step).remove_volume(step.subject, self._fence(step)))
        return {}

    async def _create(self, step: Step, progress: Progress) -> Data:
        workload, driver = self.plan.workloads[step.workload], self._driver(step)
        runtime = workload.spec.container.oci_runtime or ""
        program = driver.create(workload, self._fence(step), oci_runtime=runtime, secrets=self.secrets(workload))
        return {"container": await self._on(step.host, program)}

    async def _start(self, step: Step, progress: Progress) -> Data:
        workload, driver = self.plan.workloads[step.workload], self._driver(step)
        await self._on(step.host, driver.start(workload, self._fence(step)))
        return {}

    async def _stop(self, step: Step, progress: Progress) -> Data:
        await self._on(step.host, self._driver(step).stop(step.workload, self._fence(step)))
        return {}

    async def _update(self, step: Step, progress: Progress) -> Data:
        workload = self.plan.workloads[step.workload]
        await self._on(step.host, self._driver(step).update(workload, self._fence(step), self.run))
        return {}

    async def _set_aside(self, step: Step, progress: Progress) -> Data:
        await self._on(step.host, self._driver(step).set_aside(step.workload, self._fence(step)))
        return {}

    async def _remove(self, step: Step, progress: Progress) -> Data:
        driver = self._driver(step)
        remove = driver.remove_aside if step.subject == "aside" else driver.remove
        await self._on(step.host, remove(step.workload, self._fence(step)))
        return {}

    async def _reserve(self, step: Step, progress: Progress) -> Data:
        assert step.peer
        driver = self._driver(step)
        hosts = (step.host, step.peer)
        await each(*(self._on(host, driver.prepare_host()) for host in hosts))
        await each(*(self._on(host, dossier.write(self.plan, step.workload, self.run)) for host in hosts))
        return {}

    async def _stage(self, step: Step, progress: Progress) -> Data:
        assert step.peer
        handover, driver = self._handover(step), self._driver(step)
        secrets = self.secrets(handover.workload)
        here, there, _ = await each(
            self._on(step.host, driver.stage(handover, secrets=secrets)),
            self._on(step.peer, driver.locate(handover)),
            self.fleet.open_link(step.peer, step.host, self._link(step), handover.policy.compression),
        )
        if handover.move.strategy is not Strategy.PRECOPY:
            await self._prepare_copy(step, there, here)
        return {"destination": here.text, "source": there.text}

    async def _prepare_copy(self, step: Step, source: Located, destination: Located) -> None:
        move = self.plan.moves[step.workload]
        pairs = tuple(zip(source.trees, destination.trees, strict=True))
        await self.fleet.prepare_copy(move.source, move.destination, self._link(step), pairs)

    async def _precopy(self, step: Step, progress: Progress) -> Data:
        copy = Precopy(self._handover(step), self._driver(step), self.fleet, self._link(step))
        done = await copy.run(progress)
        await self._prepare_copy(step, *self._staged(step))
        return done

    def _staged(self, step: Step) -> tuple[Located, Located]:
        """What `stage` recorded: where the source's state is, and where it goes."""
        located = self.data[self.plan.sibling(step, StepKind.STAGE).id]
        return Located.parse(located["source"]), Located.parse(located["destination"])

    async def _hold(self, step: Step, progress: Progress) -> Data:
        handover = self._handover(step)
        found = actions.of(handover.workload).before_hold
        done = await self._on(
            step.host, actions.perform(handover.name, actions.BEFORE_HOLD, found, handover.fence)
        )
        held = await self._on(step.host, self._driver(step).hold(handover))
        note = {"actions": done} if done else {}
        return {"bytes": str(held.image_bytes), "freeze": f"{held.freeze_s:.3f}"} | note

    async def _transfer(self, step: Step, progress: Progress) -> Data:
        assert step.peer
        source, destination = self._staged(step)
        pairs = tuple(zip(source.trees, destination.trees, strict=True))
        report = await self.fleet.copy_trees(step.peer, step.host, self._link(step), pairs, progress)
        return {"bytes": str(report.bytes), "seconds": f"{report.seconds:.3f}", "how": report.how}

    async def _commit(self, step: Step, progress: Progress) -> Data:
        assert step.peer
        handover, driver = self._handover(step), self._driver(step)
        await self._still_there(step)
        await self._on(step.peer, driver.commit_source(handover))
        await self._on(step.host, driver.commit_destination(handover))
        return {}

    async def _still_there(self, step: Step) -> None:
        """A destination that does not answer now is found while going back is free. A failure of this step is no
        HostError, which would be tried again, for clients wait."""
        for left in (1, 0):
            try:
                await self._on(step.host, guard.beat([step.workload]))
                return
            except HostError as error:
                if not left:
                    raise CommandFailed(
                        f"{step.host} does not answer, right before {step.workload} would be handed over to it",
                        code="C337",
                        where=step.host,
                        why=str(error),
                        fix=f"make {step.host} reachable, then: reconcile apply",
                    ) from error

    async def _restore(self, step: Step, progress: Progress) -> Data:
        # A controller that has lost its journal does not know.
        known = self.data.get(self.plan.sibling(step, StepKind.STAGE).id, {}).get("destination")
        handover = replace(self._handover(step), staged=Located.parse(known) if known else None)
        await self._on(step.host, self._driver(step).restore(handover))
        found = actions.of(handover.workload).after_restore
        done = await self._on(
            step.host, actions.perform(handover.name, actions.AFTER_RESTORE, found, handover.fence)
        )
        return {"actions": done} if done else {}

    async def _confirm(self, step: Step, progress: Progress) -> Data:
        workload, driver = self.plan.workloads[step.workload], self._driver(step)
        moving = step.workload in self.plan.moves
        if moving:
            await self._on(step.host, driver.verify(self._handover(step)))
        note = {}
        if check := workload.spec.health:
            address = next((n.ip for n in workload.spec.container.networks if n.ip), "127.0.0.1")
            try:
                await self._on(step.host, driver.health(step.workload, check, address))
            except CommandFailed as error:
                stays = moving and self.plan.policy_of(step.workload).on_unhealthy == "stay"
                if not stays or error.code == ENDED:
                    raise
                note = {"unhealthy": str(error)}
        elif not moving and not (await self._on(step.host, driver.alive(step.workload))).running:
            raise CommandFailed(f"{step.workload} does not run after it was started", code="C315", where=step.host)
        if moving:
            await self._on(step.host, driver.confirm(self._handover(step)))
        return note

    async def _retire(self, step: Step, progress: Progress) -> Data:
        assert step.peer
        handover, driver = self._handover(step), self._driver(step)
        # The frozen copy is let go only when the destination answers and has all memory; else it may be the last.
        await self._on(step.peer, driver.finish(handover))
        await each(
            self._on(step.host, driver.retire(handover)),
            self.fleet.close_link(step.host, step.peer, self._link(step)),
        )
        await self._forget_actions(handover)
        return {}

    async def _forget_actions(self, handover: Handover) -> None:
        declared, move = actions.of(handover.workload), handover.move
        if declared.before_hold:
            await self._on(move.source, actions.forget(handover.name, actions.BEFORE_HOLD, move.epoch))
        if declared.after_restore:
            await self._on(move.destination, actions.forget(handover.name, actions.AFTER_RESTORE, move.epoch))

    async def _take_back_actions(self, handover: Handover, when: str) -> None:
        """Under the epoch that going back has."""
        declared, move = actions.of(handover.workload), handover.move
        source = when == actions.BEFORE_HOLD
        found = declared.before_hold if source else declared.after_restore
        fence = Fence(handover.name, move.epoch + 1)
        host = move.source if source else move.destination
        await self._on(host, actions.take_back(handover.name, when, found, move.epoch, fence))

    async def _fence_off(self, step: Step) -> str:
        """Prove that the destination does not run it. A source that was not committed resumes under the move's own
        epoch, which rules a commit out, whether the destination answers or not. Else its copy is ended there, but
        never the last one: another controller may have retired the source, or be about to. It is refused from the
        moment the source has the epoch of going back, so what is left is asked for once more then."""
        assert step.peer
        handover, driver = self._handover(step), self._driver(step)
        with suppress(GuardRefused, CommandFailed):
            return await self._on(step.peer, driver.resume(handover, handover.fence))
        left = await self._on(step.peer, driver.alive(step.workload))
        back = Fence(step.workload, handover.move.epoch + 1)
        if left.running or left.restorable:
            await self._on(step.peer, guard.mark(back, Phase.VERIFIED, "source", run=self.run, peer=step.host))
            left = await self._on(step.peer, driver.alive(step.workload))
            if not (left.running or left.restorable):
                await self._on(step.peer, guard.mark(back, Phase.FENCED, "source", run=self.run, peer=step.host))
        if not (left.running or left.restorable):
            raise CommandFailed(
                f"{step.workload} cannot go back: nothing is left on {step.peer}", code="C319", why=left.detail
            )
        if await self._on(step.host, driver.fence_off(handover, back.epoch)):
            await self._on(step.peer, driver.hang_up(handover))
        with contextlib.suppress(CommandFailed):  # undoing `stage` does it again, and tells
            await self._take_back_actions(handover, actions.AFTER_RESTORE)
        return ""

    async def _resume(self, step: Step) -> str:
        handover = self._handover(step)
        fence = Fence(handover.name, handover.move.epoch + 1)
        try:
            became, _ = await each(
                self._on(handover.move.source, self._driver(step).resume(handover, fence)),
                self.fleet.cancel_copy(handover.move.source, handover.move.destination, self._link(step)),
            )
        except GuardRefused as refused:
            if refused.code != guard.OTHER_RUN:
                raise
            return ""  # another controller holds it, under a run that is none of ours: so we hold nothing
        with contextlib.suppress(CommandFailed):  # it runs, which is what counts; undoing `stage` tells
            await self._take_back_actions(handover, actions.BEFORE_HOLD)
        return str(became or "")

    async def _unstage(self, step: Step) -> str:
        assert step.peer
        handover, driver = self._handover(step), self._driver(step)
        back = replace(handover, move=handover.move.model_copy(update={"epoch": handover.move.epoch + 1}))
        became, *_ = await each(
            self._resume(step),
            self._on(step.host, driver.unstage(back)),
            self.fleet.close_link(step.peer, step.host, self._link(step)),
        )
        await self._take_back_actions(handover, actions.AFTER_RESTORE)
        await self._take_back_actions(handover, actions.BEFORE_HOLD)
        await self._forget_actions(handover)
        return str(became or "")

    def _link(self, step: Step) -> str:
        return f"{self.run}-{step.workload}"

    _EFFECTS: ClassVar[Mapping[StepKind, Callable[[Steps, Step, Progress], Awaitable[Data]]]] = {
        StepKind.PULL_IMAGE: _pull_image,
        StepKind.COPY_IMAGE: _copy_image,
        StepKind.CREATE_NETWORK: _create_network,
        StepKind.CREATE_VOLUME: _create_volume,
        StepKind.COPY_VOLUME: _copy_volume,
        StepKind.CREATE: _create,
        StepKind.START: _start,
        StepKind.STOP: _stop,
        StepKind.UPDATE: _update,
        StepKind.SET_ASIDE: _set_aside,
        StepKind.REMOVE: _remove,
        StepKind.REMOVE_VOLUME: _remove_volume,
        StepKind.RESERVE: _reserve,
        StepKind.STAGE: _stage,
        StepKind.PRECOPY: _precopy,
        StepKind.HOLD: _hold,
        StepKind.TRANSFER: _transfer,
        StepKind.COMMIT: _commit,
        StepKind.RESTORE: _restore,
        StepKind.CONFIRM: _confirm,
        StepKind.RETIRE: _retire,
    }


def _became(text: str) -> Data:
    return {BECAME: text} if text else {}
