"""A path or a name that is not there is said, exit 4: to have asked nobody is not to have found nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

RECONCILE = Path(sys.executable).with_name("reconcile")


def run(folder, *arguments):
    return subprocess.run(
        [RECONCILE, *arguments],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "RECONCILE_JOURNAL": str(folder / "journal.db")},
        capture_output=True,
        text=True,
        timeout=60,
    )


PATHS = {
    "status": ("status", "nope"),
    "resume": ("resume", "nope"),
    "resolve": ("resolve", "web", "--owner", "h1", "--evidence", "seen", "--specs", "nope"),
    "doctor": ("doctor", "--specs", "nope"),
    "plan": ("plan", "nope"),
    "apply": ("apply", "nope", "--yes"),
    "validate": ("validate", "nope"),
    "history": ("history", "--journal", "nope"),
    "checkpoints": ("checkpoints", "show", "nope"),
    "values": ("plan", "--values", "nope"),
}


@pytest.mark.parametrize("arguments", PATHS.values(), ids=PATHS)
def test_a_path_that_does_not_exist(tmp_path, arguments):
    done = run(tmp_path, *arguments)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "nope" in done.stderr and ("no such" in done.stderr or "does not exist" in done.stderr)
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["status", "resume", "doctor"])
def test_an_empty_folder_is_no_fleet_without_problems(tmp_path, command):
    done = run(tmp_path, command)
    assert done.returncode == 4 and "names a host" in done.stderr and str(tmp_path) in done.stderr
    told = run(tmp_path, command, "--json")
    assert told.returncode == 4 and json.loads(told.stdout)["error"]["code"] == "E196"


def test_a_workload_without_history(tmp_path):
    done = run(tmp_path, "history", "nope")
    assert done.returncode == 4 and "nope" in done.stderr
    assert run(tmp_path, "history").returncode == 0, "no history at all is none"
