"""Host-side scripts: where they are on a host, and installing them. Their digest is in their name, so that a
script which is there is the right one, and two versions of us can use one host."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

from reconciler.hosts.base import Host
from reconciler.model.command import Command
from reconciler.resources import data_path

FOLDER = "/var/lib/reconciler/bin"
DIGEST_CHARS = 12
_INCLUDE = b"# include "
_INSTALL = (
    'set -eu; umask 077; text=$(mktemp -u "$2.XXXXXX"); mkdir -p -- "$1"; chmod 0700 -- "$1"; '
    'cat > "$text"; chmod 0700 -- "$text"; mv -f -- "$text" "$2"'
)


@dataclass(frozen=True)
class Script:
    """A script of `templates/host`; `path` is where it is on every host."""

    name: str
    text: bytes

    @property
    def path(self) -> str:
        return f"{FOLDER}/{self.name}-{hashlib.sha256(self.text).hexdigest()[:DIGEST_CHARS]}"


@cache
def script(name: str) -> Script:
    """The script `templates/host/NAME.sh`. A line `# include OTHER` stands for the text of another one."""
    lines = _text(name).splitlines(keepends=True)
    return Script(name, b"".join(_text(_included(line)) if _included(line) else line for line in lines))


def _included(line: bytes) -> str:
    return line[len(_INCLUDE) :].strip().decode() if line.startswith(_INCLUDE) else ""


def _text(name: str) -> bytes:
    return data_path("templates", "host", f"{name}.sh").read_bytes()


async def install(host: Host, *scripts: Script) -> None:
    """Make sure that these scripts are on the host."""
    listing = await host.run(Command(("ls", "-1", "--", FOLDER), ok=(0, 2)))
    present = set(listing.stdout.split())
    for item in scripts:
        if item.path.rpartition("/")[2] not in present:
            argv = ("sh", "-c", _INSTALL, "sh", FOLDER, item.path)
            await host.run(Command(argv, stdin=item.text, changes=True))
