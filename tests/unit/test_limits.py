"""Input that is too much: refused before it costs anything, in a few lines, never with an internal error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.commands.planfile import read_plan
from reconciler.errors import CommandFailed, HostError, InputError, ReconcilerError
from reconciler.load import load
from reconciler.load.limits import MAX_SHOWN

MEGABYTE = "x" * 2**20
HOST = "apiVersion: reconciler/v1alpha1\nkind: Host\nmetadata: {name: h1}\nspec: {address: 192.0.2.1}\n"
WORKLOAD = """---
apiVersion: reconciler/v1alpha1
kind: Workload
metadata: {name: web}
spec:
  placement: {host: h1}
  container: {image: "a:1", %s}
"""


def refusal(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        load([path])
    return caught.value


def test_a_plan_file_of_half_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    with path.open("wb") as file:
        file.truncate(500 * 2**20)
    with pytest.raises(InputError, match="larger than") as caught:
        read_plan(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, '{"version": 1, "digest": "", "content": ' + "[" * 990]
)
def test_a_plan_file_nested_without_end(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(InputError, match="not a plan file"):
        read_plan(path)


@pytest.mark.parametrize(
    "field",
    [
        f"workdir: {MEGABYTE}",
        f'limits: {{memory: "{MEGABYTE}"}}',
        f'"{MEGABYTE}": 1',
        f"restart: {MEGABYTE}",
        f'annotations: {{"{MEGABYTE}": a}}',
        f'networks: [{{name: lan, ip: "{MEGABYTE}"}}]',
        f'env: {{"-{MEGABYTE}": a}}',
        f'mounts: [{{source: "/{MEGABYTE}", target: "/{MEGABYTE}"}}]',
    ],
    ids=lambda text: text[:9].strip('"{'),
)
def test_messages_repeat_little_of_what_they_are_about(tmp_path: Path, field: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(HOST + WORKLOAD % field)
    for found in refusal(path).diagnostics:
        assert len(found.message + found.hint) < 2000
        assert len(found.source_line) < 20_000


def test_many_findings_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(HOST + WORKLOAD % ("env: {" + ", ".join(f"a-{n}: x" for n in range(5000)) + "}"))
    error = refusal(path)
    assert len(error.diagnostics) == MAX_SHOWN
    assert error.what == "5000 errors in 1 file; the first 200 are shown, 4800 more are not"


def test_errors_are_short_and_command_no_terminal() -> None:
    hostile = "\x1b[2J\x07\u202e\x9b" + MEGABYTE
    for error in (
        ReconcilerError(hostile, where=hostile, why=hostile, fix=hostile),
        HostError(hostile),
        CommandFailed("x", stderr=hostile, log_tail=hostile),
    ):
        text = f"{error}{error.fix}{getattr(error, 'stderr', '')}{getattr(error, 'log_tail', '')}"
        assert len(text) < 150_000
        assert not set("\x1b\x07\u202e\x9b") & set(text)


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "XDG_STATE_HOME": str(cwd / "state"), "NO_COLOR": "1"}
    argv = [sys.executable, "-c", "from reconciler.cli.entry import main; main()", *words]
    return subprocess.run(
        argv, cwd=cwd, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )


@pytest.mark.parametrize(
    "words",
    [
        ("validate", "."),
        ("validate", "loop"),
        ("validate", "loop.yaml"),
        ("init", "loop"),
        ("checkpoints", "show", "loop"),
        ("apply", "loop"),
        ("history", "--journal", "loop/journal"),
    ],
    ids=" ".join,
)
def test_links_in_a_circle(tmp_path: Path, words: tuple[str, ...]) -> None:
    for name in ("loop", "loop.yaml"):
        (tmp_path / name).symlink_to(name)
    done = run(*words, cwd=tmp_path)
    assert "R001" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 4 or words[0] == "history"
    assert "error[" in done.stderr or words[0] == "history"


@pytest.mark.parametrize("wanted", [".git/config", "../.git/config", "spec.yaml", "notes.txt", "folder/deep.yaml"])
def test_no_line_of_what_is_no_spec_is_printed(tmp_path: Path, wanted: str) -> None:
    """Included or linked."""
    folder = tmp_path / "specs"
    (folder / "folder").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("[remote]\n  url: https://me:hunter2@example.com: x\n")
    (folder / "notes.txt").write_text("hunter2: [\n")
    (folder / "spec.yaml").symlink_to("../.git/config")
    (folder / "folder" / "deep.yaml").symlink_to("../../.git/config")
    (folder / ".git").symlink_to("../.git")
    (folder / "a.yaml").write_text(json.dumps({"include": [wanted]}))
    error = refusal(folder / "a.yaml")
    assert {d.code for d in error.diagnostics} <= {"E120", "E121"}
    assert "hunter2" not in str(error.diagnostics)
    assert "hunter2" not in str(refusal(folder).diagnostics)
