"""Images of a source on its disk while their memory follows (templates/criu/persist.sh): what a loss of power
leaves of them, and what is served from there. Real scripts and processes; power is lost by emptying the folder
that would be memory."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.core.pagemap import PAGE
from reconciler.criu import persisting
from reconciler.model.world import OnDisk
from reconciler.resources import host_script
from tests.drivers.restored import Restored
from tests.drivers.served import EAGER, Server, crc, dumped, feeding, looked, wait_for, whole

RUN = "20261127-run"
PART = 16 * 2**20
PAGES = 3 * PART // PAGE - EAGER
"""So that there are three parts of pages on disk."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A source's, with images."""
    home = tmp_path / "held"
    dumped(home / "checkpoint", PAGES)
    state = home / "checkpoint" / "state"
    state.mkdir(mode=0o700)
    (state / "rights").write_text("whose it is")
    yield home
    unmount(home)


def persist(home: Path, how: str = "write", run: str = RUN) -> subprocess.CompletedProcess[str]:
    words = ("persist", str(home), run, host_script("criu", "persist", "py"), how)
    argv = ["/bin/sh", "-c", host_script("criu", "persist"), *words]
    return subprocess.run(argv, check=False, capture_output=True, text=True)


def unmount(home: Path) -> None:
    argv = ["/bin/sh", "-c", host_script("criu", "unmount"), "unmount", str(home / "checkpoint")]
    subprocess.run(argv, check=True)


def told(home: Path) -> OnDisk | None:
    return persisting.told(looked(home / "checkpoint").stdout)


def written(home: Path) -> None:
    persist(home).check_returncode()
    sums, shown = home / "persisted" / "sums", home / "persist.disk"
    wait_for(lambda: sums.exists() and b"whole" in sums.read_bytes() and len(set(shown.read_text().split())) == 1)


def lose_power(home: Path) -> None:
    """Processes are gone, and with them what was in memory."""
    with_pid = home / "persist.pid"
    if with_pid.exists():
        wait_for(lambda: not Path("/proc", with_pid.read_text().strip()).exists())
    shutil.rmtree(home / "checkpoint")
    (home / "checkpoint").mkdir()


def everything(images: Path) -> dict[str, bytes]:
    files = (path for path in images.rglob("*") if path.is_file() and path.name not in ("from-disk", "sums"))
    return {str(path.relative_to(images)): path.read_bytes() for path in files}


def test_what_is_on_disk_takes_the_place_of_what_was_in_memory(home: Path) -> None:
    before = everything(home / "checkpoint")
    written(home)
    assert told(home) == OnDisk(total := sum(map(len, before.values())), total)
    lose_power(home)
    assert whole(home / "checkpoint"), "its images are a way back, wherever they are"
    for _ in range(2):
        persist(home, "back").check_returncode()
        assert everything(home / "checkpoint") == before
        assert (home / "checkpoint" / "state").stat().st_mode & 0o777 == 0o700
    assert whole(home / "checkpoint") and not (home / "persisted").exists()
    persist(home).check_returncode()
    assert not (home / "persisted").exists(), "they are on disk"


def test_power_that_is_lost_before_anything_was_written_leaves_nothing(home: Path) -> None:
    lose_power(home)
    done = persist(home)
    assert done.returncode == 66 and "none of its images are on disk" in done.stderr
    assert not whole(home / "checkpoint")


def test_what_another_move_has_left_is_not_taken(home: Path) -> None:
    written(home)
    lose_power(home)
    assert persist(home, run="another").returncode == 66
    assert not (home / "checkpoint" / "first").exists()


@pytest.mark.parametrize("parts", [0, 1, 2])
def test_of_what_was_not_written_to_its_end_the_parts_that_were_are_there(home: Path, parts: int) -> None:
    before = (home / "checkpoint" / "pages-1.img").read_bytes()
    written(home)
    sums = home / "persisted" / "sums"
    lines = sums.read_bytes().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if b'pages-1.img", ' in line)
    torn = lines[first + parts][:-9]
    sums.write_bytes(b"".join(lines[: first + parts]) + torn)
    os.truncate(home / "persisted" / "pages-1.img", len(before))
    lose_power(home)
    assert not whole(home / "checkpoint")
    persist(home).check_returncode()
    assert not whole(home / "checkpoint"), "no copy of the workload"
    kept = told(home)
    assert kept is not None and kept.of - kept.written == (3 - parts) * PART
    there = (home / "checkpoint" / "pages-1.img").read_bytes()
    assert there[(3 - parts) * PART :] == before[(3 - parts) * PART :], "from the end"


