"""Real: the scripts, run on this machine in a folder of the test's. Fake: the guard, and what is held."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from reconciler.criu import capturing
from reconciler.errors import CommandFailed
from reconciler.model.command import Program, Result

T = TypeVar("T")
GUARD = """#!/bin/sh
case $1 in
beat) echo '{"workload":"web","hook":"STATE","verdict":""}' ;;
resume) echo '{"outcome":"resumed","status":1,"waited_ms":1}' ;;
esac
"""
HELD = """echo '{"outcome":"held","status":null,"waited_ms":1}'"""


def here(program: Program[T]) -> T:
    """Run a program on this machine."""
    try:
        command = next(program)
        while True:
            done = subprocess.run(command.argv, input=command.stdin, capture_output=True, timeout=120)
            if done.returncode in command.ok:
                command = program.send(Result(done.returncode, done.stdout.decode(), done.stderr.decode()))
            else:
                said = done.stderr.decode()
                failed = CommandFailed("failed", exit_code=done.returncode, stderr=said)
                command = program.throw(failed)
    except StopIteration as ended:
        value: T = ended.value
        return value


@pytest.fixture
def capture(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs capture.sh over a folder; `meanwhile` is what the workload did after its files were archived."""

    def run(folder: Path, meanwhile: str = ":", state: str = "held") -> subprocess.CompletedProcess[str]:
        guard = tmp_path / "guard.sh"
        guard.write_text(GUARD.replace("STATE", state))
        words = ("web", "3", "run", str(guard), "/bin/sh", "-c", f"{meanwhile}\n{HELD}")
        argv = capturing.script("capture", str(folder), *words)
        return subprocess.run(argv, capture_output=True, text=True, timeout=120)

    return run
