"""What holds for every script that runs on hosts, read from their text."""

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path

import pytest

from reconciler.resources import PACKAGE, data_path

SCRIPTS = sorted(
    p
    for folder in ("host", "criu", "oci", "podman", "docker", "process", "libvirt")
    for p in data_path("templates", folder).glob("*.sh")
)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_network_namespaces_are_entered_by_path(script: Path) -> None:
    """`nsenter -t PID -n` run under CRIU's restore stays outside, without a word and with exit 0."""
    for number, line in enumerate(script.read_text().splitlines(), 1):
        code = line.partition("#")[0]
        if re.search(r"\bnsenter\b.*\s(-t|--target)\b", code):
            raise AssertionError(f"{script.name}:{number}: use nsenter --net=/proc/PID/ns/net")


@pytest.mark.parametrize("script", sorted(data_path("templates").glob("*/*.pl")), ids=lambda path: path.name)
def test_perl_compiles(script: Path) -> None:
    """Where its answers are only missing, nobody would notice that it never ran."""
    subprocess.run(["perl", "-c", script], capture_output=True, check=True)


@pytest.mark.parametrize(
    ("folder", "room"),
    [
        ("criu", "criu"),
        ("podman", "runtimes/podman"),
        ("oci", "runtimes/oci"),
        ("docker", "runtimes/docker"),
        ("process", "runtimes/process"),
        ("libvirt", "runtimes/libvirt"),
    ],
)
def test_scripts_that_are_run_are_there_and_all_are_run(folder: str, room: str) -> None:
    code = "".join(p.read_text() for p in sorted((PACKAGE / room).glob("*.py")))
    named = set(re.findall(r'\b(?:shell\(|host_script\("[a-z]+",)\s*"([a-z-]+)"', code))
    there = {p.stem for p in data_path("templates", folder).glob("*.sh")}
    assert named - there - {"keeper"} == set()  # of another language
    assert (
        there - named - {"init", "living", "members", "restoring", "rights", "setup", "tree", "virsh"} == set()
    )  # a part of others, and CRIU's own


def test_each_workload_has_a_table_of_its_own_name() -> None:
    """Whatever names look like: the line of the hook that makes the table's name is run for all short ones."""
    (line,) = (
        x for x in data_path("templates", "host", "hook.sh").read_text().splitlines() if "reconciler_%s" in x
    )
    names = ["".join(n) for length in (1, 2, 3, 4, 5) for n in itertools.product("am.-", repeat=length)]
    names = [n for n in names if n[0] in "am" and n[-1] in "am"][:400]
    made = line.strip().partition(" >")[0]
    script = f"for name; do W=/x/$name; {made}; done"
    done = subprocess.run(["sh", "-c", script, "sh", *names], capture_output=True, text=True, check=True)
    tables = done.stdout.split()
    assert len(tables) == len(names) == len(set(tables))
    assert all(re.fullmatch(r"reconciler_[a-z0-9_]+", table) for table in tables)
