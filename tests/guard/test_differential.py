"""The real guard and hook, and the simulation's: told the same, they answer the same. What the simulation proves
of hand-overs is worth as much as this.

Real: guard.sh, hook.sh, their processes and files, under a fake CRIU that stops and kills a plain process. Left
out: a killed CRIU, which only a cgroup's freezer keeps frozen (tests/guard/test_guard_freezer.py), and everything
that takes seconds to pass."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reconciler.hosts.memory.clock import VirtualLoop
from reconciler.hosts.memory.guard import Guard
from reconciler.hosts.memory.machine import EXITED, FROZEN, RUNNING, MemoryContainer, Universe
from reconciler.hosts.memory.runtime import dump, execute
from reconciler.model.plan import Phase
from reconciler.resources import data_path
from tests.guard.conftest import GuardHost, process_state, wait_until

NAME = "web"
LONG = 600  # seconds: nothing here resumes by itself
EXAMPLES = int(os.environ.get("EXAMPLES", "40"))
STEPS = 25
SHOWN = ("epoch", "phase", "role", "run", "peer", "broken", "hook", "verdict", "final", "status")

epochs = st.integers(1, 4)
runs = st.sampled_from(["run-1", "run-2", "-"])
phases = st.sampled_from(
    ["running", "reserved", "held", "verified", "committed", "confirmed", "retired", "fenced"]
)
roles = st.sampled_from(["source", "destination", "owner"])


class Simulated:
    """The simulation's guard, with its own runtime and clock."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.loop.set_exception_handler(lambda _loop, _context: None)
        self.machine = Universe().add("h1")
        self.container = MemoryContainer("c" * 64, NAME, NAME, "", "")
        self.machine.containers[NAME] = self.container

    def __call__(self, *words: object) -> tuple[int, str]:
        argv = [str(word) for word in words]
        result = self.loop.run_until_complete(Guard(self.machine, execute, dump).call(argv, b""))
        return result.status, result.stdout

    def settle(self) -> None:
        async def pause() -> None:
            import asyncio

            await asyncio.sleep(1.0)

        self.loop.run_until_complete(pause())

    def begin(self) -> None:
        async def start() -> None:
            self.machine.begin(self.container, "started")

        self.loop.run_until_complete(start())

    def reboot(self) -> None:
        async def cycle() -> None:
            self.machine.power_off(for_good=False)
            self.machine.power_on()

        self.loop.run_until_complete(cycle())

    @property
    def state(self) -> str:
        return self.container.state


