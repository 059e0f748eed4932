"""`get` in its shapes, and what is selected. Fake: the hosts."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import yaml

from reconciler.cli import main
from reconciler.core.selecting import selector, selects
from reconciler.hosts.memory import Universe
from tests.cli.memory_fleet import two_hosts, want


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Universe:
    made = two_hosts(tmp_path, monkeypatch)
    want(tmp_path, web="h1", db="h2")
    specs = tmp_path / "specs" / "all.yaml"
    specs.write_text(specs.read_text().replace("{name: web}", "{name: web, labels: {team: a}}"))
    assert main.run(["apply", "--yes"]) == 0
    capsys.readouterr()
    return made


def printed(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert main.run(["get", *words]) == status
    return capsys.readouterr().out


def test_names_are_for_other_commands(hosts: Universe, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "-o", "name") == "workload/db\nworkload/web\n"
    assert printed(capsys, "-o", "name", "-l", "team=a") == "workload/web\n"
    assert printed(capsys, "-o", "name", "--host", "h2") == "workload/db\n"
    assert printed(capsys, "-o", "name", "-l", "team=b").strip() == ""


def test_yaml_and_json_are_one_document(hosts: Universe, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(printed(capsys, "-o", "json"))
    assert [row["name"] for row in document["workloads"]] == ["db", "web"]
    assert [row["image"] for row in document["workloads"]] == ["app", "app"]
    assert yaml.safe_load(printed(capsys, "-o", "yaml")) == document == json.loads(printed(capsys, "--json"))


def test_wide_has_more_columns(hosts: Universe, capsys: pytest.CaptureFixture[str]) -> None:
    head, first, *_ = printed(capsys, "-o", "wide").splitlines()
    assert head.split()[-3:] == ["RUNTIME", "IMAGE", "ADDRESSES"] and first.split()[-3:] == ["podman", "app", "-"]
    assert "RUNTIME" not in printed(capsys)


POLICY = """
---
apiVersion: reconciler/v1alpha1
kind: CheckpointPolicy
metadata: {name: hourly}
spec: {every: 1h}
"""


def test_what_is_saved_by_policy_says_how_long_ago(
    hosts: Universe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "SAVED" not in printed(capsys)
    specs = tmp_path / "specs" / "all.yaml"
    text = specs.read_text().replace(
        "placement: {host: h1}", "placement: {host: h1}\n  checkpoints: {policy: hourly}"
    )
    specs.write_text(text + POLICY)
    head, db, web, *_ = printed(capsys).splitlines()
    assert head.split()[-1] == "SAVED" and db.split()[-1] == "-" and web.endswith("never, too old")
    rows = {row["name"]: row["recoveryPoint"] for row in json.loads(printed(capsys, "--json"))["workloads"]}
    late = {
        "policy": "hourly",
        "ageS": None,
        "oldestS": 7200.0,
        "late": True,
        "unknownHosts": [],
    }
    assert rows == {"db": None, "web": late | {"rehearsal": None}}
    assert main.run(["plan", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert (found["code"], found["severity"]) == ("recovery-point", "warning")
    hosts.machines["h2"].up = False
    assert "never, or later" in printed(capsys)
    assert main.run(["explain", "recovery-point"]) == 0


def test_watching_shows_changes_only(
    hosts: Universe, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0

    async def sleep(seconds: float) -> None:
        nonlocal looked
        looked += 1
        if looked == 3:
            next(iter(hosts.machines["h1"].containers.values())).state = "exited"
        if looked == 6:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("reconciler.commands.app.asyncio", type("Quick", (), {"sleep": staticmethod(sleep)}))
    assert main.run(["get", "--watch"]) == 130
    shown = capsys.readouterr().out
    assert shown.count("NAME") == 2 and "exited on h1" in shown.rpartition("NAME")[2]


@pytest.mark.parametrize(
    "words", [["-l", "a=b=c"], ["-l", "!a=b"], ["--host", "h9"], ["--watch", "--json"], ["-o", "xml"]]
)
def test_what_makes_no_sense(hosts: Universe, words: list[str]) -> None:
    assert main.run(["get", *words]) == 4


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        *((text, True) for text in ("", "a=1", "a==1", "a!=2", "c!=2", "a", "!c", "a=1,b=2", "e=", "x.y/z=1")),
        *((text, False) for text in ("a=2", "!a", "a=1, b=3", "c=", "c", "a!=1")),
    ],
)
def test_selectors(text: str, holds: bool) -> None:
    assert selects(selector(text), {"a": "1", "b": "2", "e": "", "x.y/z": "1"}) == holds
