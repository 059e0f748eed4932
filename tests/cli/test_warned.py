"""What goes wrong beside a command's work is told, whichever command it is. Fake: the hosts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.cli import main
from tests.cli.memory_fleet import two_hosts, want

COMMANDS = {
    "get": 0,
    "plan": 0,
    "plan --rehearse": 0,
    "apply --yes": 0,
    "status": 0,
    "resume": 0,
    "doctor": 0,
    "runtimes h1": 0,
    "resolve web --owner h1 --evidence seen": 1,
    "forget h1 --evidence seen": 1,
}


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("words", COMMANDS)
def test_a_trace_that_is_not_complete(
    words: str, as_json: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    two_hosts(tmp_path, monkeypatch)
    want(tmp_path, web="h1")
    assert main.run(["apply", "--yes"]) == 0
    capsys.readouterr()
    monkeypatch.setenv("RECONCILE_TRACE", "/dev/full")
    status = main.run([*words.split(), *(["--json"] if as_json else [])])
    said = capsys.readouterr()
    assert status == COMMANDS[words]
    told = "the trace /dev/full is not complete (No space left on device)"
    if words in ("apply --yes", "resume"):
        if as_json:
            (left,) = json.loads(said.out)["untidied"]
            assert (left["code"], left["message"]) == ("S605", told)
        else:
            assert told in said.out
        return
    assert said.err.count(f"warning[S605]: {told}") == 1
    if as_json:
        json.loads(said.out)
