"""Completion in shells: the script that they source, and what it asks the program for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).parent / "reconcile"


@pytest.mark.parametrize(
    ("words", "offered"),
    [("reconcile check", ["checkpoint", "checkpoints"]), ("reconcile plan --form", ["--format"])],
)
def test_words_are_offered(words: str, offered: list[str]) -> None:
    asked = {
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
        "_RECONCILE_COMPLETE": "complete_bash",
    }
    told = subprocess.run([PROGRAM], env=os.environ | asked, capture_output=True, text=True, timeout=60)
    assert (told.returncode, told.stdout.split(), told.stderr) == (0, offered, "")
