"""One migration of KubeVirt, played from the object that somebody made to its end.

virt-controller's part is done by `decide`, all others' by a script. Every look is at the API server, as if by a
controller whose caches are never behind.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from lightkube.resources.core_v1 import Pod

from tests.kube import objects
from tests.kube.api import Api, now
from tests.kube.decide import (
    Phase,
    Verdict,
    World,
    act,
    has,
    is_down,
    judge,
    phase_of,
)
from tests.kube.hands import Hands, key
from tests.kube.objects import Instance, Migration, Object
from tests.kube.policy import cluster_settings
from tests.kube.scripts import Script
from tests.kube.table import EVENTS, On

LOOK_SECONDS = 0.1
"""Between two looks when nothing was told."""
UNSCHEDULABLE_SECONDS, PENDING_SECONDS = "300", "900"
UNSCHEDULABLE_TIMEOUT = "kubevirt.io/migrationUnschedulablePodTimeoutSeconds"
PENDING_TIMEOUT = "kubevirt.io/migrationPendingPodTimeoutSeconds"


@dataclass
class Stage:
    """What all migrations of a player share. Tests change it from another thread: each field by one assignment."""

    step: float
    usual: Script
    scripts: dict[str, Script] = field(default_factory=dict)
    """By the VMI's name."""
    holds: dict[str, Phase] = field(default_factory=dict)
    """VMIs whose migrations stay in a phase until they are let go, or fail."""
    seen: list[tuple[Phase, str, Phase]] = field(default_factory=list)
    """What became of a phase by an event, as it happened."""

    def script(self, vmi: str) -> Script:
        return self.scripts.get(vmi, self.usual)


