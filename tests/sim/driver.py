"""A driver for the runtime in memory: the order of guard operations is the Podman driver's, the commands are
`memrt`'s. Real: all of `reconciler.guard.guard`. Not modelled: networks' addresses, secrets."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.errors import CommandFailed, Refused
from reconciler.guard import guard
from reconciler.model.base import canonical_json, parse_duration
from reconciler.model.command import Fence, Program, Tree
from reconciler.model.plan import Phase
from reconciler.model.spec import Workload
from reconciler.model.world import OnDisk
from reconciler.runtimes.base import CapturingDriver, Handover, Held, Located, Round
from reconciler.runtimes.oci.secluding import secluded
from tests.sim.memrt import SETTLED, fenced, memrt, show
from tests.sim.plain import Plain

DRAIN_LIMIT = 600.0


class SimDriver(Plain):
    """What the simulation calls Podman."""

    def secluded(self, workload: Workload, name: str) -> Workload:
        return secluded(workload, name)

    # --- destination ---

    def stage(self, handover: Handover, *, secrets: Mapping[str, bytes]) -> Program[Located]:
        name, fence, wanted = handover.name, handover.fence, handover.workload.container
        old = (yield from show(name))["container"]
        if old and old["state"] in ("running", "frozen"):
            raise Refused(f"a copy of {name} runs on {handover.move.destination} already")
        shown = yield from guard.show(name)
        marker = shown[0].marker if shown else None
        reserved, settled = (Phase.RESERVED,), (*SETTLED, Phase.RESERVED)
        if old:
            yield from fenced(fence, settled, "discard", name)
            yield from fenced(fence, settled, "rm", old["id"])
        volumes = [] if handover.returns else wanted.volumes
        for volume in volumes:
            ours = marker is not None and marker.role == "destination"
            if marker and ours and marker.phase in (Phase.FENCED, Phase.RESERVED) and marker.run:
                yield from self.remove_volume(volume.name, fence, marker.run)
            yield from self.check_free(volume.name, fence, handover.run)
        yield from guard.mark(fence, Phase.RESERVED, "destination", run=handover.run, peer=handover.move.source)
        for volume in volumes:
            yield from self.create_volume(volume.name, fence, handover.run)
        argv = ("create", name, name, handover.move.image_id, "no", name)
        result = yield from fenced(fence, reserved, *argv, stdin=canonical_json(wanted).encode())
        return Located(result.stdout, _trees(handover))

    def unstage(self, handover: Handover) -> Program[None]:
        name = handover.name
        fence = yield from self._fence_here(handover)
        phases = (guard.NONE, Phase.RESERVED, Phase.FENCED, Phase.RETIRED)
        found = (yield from show(name))["container"]
        if found and not (handover.may_find_the_old and found["state"] == "exited"):
            yield from fenced(fence, phases, "stop-pages", name)
            yield from fenced(fence, phases, "discard", name)
            yield from self.remove_in(name, fence, phases)
        for volume in handover.workload.container.volumes:
            yield from self.remove_volume(volume.name, fence, handover.run)
        yield from guard.mark(fence, Phase.FENCED, "destination", run=handover.run, peer=handover.move.source)

    def _fence_here(self, handover: Handover) -> Program[Fence]:
        shown = yield from guard.show(handover.name)
        marker = shown[0].marker if shown else None
        if marker and marker.phase == Phase.FENCED and marker.epoch > handover.fence.epoch:
            return Fence(handover.name, marker.epoch)
        return handover.fence

    def commit_destination(self, handover: Handover) -> Program[None]:
        shown = yield from guard.show(handover.name)
        marker = shown[0].marker if shown else None
        if marker and (marker.epoch, marker.phase) == (handover.fence.epoch, Phase.RUNNING):
            return
        peer = handover.move.source
        yield from guard.mark(handover.fence, Phase.COMMITTED, "destination", run=handover.run, peer=peer)

    def restore(self, handover: Handover) -> Program[None]:
        found = (yield from show(handover.name))["container"]
        if found is None:
            raise CommandFailed("the staged container is gone")
        if found["state"] != "running":
            how = "later" if handover.move.drains else "lazy" if handover.move.follows else "eager"
            yield from fenced(handover.fence, (Phase.COMMITTED,), "restore", handover.name, how)

    def verify(self, handover: Handover) -> Program[None]:
        found = (yield from show(handover.name))["container"]
        if found is None or found["state"] != "running":
            raise CommandFailed(f"{handover.name} does not run on {handover.move.destination}")
        if found["image"] != handover.move.image_id:
            raise CommandFailed(f"{handover.name} has another image than its spec says")

    def _drain(self, handover: Handover, ok: tuple[int, ...]) -> Program[None]:
        yield memrt("drain", handover.name, f"{DRAIN_LIMIT:g}", timeout=DRAIN_LIMIT + 30, ok=ok)

    def missing(self, handover: Handover) -> Program[int]:
        done = yield memrt("drain", handover.name, "2", timeout=32.0, ok=(0, 1))
        return int(done.stdout or 1) if done.status else 0

    def persist(self, handover: Handover) -> Program[OnDisk]:
        yield from fenced(handover.fence, (Phase.COMMITTED,), "persist", handover.name)
        return OnDisk(0, handover.move.memory_bytes)

    def confirm(self, handover: Handover) -> Program[None]:
        yield from self._drain(handover, (0, 1))
        run, peer = handover.run, handover.move.source
        yield from guard.mark(handover.fence, Phase.RUNNING, "owner", run=run, peer=peer)
        yield from self._restart(handover, handover.fence, Phase.RUNNING, on=True)

    def finish(self, handover: Handover) -> Program[None]:
        shown = yield from guard.show(handover.name)
        if shown and shown[0].marker and shown[0].marker.epoch > handover.fence.epoch:
            return
        if (yield from show(handover.name))["container"]:
            yield from self._drain(handover, (0,))
            yield from fenced(handover.fence, (Phase.RUNNING,), "discard", handover.name)

    def fence_off(self, handover: Handover, epoch: int) -> Program[bool]:
        name, fence = handover.name, Fence(handover.name, epoch)
        shown, move = (yield from guard.show(name)), handover.move
        source = bool(shown) and shown[0].marker is not None and shown[0].marker.role == "source"
        role: guard.Role = "source" if source else "destination"
        peer = move.destination if source else move.source
        yield from guard.mark(fence, Phase.FENCED, role, run=handover.run, peer=peer)
        if shown and shown[0].hook.state == "held":
            return False
        found = (yield from show(name))["container"]
        if found:
            yield from fenced(fence, (Phase.FENCED,), "stop-pages", name)
        if found and found["state"] == "running":
            yield from fenced(fence, (Phase.FENCED,), "stop", name)
        return True

    def hang_up(self, handover: Handover) -> Program[None]:
        yield memrt("write", handover.name, "hang up")

    # --- source ---

    def locate(self, handover: Handover) -> Program[Located]:
        name = handover.name
        shown = yield from guard.show(name)
        marker, fence = shown[0].marker if shown else None, handover.fence
        gone_on = (Phase.COMMITTED, "source", fence.epoch)
        committed = marker is not None and (marker.phase, marker.role, marker.epoch) == gone_on
        if not committed and not (shown and shown[0].hook.state in ("starting", "held")):
            found = (yield from show(name))["container"]
            if found is None or found["state"] != "running" or found["id"] != handover.move.container_id:
                raise Refused(f"{name} cannot move: it does not run as planned")
            peer = handover.move.destination
            yield from guard.mark(handover.fence, Phase.RESERVED, "source", run=handover.run, peer=peer)
            yield from self._restart(handover, handover.fence, Phase.RESERVED, on=False)
        return Located(handover.move.container_id, _trees(handover))

    def pre_dump(self, handover: Handover, number: int) -> Program[Round]:
        yield from fenced(handover.fence, (Phase.RESERVED,), "pre-dump", handover.name)
        return Round(2**20 if number == 1 else 2**16, Tree("round", f"/rounds/{number}", handover.name))

    def take_round(self, handover: Handover, number: int) -> Program[Tree]:
        yield memrt("write", handover.name, f"round {number}")
        return Tree("round", f"/rounds/{number}", handover.name)

    def build_on(self, handover: Handover, number: int) -> Program[None]:
        yield memrt("write", handover.name, f"builds on {number}")

    def hold(self, handover: Handover) -> Program[Held]:
        outcome = yield from guard.hold(
            handover.fence,
            ("memrt", "dump", handover.name),
            cutover=handover.move.held_by_us,
            silence_s=parse_duration(handover.policy.silence_limit),
            freeze_s=parse_duration(handover.policy.freeze_limit),
            fence_network=True,
            run=handover.run,
            peer=handover.move.destination,
            timeout=60.0,
        )
        if outcome.what == "resumed" or (outcome.what == "exited" and outcome.status != 0):
            raise CommandFailed(f"{handover.name} could not be held", exit_code=outcome.status)
        return Held(image_bytes=2**20)

    def resume(self, handover: Handover, fence: Fence) -> Program[str]:
        name = handover.name
        outcome = yield from guard.resume(fence, run=handover.run)
        found = yield from show(name)
        if found["container"] is None:
            raise CommandFailed(f"{name} cannot resume: its container is gone")
        runs = found["container"]["state"] == "running"
        if outcome.what == "gone" and not runs:
            yield from fenced(fence, (Phase.HELD,), "restore", name)
        # Else it was never frozen, or let go: when it does not run it has ended by itself, and is left so.
        if outcome.what == "gone":
            yield from guard.mark(fence, Phase.RUNNING, "owner", run=handover.run)
        yield from self._restart(handover, fence, Phase.RUNNING, on=True)
        yield from fenced(fence, (Phase.RUNNING,), "discard", name)
        yield from guard.clean(name)
        return ""

    def shadow(self, handover: Handover, folder: str) -> Program[Located]:
        found = (yield from show(handover.name))["container"]
        if found is None or found["state"] != "running" or found["id"] != handover.move.container_id:
            raise Refused(f"{handover.name} cannot be saved: it does not run as planned")
        return Located(handover.move.container_id, _trees(handover))

    def capture(self, handover: Handover, folder: str) -> Program[Held]:
        """The script on a host does both in one go; here a controller may die in between."""
        held = yield from self.hold(handover)
        outcome = yield from guard.resume(handover.fence, run=handover.run)
        if outcome.what != "resumed":
            raise CommandFailed(f"{handover.name} does not simply run on", code="C370")
        return held

    def commit_source(self, handover: Handover) -> Program[None]:
        yield from guard.commit(handover.fence)

    def retire(self, handover: Handover) -> Program[None]:
        name, fence = handover.name, handover.fence
        shown = yield from guard.show(name)
        marker = shown[0].marker if shown else None
        if marker and (marker.phase, marker.epoch) == (Phase.RETIRED, fence.epoch):
            return
        if marker is None:
            # Deleted. Who lets go has proof that the destination runs, which is what it would say.
            peer = handover.move.destination
            yield from guard.mark(fence, Phase.COMMITTED, "source", run=handover.run, peer=peer)
        yield from guard.release(fence)
        if (yield from show(name))["container"]:
            yield from fenced(fence, (Phase.COMMITTED, Phase.FENCED), "discard", name)
            yield from self.remove_in(name, fence, (Phase.COMMITTED, Phase.FENCED))
        for volume in handover.workload.container.volumes:
            yield from self.remove_volume(volume.name, fence)
        yield from guard.mark(fence, Phase.RETIRED, "source", run=handover.run, peer=handover.move.destination)
        yield from guard.clean(name)

    def _restart(self, handover: Handover, fence: Fence, phase: Phase, *, on: bool) -> Program[None]:
        policy = handover.workload.container.restart.value
        if policy != "no":
            yield from fenced(fence, (phase,), "restart", handover.name, policy if on else "no")


def _trees(handover: Handover) -> tuple[Tree, ...]:
    volumes = handover.workload.container.volumes
    images = Tree("images", f"/images/{handover.name}", handover.name, later=handover.move.drains)
    return (images, *(Tree("volume", f"/volumes/{v.name}", v.target) for v in volumes))


everything: CapturingDriver = SimDriver()
"""Checked by its types: it has all that plans may ask for."""
