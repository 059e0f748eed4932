"""Scripts of stores, read from their text, as those of runtimes are."""

from __future__ import annotations

import re

from reconciler.resources import PACKAGE, data_path


def test_scripts_that_are_run_are_there_and_all_are_run() -> None:
    code = "".join(
        (PACKAGE / path).read_text() for path in ("stores/directory.py", "stores/restic.py", "criu/capturing.py")
    )
    named = set(re.findall(r'\b(?:shell|script)\(\s*"([a-z-]+)"', code))
    named |= set(re.findall(r'directory\.shell\("([a-z]+)"', code))
    there = {path.stem for path in data_path("templates", "store").glob("*.sh")}
    assert there - named == {"listing", "reading"}  # parts of others
    assert named <= there


def test_none_waits() -> None:
    """Each loop reads what is there, or goes over arguments."""
    for path in data_path("templates", "store").glob("*.sh"):
        if path.stem == "restic":
            continue  # it counts its tries
        for line in path.read_text().splitlines():
            if re.match(r"\s*(while|until) ", line):
                assert " read -r" in line, f"{path.name}: {line}"
