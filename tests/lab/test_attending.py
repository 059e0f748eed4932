"""`reconcile logs` and `exec` on real hosts: what a workload printed, and commands in it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from reconciler.lab import Lab
from tests.lab.repo import RECONCILE, Repo

pytestmark = pytest.mark.lab

TALKS = "i=0; while :; do echo line $i; i=$((i+1)); sleep 0.2; done"


def test_looking_at_a_workload_wherever_it_is(tmp_path: Path, clean_lab: Lab) -> None:
    repo = Repo(tmp_path, clean_lab)
    repo.counter(container={"command": ["/bin/sh", "-c", TALKS]}, health=None)
    repo.apply()
    repo.place("counter", "h2")
    repo.apply()
    said = repo.run("logs", "counter").stdout.splitlines()
    began = int(said[0].removeprefix("line "))
    assert said == [f"line {began + i}" for i in range(len(said))] and len(said) > 1
    assert len(repo.run("logs", "counter", "--tail", "2").stdout.splitlines()) == 2

    following = repo.start("logs", "counter", "--follow", "--tail", "1")
    assert following.stdout and following.stdout.readline() and following.stdout.readline()
    following.send_signal(signal.SIGINT)
    assert following.wait(timeout=30) == 130
    assert not following.stderr or "Traceback" not in following.stderr.read()
    head = f"{RECONCILE} logs counter --follow | head -n 1"
    told = subprocess.run(
        ["bash", "-c", head], cwd=tmp_path, env=repo.environment(), capture_output=True, text=True, timeout=60
    )
    assert told.stdout == f"{said[0]}\n"

    given = subprocess.run(
        [RECONCILE, "exec", "-i", "counter", "cat"],
        cwd=tmp_path,
        env=repo.environment(),
        input=bytes(range(256)) * 4096,
        capture_output=True,
        timeout=60,
    )
    assert given.stdout == bytes(range(256)) * 4096, "bytes go in and come out as they are"
    assert repo.run("exec", "counter", "sh", "-c", "hostname; exit 7", expect=7).stdout
    assert "no-such" in repo.run("exec", "counter", "no-such-program", expect=127).stderr

    ours, theirs = pty.openpty()
    words = [RECONCILE, "exec", "-it", "counter", "sh", "-c", "read x; test -t 0 && echo got $x"]
    talk = subprocess.Popen(
        words, cwd=tmp_path, env=repo.environment(), stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.write(ours, b"hello\r")
    seen = b""
    while b"got hello" not in seen:
        seen += os.read(ours, 1000)
    assert talk.wait(timeout=30) == 0
    os.close(ours)

    repo.lab.exec("h2", ["podman", "stop", "-t", "0", "counter"])
    assert "does not run" in repo.run("exec", "counter", "ls", expect=1).stderr
    assert said[0] in repo.run("logs", "counter").stdout
