"""What holds for every script that runs on hosts, read from their text."""

from __future__ import annotations

import itertools
import re
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from reconciler.resources import PACKAGE, data_path, host_script

SCRIPTS = sorted(p for p in data_path("templates").glob("*/*.sh") if p.parent.name != "lab")


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
    whole = host_script(script.parent.name, script.stem, "pl")
    subprocess.run(["perl", "-c", "-"], input=whole, text=True, capture_output=True, check=True)


PYTHON = {"array", "bisect", "collections", "contextlib", "errno", "fcntl", "json", "os", "re", "select", "socket"}
PYTHON |= {"struct", "subprocess", "sys", "time", "traceback", "zlib"}
"""Of these it is known that hosts with Debian's python3-minimal have them. It lacks shutil and ctypes, for two."""


@pytest.mark.parametrize("script", sorted(data_path("templates", "criu").glob("*.py")), ids=lambda path: path.name)
def test_python_of_hosts_needs_no_more_than_its_core(script: Path) -> None:
    found = re.findall(r"^\s*(?:import|from) +(\w+)", script.read_text(), re.MULTILINE)
    assert set(found) - PYTHON == set()


@pytest.mark.parametrize(
    ("folder", "room"),
    [
        ("criu", "criu"),
        ("podman", "runtimes/podman"),
        ("oci", "runtimes/oci"),
        ("docker", "runtimes/docker"),
        ("process", "runtimes/process"),
        ("libvirt", "runtimes/libvirt"),
        ("cri", "runtimes/cri"),
    ],
)
def test_scripts_that_are_run_are_there_and_all_are_run(folder: str, room: str) -> None:
    code = "".join(p.read_text() for p in sorted((PACKAGE / room).glob("*.py")))
    named = set(re.findall(r'\b(?:shell\(|host_script\("[a-z]+",)\s*"([a-z-]+)"', code))
    there = {p.stem for p in data_path("templates", folder).glob("*.sh")}
    assert named - there - {"announce", "keeper", "known", "serve"} == set()  # of another language
    parts = {"attached", "call", "card", "init", "living", "members", "named", "rights"}
    parts |= {"again", "boot", "entry", "persisting", "serving", "setup", "tree", "virsh"}
    assert there - named - parts - {"restoring"} == set()  # which is CRIU's own


class Answers(BaseHTTPRequestHandler):
    """200 for /well, 500 else."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/well" else 500)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("kind", "path", "status", "said"),
    [
        ("tcp", "", 0, ""),
        ("http", "/well", 0, ""),
        ("http", "/ill", 1, "answered: HTTP/1.0 500"),
        ("none", "", 1, ""),
    ],
)
def test_a_guest_is_asked_over_tcp_and_http(kind: str, path: str, status: int, said: str) -> None:
    """Real: the script and what it asks. `none`: nobody listens there any more."""
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        port = server.server_port
        Thread(target=server.serve_forever, daemon=True).start()
        if kind == "none":
            server.shutdown()
            server.server_close()
        words = ["0" if status else "60", "http" if path else "tcp", "127.0.0.1", str(port), path]
        argv = ["sh", "-c", host_script("libvirt", "health"), "health", *words]
        done = subprocess.run(argv, capture_output=True, text=True)
        if kind != "none":
            server.shutdown()
    assert done.returncode == status and said in done.stderr


def test_how_to_ask_over_http_stands_in_one_place() -> None:
    asking = [p.name for p in SCRIPTS if "HTTP/1.0" in p.read_text()]
    assert asking == ["probe.sh"]
    for folder in ("oci", "process", "libvirt"):
        assert "HTTP/1.0" in host_script(folder, "health")


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
