"""A container runtime in memory, `memrt`: what its commands do to a machine, and how long they take."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict

from reconciler.hosts.memory import engine, extras, stores
from reconciler.hosts.memory.guard import Denied, Guard
from reconciler.hosts.memory.machine import (
    CREATED,
    EXITED,
    FROZEN,
    RUNNING,
    Dump,
    ImageSet,
    Machine,
    MemoryContainer,
    MemoryHook,
    Volume,
)
from reconciler.model.command import Bytes, Result, Seconds

CHECKPOINT_FAILED = 125
NOT_FOUND = 127

TAKES: dict[str, Seconds] = {
    "observe": 0.03,
    "show": 0.01,
    "pull": 3.0,
    "create": 0.2,
    "start": 0.3,
    "stop": 0.5,
    "rm": 0.2,
    "restore": 0.4,
    "health": 0.1,
}
"""Seconds of each command on a host of usual speed; others take `SMALL`."""
SMALL: Seconds = 0.02
DUMP_TIME: Seconds = 0.3
MEMORY: Bytes = 64 * 2**20


class Failed(Exception):
    """A runtime's command ends with a status and a line on stderr."""

    def __init__(self, text: str, status: int = CHECKPOINT_FAILED) -> None:
        super().__init__(text)
        self.status = status


async def execute(machine: Machine, argv: Sequence[str], stdin: bytes) -> Result:
    """One command line on a machine: the guard, the runtime, or a small tool that changes nothing here."""
    if len(argv) > 2 and argv[0] == "/bin/sh" and "/guard-" in argv[1]:
        await machine.work(SMALL)
        if argv[1] not in machine.installed:
            return Result(NOT_FOUND, "", f"cannot open {argv[1]}\n")
        return await Guard(machine, execute, dump).call(argv[2:], stdin)
    if argv[:3] == ("/bin/sh", "-s", "--"):
        await machine.work(SMALL)
        return await Guard(machine, execute, dump).call(argv[3:], b"")
    if argv[0] != "memrt":
        await machine.work(SMALL)
        if extras.is_look(argv):
            return extras.look(machine)
        if stores.is_store(argv):
            return stores.call(machine, argv, stdin)
        if extras.is_action(argv):
            return await extras.act(machine, argv[4:])
        return _tool(machine, argv, stdin)
    verb, *rest = argv[1:]
    await machine.work(TAKES.get(verb, SMALL))
    if verb == "drain":
        return await extras.drain(machine, *rest)
    try:
        return Result(0, getattr(MemoryRuntime(machine, stdin), verb.replace("-", "_"))(*rest) or "")
    except Failed as failed:
        return Result(failed.status, "", f"{failed}\n")


def _tool(machine: Machine, argv: Sequence[str], stdin: bytes) -> Result:
    """Dossiers, records of actions and guards are files; every other small tool is taken to have worked."""
    if argv[:2] == ("test", "-f"):
        return Result(0 if argv[2] in machine.installed else 1)
    if len(argv) > 6 and argv[5].startswith("guard-"):
        machine.installed.add(f"{argv[4]}/{argv[5]}")
    if argv[0] == "cat":
        text = machine.files.get(argv[-1])
        return Result(1 if text is None else 0, text or "")
    if len(argv) > 4 and "dossier" in argv[2]:
        machine.files[f"{argv[4]}/dossier"] = stdin.decode()
    if argv[0] == "rm":
        machine.files.pop(argv[-1], None)
        machine.kept.pop(argv[-1], None)
    return Result(0)


def let_at_boot(machine: Machine, container: MemoryContainer) -> bool:
    """What an entry of its host asks when it boots."""
    if container.stopped or container.name != container.workload:
        return False
    try:
        Guard(machine, execute, dump).may_start(container.workload)
    except Denied:
        return False
    return True


async def dump(machine: Machine, name: str, hook: MemoryHook) -> int:
    """A checkpoint with the guard's action script: frozen first, images next, then as the verdict says."""
    container = machine.containers.get(name)
    if container is None or container.state != RUNNING:
        return CHECKPOINT_FAILED
    container.state = FROZEN
    machine.changed(f"{name} frozen")
    await machine.work(DUMP_TIME)
    if hook.killed == "criu" or machine.take("dump") or machine.take("full"):
        container.state = RUNNING
        machine.changed(f"{name} could not be dumped and runs on")
        return CHECKPOINT_FAILED
    images = ImageSet(Dump(name, container.lineage, machine.name), complete=True, on_disk=machine.on_disk)
    machine.dumps[name] = images
    return await after_dump(machine, name, hook, images)


