"""Which Debian mirror to build from: the one this machine's own apt uses. Never a name of our own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from reconciler.errors import LabError
from reconciler.lab.tools import run

MIRROR_VARIABLE = "RECONCILER_LAB_MIRROR"
APT_FOLDER = Path("/etc/apt")
_SECURITY_MARKS = ("-security", "/updates")


def find_mirror(apt: Path = APT_FOLDER) -> str:
    """URI of a Debian mirror: from the environment, else the first one apt knows that serves Debian itself."""
    chosen = os.environ.get(MIRROR_VARIABLE)
    if chosen:
        return chosen
    for uri, suites, components in _entries(apt):
        path = uri.rstrip("/")
        serves_debian = path.endswith("/debian") and "main" in components
        if serves_debian and not any(mark in suite for suite in suites for mark in _SECURITY_MARKS):
            return uri
    raise LabError(
        "this machine's apt configuration names no Debian mirror to build the lab's hosts from",
        where=str(apt),
        fix=f"set {MIRROR_VARIABLE} to the address of a Debian mirror",
    )


def apt_settings() -> str:
    """This machine's apt settings about fetching (proxies, time-outs, checks), as a configuration file."""
    return run(["apt-config", "dump", "Acquire"], check=False).stdout


def _entries(apt: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """(URI, suites, components) of every binary source, in both of apt's formats."""
    parts = apt / "sources.list.d"
    files = [*sorted(parts.glob("*.sources")), apt / "sources.list", *sorted(parts.glob("*.list"))]
    for file in files:
        if not file.is_file():
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        yield from _deb822(text) if file.suffix == ".sources" else _one_line(text)


def _deb822(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in "\n".join(lines).split("\n\n"):
        fields: dict[str, str] = {}
        last = ""
        for line in stanza.splitlines():
            if line[:1].isspace():
                fields[last] = f"{fields.get(last, '')} {line.strip()}"
            elif ":" in line:
                key, _, value = line.partition(":")
                last = key.strip().lower()
                fields[last] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        for uri in fields.get("uris", "").split():
            yield uri, fields.get("suites", "").split(), fields.get("components", "").split()


def _one_line(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    for line in text.splitlines():
        bare = line.split("#", 1)[0].strip()
        if not bare.startswith("deb "):
            continue
        rest = bare[4:].strip()
        if rest.startswith("["):
            rest = rest.partition("]")[2].strip()
        fields = rest.split()
        if len(fields) >= 2:
            yield fields[0], [fields[1]], fields[2:]
