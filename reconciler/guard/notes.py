"""Small files of a workload beside its marker, replaced at once and durably."""

from __future__ import annotations

from reconciler.guard.guard import workload_dir
from reconciler.model.command import Command, Program

_WRITE = """umask 077
mkdir -p "$1" || exit 1
cat > "$1/$2.new" && sync "$1/$2.new" && mv -f "$1/$2.new" "$1/$2"
"""


def read(workload: str, name: str) -> Program[str]:
    """What a note says; empty where there is none."""
    said = yield Command(("cat", "--", f"{workload_dir(workload)}/{name}"), ok=(0, 1))
    return said.stdout if said.status == 0 else ""


def forget(workload: str, name: str) -> Program[None]:
    yield Command(("rm", "-f", "--", f"{workload_dir(workload)}/{name}"), changes=True)


def write(workload: str, name: str, content: bytes, *, secret: bool = False) -> Program[None]:
    argv = ("/bin/sh", "-c", _WRITE, "note", workload_dir(workload), name)
    yield Command(argv, stdin=content, changes=True, secret=secret)