async def after_dump(machine: Machine, name: str, hook: MemoryHook, images: ImageSet) -> int:
    """The images are complete: what becomes of the tasks."""
    container = machine.containers[name]
    if hook.mode == "transactional":
        machine.changed(f"{name} held")
        verdict = await _verdict(machine, hook)
        if verdict == "killed":
            container.state, hook.tasks_ended = EXITED, True
            machine.changed(f"{name} killed while it was held")
            return CHECKPOINT_FAILED
        if verdict == "resume":
            images.dump.resumed = True
            container.state = RUNNING
            machine.changed(f"{name} resumed")
            return CHECKPOINT_FAILED
    container.state = EXITED
    machine.changed(f"{name} checkpointed and gone")
    return 0


async def _verdict(machine: Machine, hook: MemoryHook) -> str:
    """What becomes of a held source: `resume`, `release`, or `killed` where only its images can go on."""
    loop = asyncio.get_running_loop()
    hook.held = hook.beat = loop.time()
    hook.notify.set()
    while True:
        if hook.killed == "hook":
            hook.verdict = hook.verdict or "resume"  # the keeper sees it
        if hook.killed == "criu" and hook.verdict:
            return "killed"
        if hook.killed and hook.verdict == "commit" and hook.final != "resume":
            return "killed"
        if hook.verdict == "resume" or (hook.verdict == "commit" and hook.final):
            return "resume" if "resume" in (hook.verdict, hook.final) else "release"
        if hook.killed == "criu":  # frozen by their cgroup: a controller commits or goes back
            await hook.wake.wait()
            hook.wake.clear()
            continue
        if hook.verdict == "commit":
            await hook.wake.wait()
            hook.wake.clear()
            continue
        deadline = min(hook.beat + hook.silence, hook.held + hook.freeze)
        if loop.time() > deadline:
            hook.verdict = "resume"
            machine.universe.note(f"{machine.name}: a hook decided to resume by itself")
            continue
        try:
            async with asyncio.timeout(deadline - loop.time() + 0.5):  # Python 3.11's wait_for may lose a cancel
                await hook.wake.wait()
            hook.wake.clear()
        except TimeoutError:
            continue


