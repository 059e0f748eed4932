"""Writes docs/reconcile.1, `man reconcile`, from docs/commands.md by go-md2man, which `make docs` installs.

What a wheel puts into share/man is found by `man` wherever the program is in PATH.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

DOCS = Path(__file__).parent.parent.parent / "docs"
HEAD = """% reconcile 1

# NAME

reconcile - move running containers between Linux hosts, from specs committed to git

# SYNOPSIS

**reconcile** [*OPTIONS*] *COMMAND* [*ARGS*]...

# DESCRIPTION
"""


def page(commands: str) -> str:
    """The man page of what docs/commands.md says. OSError where go-md2man is missing."""
    _, _, rest = commands.partition("\n")
    done = subprocess.run(["go-md2man"], input=HEAD + rest, capture_output=True, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    (DOCS / "reconcile.1").write_text(page((DOCS / "commands.md").read_text()))
