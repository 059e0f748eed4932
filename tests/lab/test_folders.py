"""Folders of bind mounts go along: there and back, back from a failed move, never over a stranger's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.lab import Lab
from tests.lab.repo import Repo, kill

pytestmark = pytest.mark.lab

SOURCE = "/srv/lab-counter/data"
FILL = f"""
    rm -rf /srv/lab-counter; mkdir -p {SOURCE}/deep; cd {SOURCE}
    echo kept >kept; chmod 640 kept; chown 1234:4321 kept; ln -s kept link; echo more >deep/file; chmod 750 .
"""
LOOK = f"cd {SOURCE} && cat kept deep/file later 2>/dev/null; stat -c '%n %a %u:%g' . kept link; readlink link"


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Repo:
    """A counter on h1 that mounts a folder with files."""
    repo = Repo(tmp_path, clean_lab)
    for host in ("h1", "h2", "h3"):
        repo.lab.exec(host, ["rm", "-rf", "/srv/lab-counter"])
    repo.lab.exec("h1", ["sh", "-c", FILL])
    repo.counter(container={"mounts": [{"source": SOURCE, "target": "/data", "move": True}]})
    repo.apply()
    return repo


def look(repo: Repo, host: str) -> str:
    return repo.lab.exec(host, ["sh", "-c", LOOK], check=False).stdout


def there(repo: Repo, host: str) -> bool:
    return repo.lab.exec(host, ["test", "-e", SOURCE], check=False).returncode == 0


def test_it_goes_along_and_comes_back(repo: Repo) -> None:
    saw = look(repo, "h1")
    assert "kept" in saw and ". 750 0:0" in saw
    for before, host in (("h1", "h2"), ("h2", "h1")):
        repo.place("counter", host)
        repo.apply()
        assert repo.running_on() == [host]
        assert look(repo, host) == saw and not there(repo, before)
        inside = repo.lab.exec(host, ["podman", "exec", "counter", "cat", "/data/deep/file"]).stdout
        assert inside == "more\n"
        saw = look(repo, host)
    repo.run("plan", "--detailed-exitcode")


def test_files_of_a_stranger_stay_as_they_are(repo: Repo) -> None:
    repo.lab.exec("h2", ["sh", "-c", f"mkdir -p {SOURCE}; echo mine >{SOURCE}/kept"])
    repo.place("counter", "h2")
    assert "mount.taken" in repo.run("plan", expect=None).stdout
    repo.apply(expect=None)
    assert repo.running_on() == ["h1"]
    assert repo.lab.exec("h2", ["cat", f"{SOURCE}/kept"]).stdout == "mine\n"
    assert look(repo, "h1").startswith("kept\nmore\n")


def test_a_move_that_goes_back_leaves_nothing_and_can_be_done_again(repo: Repo) -> None:
    repo.place("counter", "h2")
    saw = look(repo, "h1")
    repo.workloads["counter"]["health"] = {"tcp": {"port": 9009}, "within": "1s"}
    repo.write()
    repo.apply(expect=1)
    assert repo.running_on() == ["h1"] and look(repo, "h1") == saw and not there(repo, "h2")
    repo.workloads["counter"]["health"] = {"tcp": {"port": 9000}, "within": "5s"}
    repo.write()
    repo.apply_until("transfer ", kill, expect=-9)
    repo.run("resume")
    assert look(repo, *repo.running_on()) == saw
    assert sum(there(repo, host) for host in ("h1", "h2")) == 1