class MemoryRuntime:
    """The commands. Each is one instant: what leads up to it is the time it takes."""

    def __init__(self, machine: Machine, stdin: bytes) -> None:
        self.machine = machine
        self.stdin = stdin

    def _get(self, name: str) -> MemoryContainer:
        """By name or ID."""
        for found in self.machine.containers.values():
            if name in (found.name, found.id):
                return found
        raise Failed(f"no container {name}")

    def observe(self) -> str:
        m = self.machine
        return json.dumps(
            {
                "containers": [asdict(c) for c in m.containers.values()],
                "images": m.images,
                "networks": m.networks,
                "volumes": {name: asdict(volume) for name, volume in m.volumes.items()},
            }
        )

    def show(self, name: str) -> str:
        found = self.machine.containers.get(name)
        images = self.machine.dumps.get(name)
        return json.dumps(
            {
                "container": asdict(found) if found else None,
                "note": self.machine.notes.get(name, ""),
                "restorable": bool(images and images.complete and not images.dump.resumed),
            }
        )

    def pull(self, image: str) -> str:
        if self.machine.take("full"):
            raise Failed("no space left on device")
        self.machine.images[image] = 2**20
        return image

    def network(self, name: str, driver: str) -> None:
        self.machine.networks.setdefault(name, driver)

    def volume(self, name: str, workload: str, epoch: str, run: str) -> None:
        if name in self.machine.volumes:
            raise Failed(f"volume {name} exists")
        self.machine.volumes[name] = Volume(workload, int(epoch), run)

    def keep_volume(self, name: str) -> None:
        return None

    def volume_rm(self, name: str) -> None:
        users = [c.name for c in self.machine.containers.values() if name in _volumes(c)]
        if users:
            raise Failed(f"volume {name} is being used by {', '.join(users)}")
        if self.machine.volumes.pop(name, None):
            self.machine.changed(f"volume {name} removed")

    def create(self, name: str, workload: str, image: str, restart: str, mounts: str = "") -> str:
        """`mounts`: the workload whose all volumes must be, where that is looked at."""
        if self.machine.take("full"):
            raise Failed("no space left on device")
        if name in self.machine.containers:
            raise Failed(f"the name {name} is in use")
        if image not in self.machine.images and f"sha256:{image}" not in self.machine.images:
            raise Failed("image not known")
        made = MemoryContainer(self.machine.universe.new_id(), name, workload, self.stdin.decode(), image)
        made.restart = restart == "always"
        missing = Volume("")
        if mounts and any(self.machine.volumes.get(v, missing).workload != mounts for v in _volumes(made)):
            raise Failed("somebody removed a volume right before")
        self.machine.containers[name] = made
        for volume in _volumes(made):  # a runtime makes what is missing, without a label
            self.machine.volumes.setdefault(volume, Volume(""))
        self.machine.changed(f"{name} created")
        return made.id

    def start(self, name: str) -> None:
        container = self._get(name)
        if container.state == RUNNING:
            return
        if container.state == FROZEN:
            raise Failed(f"{name} is being checkpointed")
        try:
            Guard(self.machine, execute, dump).may_start(container.workload)
        except Denied as refused:
            raise Failed(str(refused)) from refused
        self.machine.begin(container, "started")

    def stop(self, name: str) -> None:
        container = self._get(name)
        if container.state == FROZEN:
            raise Failed(f"{name} is being checkpointed")
        if container.state == RUNNING:
            container.state = EXITED
            self.machine.changed(f"{name} stopped")
        container.stopped = True

    def rm(self, name: str) -> None:
        container = self._get(name)
        if container.state == FROZEN:
            raise Failed(f"{name} is being checkpointed")
        del self.machine.containers[container.name]
        self.machine.changed(f"{container.name} removed")

    def rename(self, old: str, new: str) -> None:
        if new in self.machine.containers:
            raise Failed(f"the name {new} is in use")
        container = self._get(old)
        was = container.name
        self.machine.containers[new] = self.machine.containers.pop(was)
        container.name = new
        self.machine.changed(f"{was} renamed to {new}")

    def restart(self, name: str, policy: str) -> None:
        self._get(name).restart = policy == "always"

    def update(self, name: str, policy: str) -> None:
        container = self._get(name)
        container.before, container.spec = container.spec, self.stdin.decode()
        container.restart = policy == "always"
        self.machine.changed(f"{container.name} updated")

    def update_back(self, name: str) -> None:
        container = self._get(name)
        if container.before:
            container.spec, container.before = container.before, ""
            container.restart = json.loads(container.spec).get("restart") == "always"
            self.machine.changed(f"{container.name} updated back")

    def write(self, name: str, text: str) -> None:
        self.machine.notes[name] = text

    def pre_dump(self, name: str) -> None:
        if self._get(name).state != RUNNING or self.machine.take("dump") or self.machine.take("full"):
            raise Failed("CRIU could not write a round of a pre-copy")

    def discard(self, name: str) -> None:
        if self.machine.dumps.pop(name, None):
            self.machine.changed(f"images of {name} discarded")

    def persist(self, name: str) -> None:
        images = self.machine.dumps.get(name)
        if images is None:
            raise Failed("none of its images are on disk")
        if not (images.on_disk or images.persisting):
            self.machine.spawn(extras.persist(self.machine, images), f"persist {name}")

    def stop_pages(self, name: str) -> None:
        self.machine.pages.pop(name, None)

    def restore(self, name: str, how: str = "eager") -> None:
        container = self._get(name)
        if container.state in (RUNNING, FROZEN):
            raise Failed(f"{name} has processes")
        images = self.machine.dumps.get(name)
        if images is None or not (images.complete or (how == "later" and images.later)):
            raise Failed("images are missing or incomplete")
        if self.machine.take("restore") or self.machine.take("full"):
            raise Failed("CRIU could not restore")
        container.state = RUNNING
        container.lineage = images.dump.lineage
        container.whole, container.waits = how not in ("lazy", "later"), False
        here = images.dump.origin == self.machine.name
        past = " from the images of a process that ran on" if images.dump.resumed and not here else ""
        images.dump.resumed = images.dump.resumed or here
        self.machine.changed(f"{name} restored{past}")
        if not container.whole:
            self.machine.pages[name] = None
            serving = extras.serve_later if how == "later" else extras.serve_pages
            self.machine.spawn(serving(self.machine, container), f"pages of {name}")
        if self.machine.take("dies"):
            container.state = EXITED
            self.machine.universe.disaster(f"{self.machine.name}: {name} ended by itself")

    def receive(self, name: str, workload: str) -> None:
        if self.machine.take("full"):
            raise Failed("no space left on device")
        engine.receive(self.machine, name, workload, self.stdin.decode())

    def migrate(self, name: str, peer: str) -> None:
        container = self._get(name)
        if container.state != RUNNING:
            raise Failed(f"{name} does not run")
        engine.begin(self.machine, container, peer)

    def migration(self, name: str) -> str:
        last = self.machine.migrations.get(name)
        return last.text if last else ""

    def cancel(self, name: str) -> None:
        if last := self.machine.migrations.get(name):
            last.cancelled = True

    def health(self, name: str) -> None:
        container = self._get(name)
        if container.state != RUNNING or container.waits or self.machine.take("health"):
            raise Failed("connection refused", status=1)


def _volumes(container: MemoryContainer) -> set[str]:
    return {volume["name"] for volume in json.loads(container.spec or "{}").get("volumes", ())}


__all__ = ["CREATED", "MEMORY", "MemoryRuntime", "dump", "execute", "let_at_boot"]
