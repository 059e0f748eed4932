"""Scripts on hosts: every wait ends. A loop that waits counts its turns or looks at a clock, and a lock is waited
for only so long."""

import re

import pytest

from reconciler.resources import data_path

OURS_ALONE = ("lab",)
"""Folders of scripts that run on no host of a user's."""
RUNS_ON = "process/init.sh"
"""A workload's first process, which lasts as long as the workload does."""
SCRIPTS = sorted(
    path
    for path in data_path("templates").glob("*/*.sh")
    if path.parent.name not in OURS_ALONE and not path.match(RUNS_ON)
)
BY_INPUT = re.compile(r"^(while|until) .*(\bread\b|\[ \$# )|while said=")
"""They end with what they read, or with the arguments."""
ENDED = re.compile(r"-(gt|ge|lt|le) |# ends by ")
"""A count or a clock; or the comment says what ends it."""


LOCK = re.compile(r"\s*flock ")


def loops(text: str) -> list[tuple[str, str]]:
    """Each loop's first line, and all of it up to the `done` that is as far to the right."""
    found, lines = [], text.splitlines()
    for at, line in enumerate(lines):
        start = re.search(r"(^\s*|[;({|] *)((while|until) .*)", line)
        if start is None or line.lstrip().startswith("#"):
            continue
        depth = len(line) - len(line.lstrip())
        body = [line]
        if not re.search(r"; done\b", line):
            for later in lines[at + 1 :]:
                body.append(later)
                if re.match(rf" {{{depth}}}(\}}? ?)done\b", later) or later.strip().startswith("done"):
                    break
        found.append((start[2], "\n".join(body)))
    return found


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_wait_ends(path):
    text = path.read_text()
    for first, body in loops(text):
        assert BY_INPUT.search(first) or ENDED.search(body), f"{path.name} may wait for ever:\n{body}"
    for line in text.splitlines():
        if LOCK.match(line):
            assert re.search(r"flock -(w|n)\b", line), f"{path.name} may wait for a lock for ever: {line}"


def test_a_wait_without_end_is_found():
    bad = 'until [ -s "$1/pid" ]; do sleep 0.002; done\n'
    assert [(BY_INPUT.search(first), ENDED.search(body)) for first, body in loops(bad)] == [(None, None)]
