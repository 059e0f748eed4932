"""Hosts that are fenced by programs of this machine: what that proves, and what it does not. Real: the programs,
and the command line. Fake: the hosts, in memory."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from reconciler.cli import main
from reconciler.errors import HostError
from reconciler.hosts.memory import Universe
from reconciler.hosts.memory.fleet import MemoryHost
from tests.cli.json_fences import FENCING, declare, program
from tests.cli.memory_fleet import two_hosts, want

FAILED = f"state: failed, {FENCING}"


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Universe:
    """`web` ran on h1, which is off, and is placed on h2 by now; `cut` notes that it was run."""
    made = two_hosts(tmp_path, monkeypatch)
    monkeypatch.setenv("RECONCILE_FENCING", str(tmp_path / "fencing"))
    want(tmp_path, web="h1")
    assert main.run(["apply", "--yes"]) == 0
    made.machines["h1"].up = False
    want(tmp_path, web="h2")
    program(tmp_path, "cut", f'echo "$@" >> {tmp_path}/cut')
    program(tmp_path, "is-off", f"grep -qs h1 {tmp_path}/cut && echo chassis power is off")
    return made


def planned(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    status = main.run(["plan"])
    return status, capsys.readouterr().out


def test_a_plan_says_what_would_be_evidence_and_fences_nothing(
    hosts: Universe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(tmp_path, FENCING)
    status, said = planned(capsys)
    assert status == 1 and "may be running on h1" in said and "or state: failed, and: reconcile fence h1" in said
    assert main.run(["fence", "h1"]) == 1  # nobody has declared it failed
    want(tmp_path, web="h2")
    declare(tmp_path, FAILED)
    status, said = planned(capsys)
    assert status == 1 and "its fencing does not confirm that it is off" in said
    assert "cut it off: reconcile fence h1; or say in the Host" in said
    assert not (tmp_path / "cut").exists()


def test_once_it_is_off_what_it_ran_comes_back(
    hosts: Universe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(tmp_path, FAILED)
    capsys.readouterr()
    assert main.run(["fence", "h1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["host"], told["said"]) == ("h1", "chassis power is off")
    assert (tmp_path / "cut").read_text() == "h1\n"
    status, said = planned(capsys)
    assert status == 0 and "it starts anew" in said  # no checkpoint of it is kept
    assert main.run(["apply", "--yes", "--json"]) == 0
    assert (tmp_path / "cut").read_text() == "h1\n"  # looks do not cut
    assert [c.state for c in hosts.machines["h2"].containers.values()] == ["running"]


def test_evidence_is_asked_for_anew(hosts: Universe, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declare(tmp_path, FAILED)
    assert main.run(["fence", "h1"]) == 0
    assert planned(capsys)[0] == 0
    (tmp_path / "cut").unlink()  # somebody has switched it on again, and it does not answer yet
    status, said = planned(capsys)
    assert status == 1 and "does not confirm" in said


BAD = {
    "no program": ("", "", "No such file"),
    "fails": ("echo no route to the PDU; exit 3", "exit 0", "it ended with status 3: no route to the PDU"),
    "is not off": (":", "echo power is on; exit 1", "it ended with status 1: power is on"),
    "hangs": ("sleep 60", "exit 0", "it did not end within 1 s"),
    "leaves another": ("sleep 60 & exit 2", "exit 0", "it did not end within 1 s"),
}


@pytest.mark.parametrize(("cut", "is_off", "why"), BAD.values(), ids=BAD)
def test_what_is_not_confirmed_is_no_evidence(
    hosts: Universe, tmp_path: Path, capsys: pytest.CaptureFixture[str], cut: str, is_off: str, why: str
) -> None:
    for name, text in (("cut", cut), ("is-off", is_off)):
        (tmp_path / "fencing" / name).unlink()
        if text:
            program(tmp_path, name, text)
    declare(tmp_path, FAILED.replace("5s", "1s"))
    began = time.monotonic()
    assert main.run(["fence", "h1"]) == 1
    assert time.monotonic() - began < 20
    said = capsys.readouterr().err
    assert "error[C386]" in said and why in said
    if is_off != "exit 0":
        assert planned(capsys)[0] == 1


def test_a_host_that_answers_keeps_its_power(
    hosts: Universe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(tmp_path, FAILED)
    hosts.machines["h1"].up = True
    assert main.run(["fence", "h1"]) == 1
    assert "error[P495]" in capsys.readouterr().err and not (tmp_path / "cut").exists()


@pytest.mark.parametrize("code", ["H202", "H203", "H204"])
def test_a_host_that_only_refuses_us_keeps_its_power(
    hosts: Universe,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    code: str,
) -> None:
    """Its key is another, or ours is not let in: it runs what it runs, and nobody has even asked it."""

    async def refuses(host: MemoryHost) -> None:
        raise HostError("nobody is let in", code=code, where=host.name)

    declare(tmp_path, FAILED)
    monkeypatch.setattr(MemoryHost, "reach", refuses)
    assert main.run(["fence", "h1"]) == 1
    said = capsys.readouterr().err
    assert "error[P495]: h1 is not known to be silent" in said and "nobody is let in" in said
    assert not (tmp_path / "cut").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("[/bin/sh, x]", "E105"),
        ("[../cut]", "E105"),
        ("['']", "E105"),
        ("[]", "E105"),
        ("['cut off']", "E105"),
    ],
)
def test_only_programs_of_the_folder_are_named(
    hosts: Universe, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, code: str
) -> None:
    declare(tmp_path, f"fencing: {{command: {words}, verify: [is-off]}}")
    assert main.run(["validate"]) == 4
    assert code in capsys.readouterr().err


def test_no_shell_reads_the_words(hosts: Universe, tmp_path: Path) -> None:
    declare(tmp_path, FAILED.replace("[cut, h1]", '[cut, "h1; touch made", "$(touch made)"]'))
    assert main.run(["fence", "h1"]) == 0
    assert (tmp_path / "cut").read_text() == "h1; touch made $(touch made)\n"
    assert "made" not in os.listdir(tmp_path)


def test_an_empty_folder_is_no_folder(hosts: Universe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the current one, and not wherever PATH leads."""
    declare(tmp_path, FAILED)
    monkeypatch.setenv("PATH", f"{tmp_path}/fencing:{os.environ['PATH']}")
    monkeypatch.setenv("RECONCILE_FENCING", "")
    assert main.run(["fence", "h1"]) == 1
    assert not (tmp_path / "cut").exists()


def test_codes_have_pages() -> None:
    for code in ("C386", "E211", "P495"):
        assert main.run(["explain", code]) == 0
