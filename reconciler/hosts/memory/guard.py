"""The host-side guard in memory: the rules of `templates/host/guard.sh` and `hook.sh`, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.core.handover import COMMITTABLE, HOLDABLE, RELEASABLE, RESUMABLE, RESUMABLE_LATER, may_follow
from reconciler.hosts.memory.machine import Machine, MarkerRow, MemoryHook
from reconciler.model.command import Result, Seconds
from reconciler.model.plan import Phase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOWER, BROKEN, PHASE, RESUMED, NOT_HELD, BUSY, USAGE = 75, 76, 77, 79, 80, 81, 82
OTHER, COMMITTED, STILL_RUNNING = 84, 85, 86
LOCK_WAIT: Seconds = 10.0
EXIT_WAIT: Seconds = 30.0

Runner = Callable[[Machine, Sequence[str], bytes], Awaitable[Result]]
"""Runs a command that the guard let through."""

Dumper = Callable[[Machine, str, MemoryHook], Awaitable[int]]
"""Runs a checkpoint of a workload under a hook; answers its exit code."""


class Denied(Exception):
    """The guard ends with a status and a line on stderr."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def die(status: int, text: str) -> None:
    raise Denied(status, text)


class Guard:
    """One call of the guard on one machine."""

    def __init__(self, machine: Machine, run: Runner, dump: Dumper) -> None:
        self.machine = machine
        self._run = run
        self._dump = dump

    async def call(self, argv: Sequence[str], stdin: bytes) -> Result:
        verb, *rest = argv
        try:
            if verb == "run":
                return await self.run(rest, stdin)
            return Result(0, await getattr(self, verb)(*rest) or "")
        except Denied as refused:
            return Result(refused.status, "", f"reconciler-guard[{refused.status}]: {refused}\n")

    # --- small things ---

    @staticmethod
    def now() -> Seconds:
        return asyncio.get_running_loop().time()

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        lock = self.machine.locks.setdefault(name, asyncio.Lock())
        try:
            async with asyncio.timeout(LOCK_WAIT):
                await lock.acquire()
        except TimeoutError:
            die(BUSY, f"another command still works on {name} here")
        try:
            yield
        finally:
            lock.release()

    def read(self, name: str) -> MarkerRow:
        row = self.machine.markers.get(name, MarkerRow())
        hook = self.machine.hooks.get(name)
        if row.broken:
            return replace(row, epoch=max(row.epoch, hook.epoch if hook else 0))
        resumed = hook and (hook.verdict, hook.epoch) == ("resume", row.epoch) and not hook.tasks_ended
        if row.phase in ("held", "verified") and resumed:
            return replace(row, phase="running", role="owner")
        return row

    def load(self, name: str, epoch: int | None = None) -> MarkerRow:
        row = self.read(name)
        if row.broken:
            die(BROKEN, f"the marker cannot be trusted: {row.broken}")
        if epoch is not None and epoch < row.epoch:
            die(LOWER, f"{name} has epoch {row.epoch} here (phase {row.phase}), refusing epoch {epoch}")
        return row

    def ours(self, name: str, row: MarkerRow, run: str, epoch: int) -> None:
        if "-" not in (run, row.run) and run != row.run and row.epoch >= epoch:
            die(OTHER, f"{name} is {row.phase} here under epoch {row.epoch} of run {row.run}, not of {run}")

    def store(self, name: str, epoch: int, phase: str, role: str, run: str, peer: str) -> None:
        if self.machine.take("marker"):
            die(83, "cannot write the marker")
        row = MarkerRow(epoch, phase, role, run, peer)
        if self.machine.markers.get(name) != row:
            self.machine.markers[name] = row
            self.machine.changed(f"{name} marked {phase} {role} under {epoch}")

    def look(self, name: str) -> tuple[str, MemoryHook | None]:
        hook = self.machine.hooks.get(name)
        if hook is None:
            return "none", None
        if hook.status is not None:
            return "ended", hook
        if hook.boot != self.machine.boot:
            return "lost", hook
        return ("held" if hook.held is not None else "starting"), hook

    def decide(self, hook: MemoryHook, verdict: str) -> str:
        hook.verdict = hook.verdict or verdict
        return hook.verdict

    def finally_(self, hook: MemoryHook, final: str) -> str:
        hook.final = hook.final or final
        return hook.final

    async def ended(self, hook: MemoryHook) -> None:
        try:
            async with asyncio.timeout(EXIT_WAIT):
                await hook.ended.wait()
        except TimeoutError:
            die(STILL_RUNNING, "the checkpoint process does not end")

    def answer(self, outcome: str, hook: MemoryHook | None) -> str:
        status = hook.status if hook else None
        return json.dumps({"outcome": outcome, "status": status, "waited_ms": 0})

    # --- subcommands ---

    async def mark(self, name: str, epoch_text: str, phase: str, role: str, run: str, peer: str) -> None:
        epoch = int(epoch_text)
        async with self.lock(name):
            row = self.load(name, epoch)
            if (row.phase, phase) != ("fenced", "fenced"):
                self.ours(name, row, run, epoch)
            if epoch == row.epoch and phase != row.phase and not _may_follow(row, phase):
                die(PHASE, f"{name} is {row.phase} under epoch {epoch} here, it cannot become {phase}")
            state, hook = self.look(name)
            if hook and state in ("starting", "held"):
                transactional = hook.mode == "transactional"
                quiet = transactional and (phase == "held" or (state, phase) == ("held", "verified"))
                if not quiet and (state == "starting" or phase in ("running", "reserved")):
                    die(PHASE, f"{name} is being held here: resume or release it")
                if not quiet and transactional and self.decide(hook, "commit") != "commit":
                    die(RESUMED, f"{name} has already resumed here")
            self.store(name, epoch, phase, role, run, peer)

    async def mend(self, name: str, epoch_text: str) -> None:
        epoch = int(epoch_text)
        async with self.lock(name):
            row = self.read(name)
            if not row.broken:
                return
            if row.newer:
                die(BROKEN, f"the marker must not be replaced: {row.broken}")
            if epoch < row.epoch:
                die(LOWER, f"{name} had epoch {row.epoch} here, refusing epoch {epoch}")
            state, hook = self.look(name)
            if hook and state == "held" and hook.mode == "transactional":
                self.decide(hook, "commit")
            self.store(name, epoch, "fenced", "source" if hook else "owner", "-", "-")

    async def show(self, name: str | None = None) -> str:
        names = [name] if name is not None else sorted(self.machine.markers.keys() | self.machine.hooks.keys())
        rows = []
        for each in names:
            if each not in self.machine.markers and each not in self.machine.hooks:
                continue
            row, (state, hook) = self.read(each), self.look(each)
            rows.append(
                json.dumps(
                    {
                        "workload": each,
                        "epoch": row.epoch,
                        "phase": row.phase,
                        "role": row.role,
                        "run": row.run.removeprefix("-"),
                        "peer": row.peer.removeprefix("-"),
                        "broken": row.broken,
                        "newer": row.newer,
                        "hook": state,
                        "held_cs": 0,
                        "silent_cs": 0,
                        "verdict": hook.verdict if hook else "",
                        "final": hook.final if hook else "",
                        "status": hook.status if hook else None,
                    }
                )
            )
        return "\n".join(rows)

    async def run(self, words: Sequence[str], stdin: bytes) -> Result:
        name, epoch, phases, _, *argv = words
        async with self.lock(name):
            row = self.load(name, int(epoch))
            if phases != "any" and row.phase not in phases.split(","):
                die(PHASE, f"{name} is in phase {row.phase} here (epoch {row.epoch}), this needs: {phases}")
            return await self._run(self.machine, argv, stdin)

    async def hook(self, name: str, file: str) -> None:
        return None

    async def hold(self, name: str, epoch_text: str, silence: str, freeze: str, mode: str, *rest: str) -> str:
        epoch, (_, run, peer) = int(epoch_text), rest[:3]
        async with self.lock(name):
            row = self.load(name, epoch)
            self.ours(name, row, run, epoch)
            state, hook = self.look(name)
            if hook and state in ("starting", "held"):
                if hook.epoch != epoch or hook.verdict == "resume":
                    die(PHASE, f"{name} is still being held under epoch {hook.epoch}: resume it first")
            else:
                if row.phase not in ("none", *HOLDABLE):
                    die(PHASE, f"{name} is in phase {row.phase} here (epoch {row.epoch}), it cannot be held")
                if hook and (hook.status, hook.epoch, row.phase) == (0, epoch, "held"):
                    return self.answer("exited", hook)
                hook = MemoryHook(epoch, float(silence), float(freeze), mode, boot=0, began=self.now())
                self.machine.hooks[name] = hook
                self.store(name, epoch, "held", "source", run, peer)
                hook.boot = self.machine.boot
                self.machine.spawn(self._runner(name, hook), f"checkpoint of {name}")
        await hook.notify.wait()
        if hook.status is not None:
            return self.answer("resumed" if hook.verdict == "resume" else "exited", hook)
        return self.answer("held", hook)

    async def _runner(self, name: str, hook: MemoryHook) -> None:
        hook.status = await self._dump(self.machine, name, hook)
        hook.notify.set()
        hook.ended.set()

    async def beat(self, *names: str) -> str:
        rows = []
        for name in names:
            state, hook = self.look(name)
            if hook:
                hook.beat = self.now()
            rows.append(json.dumps({"workload": name, "hook": state, "verdict": hook.verdict if hook else ""}))
        return "\n".join(rows)

    async def commit(self, name: str, epoch_text: str) -> None:
        epoch = int(epoch_text)
        async with self.lock(name):
            row = self.load(name, epoch)
            state, hook = self.look(name)
            if hook and (hook.verdict, hook.epoch) == ("resume", epoch):
                die(RESUMED, f"{name} has already resumed here")
            if epoch != row.epoch:
                die(NOT_HELD, f"{name} is not held here under epoch {epoch}, but {row.phase} under {row.epoch}")
            if row.phase == "committed":
                return
            if row.phase not in COMMITTABLE:
                die(PHASE, f"{name} is in phase {row.phase} here, it cannot be committed")
            if hook and state == "held" and hook.mode == "transactional":
                if self.decide(hook, "commit") != "commit":
                    die(RESUMED, f"{name} has already resumed here")
            elif not hook or state != "ended" or hook.status != 0:
                die(NOT_HELD, f"{name} is not held here: its hook is {state}")
            self.store(name, epoch, "committed", "source", row.run, row.peer)

    async def release(self, name: str, epoch_text: str) -> str:
        async with self.lock(name):
            row = self.load(name, int(epoch_text))
            state, hook = self.look(name)
            if hook and state in ("starting", "held"):
                if row.phase not in RELEASABLE:
                    die(PHASE, f"{name} is in phase {row.phase} here, not committed")
                if self.finally_(hook, "release") != "release":
                    die(RESUMED, f"{name} was told to resume here")
                hook.wake.set()
                await self.ended(hook)
            state, hook = self.look(name)
            return self.answer("exited" if state == "ended" else "gone", hook)

    async def resume(self, name: str, epoch_text: str, run: str = "-") -> str:
        epoch = int(epoch_text)
        async with self.lock(name):
            row = self.load(name, epoch)
            self.ours(name, row, run, epoch - 1)
            if row.phase not in ("none", *(RESUMABLE_LATER if epoch > row.epoch else RESUMABLE)):
                die(COMMITTED, f"{name} is {row.phase} under epoch {row.epoch} here")
            state, hook = self.look(name)
            if hook and state in ("starting", "held"):
                if self.decide(hook, "resume") == "commit":
                    if epoch <= hook.epoch:
                        die(COMMITTED, f"{name} is committed under epoch {hook.epoch} here")
                    if hook.final == "release":
                        die(NOT_HELD, f"{name} was already released here")
                    self.store(name, epoch, "held", "source", row.run, row.peer)
                    self.finally_(hook, "resume")
                hook.wake.set()
                await self.ended(hook)
                state, hook = self.look(name)
            if hook and state == "ended":
                outcome = "gone" if hook.status == 0 or hook.tasks_ended else "resumed"
            elif state == "lost" or row.phase in ("held", "verified", "committed", "retired", "fenced"):
                outcome = "gone"
            else:
                outcome = "running"
            now = ("held", "source") if outcome == "gone" else ("running", "owner")
            self.store(name, epoch, *now, row.run, row.peer)
            return self.answer(outcome, hook)

    def may_start(self, name: str) -> None:
        """What a container's start is asked, whoever starts it."""
        row = self.load(name)
        if row.phase not in ("none", "running", "confirmed") and (row.role, row.phase) != ("source", "reserved"):
            die(PHASE, f"{name} may not start on this host: it is {row.phase} here")

    async def clean(self, name: str) -> None:
        async with self.lock(name):
            self.load(name)
            state, _ = self.look(name)
            if state in ("starting", "held"):
                die(PHASE, f"{name} is being held here")
            if name in self.machine.markers:
                self.machine.markers[name] = self.read(name)
            self.machine.hooks.pop(name, None)


def _may_follow(row: MarkerRow, then: str) -> bool:
    return row.phase == "none" or may_follow(row.role, Phase(row.phase), Phase(then))