def test_a_part_whose_sum_differs_is_none(home: Path) -> None:
    written(home)
    with (home / "persisted" / "pages-1.img").open("r+b") as pages:
        pages.seek(PART + 5)
        pages.write(b"rotten")
    lose_power(home)
    persist(home).check_returncode()
    kept = told(home)
    assert kept is not None and kept.of - kept.written == PART
    assert not whole(home / "checkpoint")


def test_a_map_whose_sum_differs_leaves_nothing(home: Path) -> None:
    written(home)
    (home / "persisted" / "inventory.img").write_bytes(b"y")
    lose_power(home)
    done = persist(home)
    assert done.returncode == 66 and "inventory.img is not on disk as it was" in done.stderr


def test_images_that_were_on_disk_when_power_was_lost_are_not_trusted(home: Path) -> None:
    """They may not have been written to their end, which nothing of them says."""
    assert whole(home / "checkpoint")
    (home / "checkpoint" / "boot").write_text("another one\n")
    assert not whole(home / "checkpoint")
    assert persist(home).returncode == 66


def test_images_on_disk_are_not_written_twice(home: Path) -> None:
    """Where there was too little memory for them; but their sums are, and that they are all there."""
    written(home)
    twice = [home / name / "pages-1.img" for name in ("checkpoint", "persisted")]
    assert len({path.stat().st_ino for path in twice}) == 1
    (home / "checkpoint" / "boot").write_text("another one\n")
    persist(home).check_returncode()
    assert whole(home / "checkpoint")


IN_MEMORY = """
mount -t tmpfs -o size=100m tmpfs "$1" && mkdir "$1/checkpoint" && mount -t tmpfs tmpfs "$1/checkpoint" &&
truncate -s 40M "$1/checkpoint/pages-1.img" && : >"$1/checkpoint/first" || exit 99
/bin/sh -c "$2" persist "$1" run "$3" write
status=$?
ls "$1"
exit $status
"""


def test_the_disk_of_others_is_not_filled(tmp_path: Path) -> None:
    """Of 100 MiB, 40 would be needed."""
    (home := tmp_path / "small").mkdir()
    words = (str(home), host_script("criu", "persist"), host_script("criu", "persist", "py"))
    argv = ["unshare", "--mount", "/bin/sh", "-c", IN_MEMORY, "sh", *words]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode == 4, done
    assert "bytes of disk are free" in done.stderr
    assert done.stdout.split() == ["checkpoint"]


def test_memory_goes_on_to_follow_from_the_disk(home: Path, tmp_path: Path) -> None:
    """Its source has lost power before any page was sent."""
    written(home)
    images = home / "checkpoint"
    server = Server(tmp_path, images)
    task = Restored(server.home, PAGES)
    task.do("over")
    task.say("sum", PAGES - 1, 1)
    want = crc(images, PAGES - 1, 1)
    lose_power(home)
    persist(home).check_returncode()
    feed = feeding(images, server)
    assert task.answer() == want
    server.restored()
    assert feed.wait(timeout=60) == 0 and server.status() == "0"
    assert task.do("sum", 0, PAGES) == crc(images, 0, PAGES)
    task.end()
    server.end()


def test_what_is_lost_is_said_and_nobody_reads_anything_else(home: Path, tmp_path: Path) -> None:
    written(home)
    images = home / "checkpoint"
    server = Server(tmp_path, images)
    task = Restored(server.home, PAGES)
    task.do("over")
    want = crc(images, PAGES - 100, 100)
    with (home / "persisted" / "pages-1.img").open("r+b") as pages:
        pages.write(b"rotten")  # the first part
    lose_power(home)
    persist(home).check_returncode()
    feed = feeding(images, server)
    server.restored()
    missing = PART - EAGER * PAGE
    wait_for(lambda: looked(server.images).stdout.split()[:2] == ["missing", str(missing)], within=60)
    kept = told(home)
    assert kept is not None and kept.lost == missing
    assert task.do("sum", PAGES - 100, 100) == want
    task.say("sum", 0, 1)
    assert not task.answers(0.5), "it stands still"
    feed.kill()
    feed.wait()
    task.end()
    server.end()


def test_two_who_ask_have_one_writer_and_images_that_go_end_it(home: Path) -> None:
    stopped = home / "persist.pid"
    for _ in range(3):
        persist(home).check_returncode()
    first = stopped.read_text()
    with suppress(ProcessLookupError):
        os.kill(int(first), signal.SIGSTOP)
    persist(home).check_returncode()
    assert stopped.read_text() == first
    unmount(home)
    assert not list(home.iterdir())
    wait_for(lambda: not Path("/proc", first.strip()).exists())
