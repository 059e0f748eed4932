"""Real: the guard and hook scripts, their shells, processes, locks, files. Fake: CRIU (fakecriu.sh), in some
tests the clock and the boot id."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reconciler.resources import data_path

HERE = Path(__file__).parent
SHELLS = [("dash",), ("busybox", "sh")]


@dataclass
class GuardHost:
    """One pretended host: its own root folder, and the shell its scripts run under."""

    root: Path
    shell: tuple[str, ...]
    env: dict[str, str]
    victims: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def argv(self, *words: object) -> list[str]:
        return [*self.shell, str(data_path("templates", "host", "guard.sh")), *(str(w) for w in words)]

    def __call__(self, *words: object, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(self.argv(*words), env=self.env, capture_output=True, text=True, timeout=60)
        if expect is not None:
            assert done.returncode == expect, (words, done.returncode, done.stdout, done.stderr)
        return done

    def start(self, *words: object) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(self.argv(*words), env=self.env, stdout=pipe, stderr=pipe, text=True)

    def path(self, name: str, *parts: str) -> Path:
        return self.root.joinpath("workloads", name, *parts)

    def show(self, name: str) -> dict[str, Any]:
        row: dict[str, Any] = json.loads(self("show", name).stdout)
        return row

    def victim(self, *prefix: str) -> int:
        """A process that plays the workload."""
        process = subprocess.Popen([*prefix, "sleep", "600"])
        self.victims.append(process)
        return process.pid

    def hold(
        self,
        name: str,
        epoch: int,
        pid: int,
        *,
        silence: int = 30,
        freeze: int = 60,
        fence: int = 0,
        dump: float = 0.05,
    ) -> dict[str, Any]:
        done = self(*self.hold_words(name, epoch, pid, silence, freeze, fence, dump))
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
        return answer

    def hold_words(
        self,
        name: str,
        epoch: int,
        pid: int,
        silence: int = 30,
        freeze: int = 60,
        fence: int = 0,
        dump: float = 0.05,
    ) -> list[object]:
        criu = [str(HERE / "fakecriu.sh"), str(self.path(name)), pid, dump]
        return ["hold", name, epoch, silence, freeze, "transactional", fence, "run-1", "h2", "--", *criu]


def process_state(pid: int) -> str:
    """R, S, T, Z, ... ; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait_until(question: Callable[[], bool], seconds: float = 5.0) -> float:
    """Seconds it took."""
    began = time.monotonic()
    while not question():
        assert time.monotonic() - began < seconds, "it did not happen in time"
        time.sleep(0.002)
    return time.monotonic() - began


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GuardHost]:
    shell: tuple[str, ...] = request.param
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed")
    env = dict(os.environ, RECONCILER_ROOT=str(tmp_path / "root"), RECONCILER_SH=" ".join(shell))
    guard = GuardHost(tmp_path / "root", shell, env)
    bin_dir = guard.root / "bin"
    bin_dir.mkdir(parents=True, mode=0o700)
    hook = bin_dir / "hook-test.sh"
    text = data_path("templates", "host", "hook.sh").read_text()
    interpreter = " ".join([shutil.which(shell[0]) or "", *shell[1:]])
    hook.write_text(text.replace("#!/bin/sh", f"#!{interpreter}", 1))
    hook.chmod(0o700)
    guard("hook", "web", "hook-test.sh", "tasks-of-web")
    yield guard
    for process in guard.victims:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
    for held in guard.root.glob("workloads/*/hook"):
        if not (held / "status").exists() and (held / "conf").exists():
            (held / "final").write_text("resume 0\n")
            (held / "verdict").write_text("resume 0\n")
            if (held / "runner").exists():
                pid = int((held / "runner").read_text().split()[0])
                wait_until(partial(_over, held, pid))


def _over(held: Path, pid: int) -> bool:
    return (held / "status").exists() or not process_state(pid)


@pytest.fixture
def state_of() -> Callable[[int], str]:
    return process_state


@pytest.fixture
def until() -> Callable[..., float]:
    return wait_until
