"""Fencing a destination whose Podman does not answer: what the kernel says is enough, and the source waits little.
Fake: the host, which answers from a table."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reconciler.criu.tasks import Tasks, stop_pages_argv
from reconciler.errors import CommandFailed, ReplyLost
from reconciler.model.command import Command, Result
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.plan import Move
from reconciler.model.spec import Cutover, MigrationPolicySpec, Strategy, Workload
from reconciler.runtimes.base import Handover
from reconciler.runtimes.podman import PodmanDriver, parse

RECORDED = json.loads((Path(__file__).parent / "data" / "podman-inspect-running.json").read_text())["output"]
FACTS = parse.containers(RECORDED)[0]
NAME = FACTS.labels[LABEL_WORKLOAD]


def handover() -> Handover:
    workload = Workload.model_validate(
        {
            "apiVersion": "reconciler/v1alpha1",
            "kind": "Workload",
            "metadata": {"name": NAME},
            "spec": {"container": json.loads(FACTS.labels[LABEL_SPEC]), "placement": {"host": "h2"}},
        }
    )
    move = Move(
        workload=NAME,
        source="h1",
        destination="h2",
        container_id="c" * 64,
        image_id=FACTS.image_id,
        epoch=4,
        cutover=Cutover.TRANSACTIONAL,
        strategy=Strategy.COLD,
        oci_runtime="runc",
    )
    return Handover(workload, move, MigrationPolicySpec(), "run1")


def scripts(command: Command) -> str:
    """Names of the host scripts and programs in an argument list."""
    return " ".join(word for word in command.argv if "\n" not in word)


def fenced(*, noted: bool = True, lives: str = "", spoke: int = 1) -> tuple[bool, float, list[str]]:
    """What `fence_off` answers on a host whose Podman hangs, the seconds it waited for that, and what it asked."""
    program: Any = PodmanDriver().fence_off(handover(), 5)
    waited, answer = 0.0, None
    asked: list[str] = []
    error: Exception | None = None
    while True:
        try:
            command = program.throw(error) if error else program.send(answer)
        except StopIteration as stop:
            return stop.value, waited, asked
        words, error = scripts(command), None
        asked.append(words)
        if command.argv[:1] == ("podman",):
            waited += command.timeout
            error = ReplyLost("no answer", where="h2")
        elif command.argv[0] == "cat" and noted:
            answer = Result(0, RECORDED, "", 0.0)
        elif command.argv[0] == "cat":
            answer = Result(1, "", "", 0.0)
        elif " end " in words:
            answer = Result(0, lives, "", 0.0)
        elif " spoke " in words:
            answer = Result(spoke, "", "", 0.0)
        else:
            answer = Result(0, "", "", 0.0)


@pytest.mark.parametrize("spoke", [0, 1])
def test_the_kernel_has_proved_that_nothing_runs(spoke: int) -> None:
    """Whether clients may have heard of it is known without Podman, too; and nobody serves pages any more."""
    answered, waited, asked = fenced(spoke=spoke)
    assert answered is (spoke == 0)
    assert waited == PodmanDriver.WHEN_ENDED < PodmanDriver.LOOK_LIMIT
    assert any(" stop-pages " in words for words in asked)


def test_nothing_is_kept_away_from_the_addresses_any_more(tmp_path: Path) -> None:
    """A restore that was killed in its middle does not end that; the next move's client would not be heard."""
    program, home = tmp_path / "bin/nft", tmp_path / "home"
    program.parent.mkdir()
    home.mkdir()
    program.write_text(f'#!/bin/sh\nshift\ncat "$1" >>{tmp_path}/told\n')
    program.chmod(0o755)
    (home / "unshield").write_text("delete table inet x\n")
    argv = stop_pages_argv(Tasks(str(home), "libpod-none"))
    for _ in range(2):
        path = f"{program.parent}:{os.environ['PATH']}"
        subprocess.run(argv, check=True, timeout=60, env={"PATH": path}, capture_output=True)
    assert (tmp_path / "told").read_text() == "delete table inet x\n"
    assert not (home / "unshield").exists()


def test_something_lives_nevertheless() -> None:
    with pytest.raises((CommandFailed, ReplyLost)):
        fenced(lives="7 app\n")


def test_nothing_was_noted() -> None:
    with pytest.raises((CommandFailed, ReplyLost)):
        fenced(noted=False)