class Carrier:
    """Takes one migration to its end."""

    def __init__(self, api: Api, stage: Stage, namespace: str, name: str) -> None:
        self.api, self.stage, self.namespace, self.name = api, stage, namespace, name
        self.woken = asyncio.Event()
        self._hands = Hands(api, namespace, name)
        self._played: dict[Phase, int] = {}
        self._event = ""
        self._asked_to_abort = False
        self._quota = False
        self._pod_since: float | None = None

    async def carry(self) -> None:
        while world := await self.look():
            if not world.vmi:
                await self.forsake(world)
                return
            if await self.think(world):
                if phase_of(world.migration).final:
                    await self.finish(world)
                    return
                continue
            if not await self.play_next(world):
                self.woken.clear()
                await _patience(self.woken)

    async def look(self) -> World | None:
        migration = await self.api.get(Migration, self.name, self.namespace)
        if not migration:
            return None
        limits = cluster_settings(await self.api.list(objects.Install))
        vmis = await self.api.list(Instance)
        pods = await self.api.list(Pod, {"kubevirt.io": "virt-launcher"})
        mine = (v for v in vmis if key(v) == (self.namespace, migration["spec"]["vmiName"]))
        vmi = next(mine, None)
        uid = vmi["metadata"]["uid"] if vmi else ""
        return World(
            migration=migration,
            vmi=vmi,
            pods=[p for p in pods if p["metadata"]["labels"].get(objects.CREATED_BY) == uid],
            migrations=await self.api.list(Migration),
            vmis=vmis,
            jobs=frozenset(p["metadata"]["labels"].get(objects.JOB_UID, "") for p in pods),
            per_cluster=int(str(limits["parallelMigrationsPerCluster"])),
            per_node=int(str(limits["parallelOutboundMigrationsPerNode"])),
            quota_exceeded=self._quota,
        )

    async def think(self, world: World) -> bool:
        """virt-controller's turn; whether anything changed."""
        if world.migration["metadata"].get("annotations", {}).get(objects.OBSERVED) != "v1":
            await self._hands.patch(On.MIGRATION, world, {"metadata": {"annotations": {objects.OBSERVED: "v1"}}})
            return not world.phase.final
        if world.phase.final:
            return True
        held = self.stage.holds.get(world.migration["spec"]["vmiName"]) is world.phase and not world.deleted
        wanted, verdict = act(world), judge(world)
        if held and verdict.phase is not Phase.FAILED:
            return False
        if wanted:
            await self._hands.act(wanted, world, lingers=self._script(world).lingers)
        if self._event or verdict.phase is not world.phase:
            self.stage.seen.append((world.phase, self._event or "its turn", verdict.phase))
        self._event = ""
        return await self._write(verdict, world) or bool(wanted)

    async def _write(self, verdict: Verdict, world: World) -> bool:
        if verdict.phase is world.phase and not (verdict.add or verdict.drop):
            return False
        status = world.migration.get("status") or {}
        before = [c for c in status.get("conditions") or [] if c["type"] not in verdict.drop]
        more = [{"type": str(c), "status": "True", "lastProbeTime": now()} for c in verdict.add]
        changed: Object = {"phase": str(verdict.phase), "conditions": before + more}
        if verdict.phase is not world.phase:
            passed = {"phase": str(verdict.phase), "phaseTransitionTimestamp": now()}
            changed["phaseTransitionTimestamps"] = [*(status.get("phaseTransitionTimestamps") or []), passed]
        await self.api.patch(Migration.Status, self.name, self.namespace, {"status": changed})
        if verdict.event:
            await self._hands.say(world, verdict.reason, verdict.event)
        return True

    async def play_next(self, world: World) -> bool:
        """The next event of the script, if its time has come."""
        vmi, script = world.migration["spec"]["vmiName"], self._script(world)
        if self._times_out(world):
            await self.play("pod times out", world)
            return True
        if (world.ours or {}).get("abortRequested") and not self._asked_to_abort:
            self._asked_to_abort = True
            await self.play(script.abort, world)
            return True
        # A delete lets go of what goes on by itself; one that runs on after its abort was refused still waits.
        if self.stage.holds.get(vmi) is world.phase and (not world.deleted or world.phase is Phase.RUNNING):
            return False
        events, number = script.of(world.phase), self._played.get(world.phase, 0)
        if number >= len(events):
            return False
        await asyncio.sleep(self.stage.step)
        if not await self.play(events[number], world):
            return False
        self._played[world.phase] = number + 1
        return True

    async def play(self, event: str, world: World) -> bool:
        """All of its writes; a pod that fits no node is unschedulable instead, until one fits."""
        filled = await self._hands.words(world)
        if event == "pod ready" and not filled["target"]:
            if world.target and has(world.target, "PodScheduled", "False"):
                return False
            event = "unschedulable"
        script = self._script(world)
        for write in EVENTS[event].writes:
            if write.on is On.QUOTA:
                self._quota = True
            else:
                await self._hands.apply(write, world, filled, lingers=script.lingers)
        self._event = event
        return event != "unschedulable" or "unschedulable" in script.of(world.phase)

    def _script(self, world: World) -> Script:
        return self.stage.script(world.migration["spec"]["vmiName"])

    def _times_out(self, world: World) -> bool:
        pod = world.target
        early = world.phase in (Phase.PENDING, Phase.SCHEDULING)
        if (
            not pod
            or not early
            or pod["status"].get("phase") != "Pending"
            or "deletionTimestamp" in pod["metadata"]
        ):
            self._pod_since = None
            return False
        self._pod_since = self._pod_since or time.monotonic()
        notes = world.migration["metadata"].get("annotations", {})
        longest = [notes.get(PENDING_TIMEOUT, PENDING_SECONDS)]
        if has(pod, "PodScheduled", "False"):
            longest.append(notes.get(UNSCHEDULABLE_TIMEOUT, UNSCHEDULABLE_SECONDS))
        return time.monotonic() - self._pod_since >= min(float(text) for text in longest)

    async def forsake(self, world: World) -> None:
        """The VMI is gone: the migration is deleted, not failed, and its finalizer keeps it."""
        if not world.deleted:
            await self.api.delete(Migration, self.name, self.namespace)
        self.stage.seen.append((world.phase, self._event or "vmi gone", world.phase))

    async def finish(self, world: World) -> None:
        """A final phase: what is kept of it, and what its pods do."""
        script = self._script(world)
        wanted = act(world)
        if wanted:
            await self._hands.act(wanted, world, lingers=script.lingers)
        if world.phase is Phase.FAILED and world.target and not is_down(world.target) and not script.lingers:
            await self._hands.patch(On.TARGET_STATUS, world, {"status": {"phase": "Failed"}})
        last = await self.look() or world
        if last.ours:
            kept = {"status": {"migrationState": last.ours}}
            await self.api.patch(Migration.Status, self.name, self.namespace, kept)
        finalizers = [f for f in world.migration["metadata"].get("finalizers", []) if f != objects.FINALIZER]
        await self._hands.patch(On.MIGRATION, world, {"metadata": {"finalizers": finalizers}})
        for event in script.after:
            await self.play(event, last)
        await self._hands.collect(last)


async def _patience(woken: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await woken.wait()
    except TimeoutError:
        pass