class Real:
    """guard.sh on a folder of its own, and a process that plays the workload."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="guard-"))
        self.boots = 0
        proc = self.folder / "proc" / "sys" / "kernel" / "random"
        proc.mkdir(parents=True)
        (self.folder / "proc" / "uptime").symlink_to("/proc/uptime")
        self.boot_id = proc / "boot_id"
        env = dict(os.environ, RECONCILER_ROOT=str(self.folder / "root"), RECONCILER_SH="sh")
        env["RECONCILER_PROC"] = str(self.folder / "proc")
        self.host = GuardHost(self.folder / "root", ("sh",), env)
        self.pid = 0
        self._new_boot()
        hook = self.host.root / "bin" / "hook-test.sh"
        hook.parent.mkdir(parents=True, mode=0o700)
        shutil.copyfile(data_path("templates", "host", "hook.sh"), hook)
        hook.chmod(0o700)
        self("hook", NAME, hook.name, "tasks-of-web")

    def __call__(self, *words: object, fails: bool = False) -> tuple[int, str]:
        env = self.host.env | ({"FAKE_FAILS": "1"} if fails else {})
        done = subprocess.run(self.host.argv(*words), env=env, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout

    def _new_boot(self) -> None:
        self.boots += 1
        self.boot_id.write_text(f"{self.boots:08d}-0000-4000-8000-000000000000\n")

    def begin(self) -> None:
        self.pid = self.host.victim()

    def kill_hook(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(self.host.path(NAME, "hook", "held").read_text().split()[1]), signal.SIGKILL)

    def end_processes(self) -> None:
        """Everything that was started here, guard and hook and the workload."""
        mine, stopped = f"RECONCILER_ROOT={self.host.root}".encode(), set[int]()
        while found := {pid for pid in self._processes(mine) if pid not in stopped}:
            for pid in found:  # all at once, as a power cut does: none may see another one end
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            stopped |= found
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self.host.victims:
            process.kill()
            process.wait()
        self.host.victims.clear()

    @staticmethod
    def _processes(with_variable: bytes) -> Iterator[int]:
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if with_variable in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)

    def reboot(self) -> None:
        self.end_processes()
        self._new_boot()

    def close(self) -> None:
        self.end_processes()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def state(self) -> str:
        state = process_state(self.pid) if self.pid else ""
        return {"T": FROZEN, "": EXITED, "Z": EXITED}.get(state, RUNNING)


def told(answer: str) -> list[dict[str, Any]]:
    """The JSON lines of an answer, without times."""
    rows = [json.loads(line) for line in answer.splitlines() if line.startswith("{")]
    return [{k: v for k, v in row.items() if not k.endswith(("_ms", "_cs"))} for row in rows]


def shown(answer: tuple[int, str]) -> list[dict[str, Any]]:
    """What `show` says that does not depend on time. A folder without a marker or a hook is as good as none."""
    rows = [{key: row[key] for key in SHOWN} for row in told(answer[1])]
    return [row for row in rows if (row["phase"], row["hook"]) != ("none", "none")]


class GuardsAgree(RuleBasedStateMachine):
    @initialize()
    def hosts(self) -> None:
        self.real, self.simulated = Real(), Simulated()
        self.start()

    def teardown(self) -> None:
        if hasattr(self, "real"):
            self.real.close()
            self.simulated.loop.close()

    def both(self, *words: object) -> None:
        self._compare(words, self.real(*words), self.simulated(*words))

    def _compare(self, words: Sequence[object], real: tuple[int, str], simulated: tuple[int, str]) -> None:
        assert real[0] == simulated[0], f"{words}: really {real}, simulated {simulated}"
        assert told(real[1]) == told(simulated[1]), f"{words}: really {real}, simulated {simulated}"

    @rule(epoch=epochs, phase=phases, role=roles, run=runs)
    def mark(self, epoch: int, phase: str, role: str, run: str) -> None:
        self.both("mark", NAME, epoch, phase, role, run, "h2")

    @rule(epoch=epochs, run=runs, fails=st.sampled_from([False, False, False, True]))
    def hold(self, epoch: int, run: str, fails: bool) -> None:
        words = ["hold", NAME, epoch, LONG, LONG, "transactional", 0, run, "h2", "--"]
        criu = [Path(__file__).parent / "fakecriu.sh", self.real.host.path(NAME), self.real.pid or 2**22, "0"]
        self.simulated.machine.armed["dump"] = int(fails)
        self._compare(words, self.real(*words, *criu, fails=fails), self.simulated(*words))

    @rule(epoch=epochs)
    def commit(self, epoch: int) -> None:
        self.both("commit", NAME, epoch)

    @rule(epoch=epochs)
    def release(self, epoch: int) -> None:
        self.both("release", NAME, epoch)

    @rule(epoch=epochs, run=runs)
    def resume(self, epoch: int, run: str) -> None:
        self.both("resume", NAME, epoch, run)

    @rule()
    def clean(self) -> None:
        self.both("clean", NAME)

    @rule()
    def beat(self) -> None:
        self.both("beat", NAME)

    @rule(epoch=epochs, phase=st.sampled_from(["any", "committed", "running,reserved", "none"]))
    def run(self, epoch: int, phase: str) -> None:
        self.both("run", NAME, epoch, phase, "--", "true")

    @precondition(lambda self: self.simulated.state == EXITED)
    @rule()
    def start(self) -> None:
        """Somebody starts the workload again, such as its restart policy."""
        self.real.begin()
        self.simulated.begin()

    @precondition(lambda self: self.simulated.state == FROZEN)
    @rule()
    def kill_hook(self) -> None:
        self.real.kill_hook()
        self.simulated.machine.kill_hold(NAME, "hook")

    @rule()
    def reboot(self) -> None:
        self.real.reboot()
        self.simulated.reboot()

    @invariant()
    def both_stand_the_same(self) -> None:
        self.simulated.settle()
        wait_until(lambda: self.real.state == self.simulated.state, 5.0)

        expected = shown(self.simulated("show", NAME))
        with contextlib.suppress(AssertionError):
            wait_until(lambda: shown(self.real("show", NAME)) == expected, 5.0)
        assert shown(self.real("show", NAME)) == expected


TestGuardsAgree = GuardsAgree.TestCase
TestGuardsAgree.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_the_phases_told_are_all_there_are() -> None:
    assert {phase.value for phase in Phase} == set(phases.elements)  # type: ignore[attr-defined]
