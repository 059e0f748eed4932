"""Children that are forked while memory follows (templates/criu/serve.py, freezer.py), and whoever is killed then.
Real programs, a real userfaultfd and cgroups; CRIU is played."""

from __future__ import annotations

import os
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.core.pagemap import PAGE
from reconciler.resources import host_script
from tests.drivers.restored import Restored
from tests.drivers.served import KILLED, LATER, Server, crc, dumped, later, serves, wait_for


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """A dump's images on the source, split."""
    return dumped(tmp_path / "source")


@pytest.mark.parametrize("killed", [(), *KILLED[:2]], ids=" and ".join)
def test_a_child_that_is_forked_meanwhile_has_the_same_memory(
    tmp_path: Path, dump: Path, killed: tuple[str, ...]
) -> None:
    server = Server(tmp_path, dump)
    task = Restored(server.home, LATER)
    task.do("over")
    feed = server.feed()
    feed.word()
    feed.bring(dump, 0, 50)
    task.do("empty", 20, 10)
    task.say("fork", 0, 1000, LATER)
    time.sleep(0.2)
    if killed:
        server.kill(*killed)
        feed.close()
        feed = server.feed()
        feed.word()
    feed.bring(dump, 50, LATER - 50)
    expected = bytearray(later(dump))
    expected[20 * PAGE : 30 * PAGE] = bytes(10 * PAGE)
    assert task.answer() == zlib.crc32(expected)
    assert server.status() == "0"
    task.end()
    server.end()


READS = "said = os.read(fd, MESSAGE.size)\n"
DIES = """
            if said[0] == FORK and not os.path.exists("../struck"):
                open("../struck", "w").close()
                os.kill(os.getpid(), 9)
"""


@pytest.fixture
def cgroups(tmp_path: Path) -> Iterator[Path]:
    """A hierarchy of cgroups that can freeze."""
    (folder := tmp_path / "cgroups").mkdir()
    if subprocess.run(["mount", "-t", "cgroup2", "none", str(folder)], check=False).returncode:
        pytest.skip("cgroup2 cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def own(cgroups: Path) -> Iterator[Path]:
    """A cgroup for a task."""
    (own := cgroups / f"reconciler-test-{os.getpid()}").mkdir()
    yield own
    wait_for(lambda: not (own / "cgroup.procs").read_text())
    own.rmdir()


@pytest.mark.parametrize("frozen", [True, False], ids=["can-freeze", "cannot-freeze"])
def test_a_child_of_which_nobody_noted_reads_no_zeros(
    tmp_path: Path, dump: Path, cgroups: Path, own: Path, frozen: bool
) -> None:
    """The page server is killed between hearing of a fork and noting it; with it goes the child's userfaultfd."""
    program = host_script("criu", "serve", "py")
    assert program.count(READS) == 1
    pattern = f"/{own.name}(/|$)" if frozen else "/another(/|$)"
    server = Server(tmp_path, dump, pattern, program=program.replace(READS, READS + DIES), cgroups=str(cgroups))
    task = Restored(server.home, LATER)
    (own / "cgroup.procs").write_text(str(task.process.pid))
    task.do("over")
    time.sleep(0.3)
    task.say("fork", 0, 0, LATER)
    assert server.status() == "3"
    assert "killed while it heard" in server.log.read_text()
    assert task.answers(0.5) != frozen, "zeros, where nothing keeps the child from running"
    (own / "cgroup.kill").write_text("1")
    task.end()
    wait_for(lambda: not serves(server.home))


def test_tasks_are_frozen_for_no_longer_than_it_takes_to_note_that_one_was_forked(
    tmp_path: Path, dump: Path, cgroups: Path, own: Path
) -> None:
    server = Server(tmp_path, dump, f"/{own.name}(/|$)", cgroups=str(cgroups))
    task = Restored(server.home, LATER)
    (own / "cgroup.procs").write_text(str(task.process.pid))
    task.do("over")
    feed = server.feed()
    feed.word()
    for _ in range(20):
        task.say("fork", 0, 0, 0)
        assert task.answer() == 0
        task.do("empty", 0, 1)
    assert (own / "cgroup.freeze").read_text() == "0\n"
    feed.bring(dump, 0, LATER)
    assert server.status() == "0"
    assert task.do("sum", 1, LATER - 1) == crc(dump, 1, LATER - 1)
    task.end()
