"""Memory that follows a lazy restore: whoever serves it may die, and nobody ever reads zeros."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.lab import Lab
from reconciler.lab.probe import PORT
from tests.lab.repo import Repo

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
MEMORY = 512
STRIKE = """
# The page daemon is let go in short bursts until so many MiB are there; then it is struck.
cd /var/lib/containers/storage/overlay-containers || exit
rm -f /run/struck
for round in $(seq 30000); do
    for file in */userdata/keeper.pid; do [ ! -s "$file" ] || break 2; done
    sleep 0.005
done
cd "${file%/*}" && read -r daemon < lazy-pages.pid && read -r keeper < keeper.pid || exit
for round in $(seq 30000); do
    # Not pgrep: it reads the task's memory, and waits for it. Not before tasks run: CRIU's daemon would end.
    for task in /proc/[0-9]*; do read -r comm < $task/comm && [ "$comm" != counter ] || break; done
    [ "$comm" = counter ] && read -r _ rss _ < $task/statm && [ "$rss" -ge 200 ] && break
done
for round in $(seq 30000); do
    kill -STOP $daemon || exit
    read -r _ rss _ < $task/statm
    if [ "$rss" -ge $((GOAL * 256)) ]; then echo "$rss" > /run/struck; kill -CONT $daemon; STRUCK; exit; fi
    kill -CONT $daemon; sleep 0.002
done
"""


class Sums:
    """A client that asks for the checksum of the workload's memory all the time, and keeps every answer."""

    def __init__(self, address: str) -> None:
        self.seen: list[str] = []
        self._address = address
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Sums:
        self._thread.start()
        deadline = time.monotonic() + 30
        while not self.seen and time.monotonic() < deadline:
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            with suppress(OSError), socket.create_connection((self._address, PORT), timeout=5) as client:
                client.settimeout(30)
                while not self._over.is_set():
                    client.sendall(b"sum\n")
                    if not (answer := client.recv(100)):
                        break
                    self.seen.append(answer.decode())


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Repo:
    return Repo(tmp_path, clean_lab)


def test_a_staged_container_that_somebody_removed_is_said_and_the_source_goes_on(repo: Repo) -> None:
    address = repo.counter()
    repo.apply()
    repo.place("counter", "h2")
    with Sums(address) as sums:
        output, _ = repo.apply_until(
            "+ counter: transfer", lambda _: repo.lab.exec("h2", ["podman", "rm", "-f", "counter"]), expect=1
        )
        assert repo.running_on() == ["h1"]
        answers, deadline = len(sums.seen), time.monotonic() + 30
        while len(sums.seen) < answers + 3 and time.monotonic() < deadline:
            time.sleep(0.1)
    # It may go at any moment of the restore, which says what it misses, or right after it.
    said = r"restore on h2 .*(no such container|was it removed|No such file)|confirm on h2 .*it is gone"
    assert re.search(said, output), output
    assert len(set(sums.seen)) == 1 and len(sums.seen) > answers
    repo.apply()
    assert repo.running_on() == ["h2"]


@pytest.mark.parametrize(
    ("goal", "struck", "ends_on"),
    [
        (1, "kill -9 $daemon", "h1"),
        (MEMORY // 2, "kill -9 $daemon", "h1"),
        (MEMORY - 40, "kill -9 $daemon", "h1"),
        (MEMORY // 2, "kill -STOP $daemon; sleep 30; kill -CONT $daemon", "h2"),
        (MEMORY // 2, "kill -9 $keeper", "h2"),
    ],
    ids=["begin", "half", "end", "daemon-stops-30-s", "keeper"],
)
def test_memory_is_never_zeros(repo: Repo, goal: int, struck: str, ends_on: str) -> None:
    lab = repo.lab
    address = repo.counter(memory=MEMORY)
    repo.apply()
    repo.place("counter", "h2")
    start = "cat > /run/strike; setsid sh /run/strike </dev/null >/run/strike.log 2>&1 &"
    lab.exec("h2", ["sh", "-c", start], input=STRIKE.replace("GOAL", str(goal)).replace("STRUCK", struck))
    with Sums(address) as sums:
        done = repo.apply(expect=None)
        answers = len(sums.seen)
        deadline = time.monotonic() + 150
        while len(sums.seen) < answers + 3 and time.monotonic() < deadline:
            time.sleep(0.1)
    assert lab.exec("h2", ["cat", "/run/struck"]).stdout.strip(), lab.exec("h2", ["cat", "/run/strike.log"]).stdout
    assert repo.running_on() == [ends_on], done.stdout
    assert done.returncode == (0 if ends_on == "h2" else 1)
    assert ("not all memory of counter arrived" in done.stdout) == (ends_on == "h1")
    assert len(set(sums.seen)) == 1, sums.seen
    assert len(sums.seen) > answers, "it answers again"
    time.sleep(1.1)  # a keeper looks once a second whether its container is gone
    assert lab.exec("h2", ["pgrep", "-a", "criu|perl"], check=False).stdout == ""


def test_memory_follows_also_where_a_stack_pointer_begins_a_page(repo: Repo, tmp_path: Path) -> None:
    """CRIU takes every page for a stack then, and would restore all before the process runs."""
    program = tmp_path / "spin"
    subprocess.run(["gcc", "-static", "-O1", "-o", program, Path(__file__).parent / "spin.c"], check=True)
    for host in ("h1", "h2"):
        argv = repo.lab.exec_argv(host, ["sh", "-c", "cat >/srv/spin; chmod 755 /srv/spin"])
        subprocess.run(argv, input=program.read_bytes(), check=True)
    mounts = [{"source": "/srv/spin", "target": "/spin", "readOnly": True}]
    repo.counter(container={"command": ["/spin"], "mounts": mounts})
    del repo.workloads["counter"]["health"]
    repo.write()
    repo.apply()
    repo.place("counter", "h2")
    repo.apply()
    time.sleep(1)
    assert repo.running_on() == ["h2"], "its memory is what it was"
    log = "cat /var/lib/containers/storage/overlay-containers/*/userdata/restore.log"
    lazy = re.findall(r"nr_lazy: +(\d+)", repo.lab.exec("h2", ["sh", "-c", log]).stdout)
    assert sum(map(int, lazy)) > 64 * 256
