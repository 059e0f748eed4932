"""Plays KubeVirt and the rest of a cluster for the tests, over the real API: a thread with connections of its own.

virt-controller's part is `decide`, what everybody else does comes from `table` by a script; `carry` does one
migration. What a test or the product writes in between (a delete, a cordon) is seen at the next look.

    with playing(cluster, "succeed") as player:
        player.script("db", "fail")
        player.hold("db", Phase.RUNNING)
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
from lightkube import ApiError

from tests.kube.api import Api
from tests.kube.carry import Carrier, Stage
from tests.kube.cluster import CONTROLLER, Cluster
from tests.kube.coverage import walked
from tests.kube.decide import Phase, phase_of
from tests.kube.evacuation import evacuate
from tests.kube.objects import FINALIZER, Migration, Object
from tests.kube.scripts import SCRIPTS, Script

STEP_SECONDS = 0.02
EVACUATION_SECONDS = 0.2
END_SECONDS = 30.0
"""For the thread to end; it has no long waits."""


class Player:
    """Use `playing`."""

    def __init__(self, kubeconfig: Path, usual: Script, step: float) -> None:
        self.stage = Stage(step=step, usual=usual)
        self.errors: list[BaseException] = []
        self._kubeconfig = kubeconfig
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._carriers: dict[str, Carrier] = {}
        self._ending = asyncio.Event()
        self._watching = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._run()], name="player")

    def script(self, vmi: str, script: str | Script) -> None:
        """For migrations of that VMI that come to a phase from now on."""
        self.stage.scripts[vmi] = SCRIPTS[script] if isinstance(script, str) else script

    def hold(self, vmi: str, phase: Phase) -> None:
        """Its migrations stay in that phase until `release`; they can still fail there, and be deleted."""
        self.stage.holds[vmi] = phase

    def release(self, vmi: str) -> None:
        self.stage.holds.pop(vmi, None)

    def start(self) -> None:
        self._thread.start()
        if not self._watching.wait(END_SECONDS):
            raise TimeoutError("the player did not come to watch")

    def stop(self) -> None:
        """End the thread; what went wrong in it is raised here."""
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(END_SECONDS)
        if self._thread.is_alive():
            raise TimeoutError("the player did not end")
        self._loop.close()
        walked(self.stage.seen)
        if self.errors:
            raise BaseExceptionGroup("the player failed", self.errors)

    async def _run(self) -> None:
        async with Api(self._kubeconfig) as api:
            always = [asyncio.create_task(self._watch(api)), asyncio.create_task(self._evacuate(api))]
            await self._ending.wait()
            running = [*always, *self._tasks.values()]
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _watch(self, api: Api) -> None:
        """All migrations, from what there is on."""
        try:
            for migration in await api.list(Migration):
                self._told(api, "ADDED", migration)
            watch = api.watch(Migration)
            self._watching.set()
            async for event, migration in watch:
                self._told(api, event, migration)
        except (ApiError, httpx2.HTTPError) as error:
            self.errors.append(error)
            self._watching.set()

    async def _evacuate(self, api: Api) -> None:
        """The other controller of KubeVirt that makes migrations."""
        try:
            while True:
                await evacuate(api)
                await asyncio.sleep(EVACUATION_SECONDS)
        except (ApiError, httpx2.HTTPError) as error:
            self.errors.append(error)

    def _told(self, api: Api, event: str, migration: Object) -> None:
        meta = migration["metadata"]
        uid = meta["uid"]
        if uid in self._carriers:
            self._carriers[uid].woken.set()
        elif event != "DELETED" and not (
            phase_of(migration).final and FINALIZER not in meta.get("finalizers", [])
        ):
            carrier = Carrier(api, self.stage, meta["namespace"], meta["name"])
            self._carriers[uid] = carrier
            self._tasks[uid] = asyncio.create_task(
                self._carry(carrier), name=f"{meta['namespace']}/{meta['name']}"
            )

    async def _carry(self, carrier: Carrier) -> None:
        try:
            await carrier.carry()
        except Exception as error:  # a broken player must fail its test, not only one migration
            self.errors.append(error)


@contextlib.contextmanager
def playing(cluster: Cluster, usual: str | Script = "succeed", *, step: float = STEP_SECONDS) -> Iterator[Player]:
    """A player for all migrations in the cluster, with that script for VMIs that have none of their own."""
    script = SCRIPTS[usual] if isinstance(usual, str) else usual
    player = Player(cluster.kubeconfig(CONTROLLER), script, step)
    player.start()
    try:
        yield player
    finally:
        player.stop()
