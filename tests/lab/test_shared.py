"""Storage that both hosts mount (`shared: true`): nothing is copied, open files stay the same files with the same
inode numbers, and other storage is found before the freeze. Real: hosts, Podman, CRIU, one file system."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.lab import Lab
from tests.lab import sharing
from tests.lab.repo import Repo

pytestmark = pytest.mark.lab

AT = "/mnt/shared"
REMEMBERS = """
    echo 0 >/data/base; was=$(stat -c %i /data/base); exec 3<>/data/base
    while :; do
        now=$(stat -c %i /data/base)
        if [ $now = $was ]; then echo wrote >>/data/log; else echo moved >>/data/log; fi
        sleep 0.2
    done
"""
"""As SQLite does with a rollback journal: it writes only while its file has the number it had."""


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Iterator[Repo]:
    storage = tmp_path / "storage"
    storage.mkdir()
    sharing.mount(clean_lab, storage, AT)
    repo = Repo(tmp_path, clean_lab)
    mount = {"source": AT, "target": "/data", "shared": True}
    repo.counter(container={"command": ["sh", "-c", REMEMBERS], "mounts": [mount]})
    del repo.workloads["counter"]["health"]
    repo.write()
    yield repo
    clean_lab.exec("h1", ["podman", "rm", "-af", "-t", "0"])
    clean_lab.exec("h2", ["podman", "rm", "-af", "-t", "0"])
    sharing.unmount(clean_lab, AT)


def test_open_files_stay_what_they_are(repo: Repo, tmp_path: Path) -> None:
    repo.apply()
    storage = tmp_path / "storage"
    number = (storage / "base").stat().st_ino
    for host in ("h2", "h1"):
        repo.place("counter", host)
        said = repo.apply()
        assert "mount.stays" not in said.stdout
        assert repo.running_on() == [host]
        assert (storage / "base").stat().st_ino == number
    assert set((storage / "log").read_text().split()) == {"wrote"}
    assert {entry.name for entry in storage.iterdir()} == {"base", "log"}, "the file of the proof is gone"


def test_another_folder_there_is_found_before_the_freeze(repo: Repo, tmp_path: Path) -> None:
    repo.apply()
    repo.lab.exec("h2", ["umount", AT])
    repo.place("counter", "h2")
    said = repo.apply(expect=None)
    assert said.returncode in (1, 4), said.stdout  # the plan sees another inode, or the step that proves it does
    assert "is not the" in said.stdout + said.stderr
    assert repo.running_on() == ["h1"]
    assert {entry.name for entry in (tmp_path / "storage").iterdir()} == {"base", "log"}
