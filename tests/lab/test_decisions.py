"""What only a person decides, on real hosts: two names of one machine, a source that is gone, and what is well."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from reconciler.lab import Lab
from tests.lab.repo import Repo, kill

pytestmark = pytest.mark.lab


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Repo:
    return Repo(tmp_path, clean_lab)


def test_two_specs_of_one_machine_are_refused_by_both_names(repo: Repo) -> None:
    repo.counter()
    repo.apply()
    path = repo.folder / "specs" / "hosts.yaml"
    documents = list(yaml.safe_load_all(path.read_text()))
    known = next(d for d in documents if d["metadata"]["name"] == "h1")
    another = str(repo.lab.subnet[90])
    device = f"ip -o -4 address | awk '/ {known['spec']['address']}\\// {{print $2}}'"
    add = f"{device} | xargs ip address add {another}/24 dev"
    repo.lab.exec("h1", ["sh", "-c", add])
    again = known | {"metadata": {"name": "h1-again"}, "spec": known["spec"] | {"address": another}}
    path.write_text(yaml.safe_dump_all([*documents, again]))
    told = repo.run("status").stdout
    assert "h1: it is the same machine as h1-again" in told
    assert "h1-again: it is the same machine as h1" in told
    assert "copies run" not in repo.run("plan", expect=None).stdout
    assert repo.running_on() == ["h1"]


def test_what_is_well_is_not_decided_about(repo: Repo) -> None:
    repo.counter()
    repo.apply()
    repo.place("counter", "h2")
    repo.apply()
    for owner in ("h1", "h2"):
        done = repo.run("resolve", "counter", "--owner", owner, "--evidence", "none", expect=1)
        assert "nothing is in doubt about counter" in done.stderr
        assert "it runs on h2" in done.stderr
    assert repo.running_on() == ["h2"]
    repo.run("status")


def test_a_source_that_is_gone_for_good_is_forgotten_and_held_when_it_comes_back(repo: Repo) -> None:
    repo.counter()
    repo.apply()
    repo.place("counter", "h2")
    repo.apply_until("confirm", kill, expect=-9)
    repo.lab.kill_host("h1")
    resumed = repo.run("resume", expect=1)
    assert "owned by h2" in resumed.stdout
    assert "reconcile forget h1 --evidence TEXT" in resumed.stdout
    assert "belongs to h2" in repo.run("forget", "h1", "--evidence", "scrapped").stdout
    repo.run("status")
    assert repo.running_on() == ["h2"]
    Lab.up(repo.lab.name)
    assert repo.running_on() == ["h2"]
    standing = repo.json("status", expect=None)["unfinished"]
    if standing:
        repo.run(*standing[0]["next"].replace("TEXT", "seen").split()[1:])
    repo.run("status")
    assert repo.running_on() == ["h2"]
