"""Asking git: its command line, for what it knows of SSH, credentials, packs and signatures has no better library.
Nothing of a repository runs: hooks, file-system monitors, submodules and external transports are off, the
environment of a calling git is not passed on, nobody is asked for a password, and every call has a time-out."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GIT_TIMEOUT_S: Final = 10.0
_ULIMIT_BLOCK: Final = 512
"""Bytes; POSIX, `ulimit -f`."""
SAFE: Final = (
    *("--no-optional-locks", "--no-pager"),
    *("-c", "protocol.ext.allow=never"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.untrackedCache=false"),
    *("-c", "safe.bareRepository=explicit"),
    *("-c", "submodule.recurse=false"),
)
OFFLINE: Final = ("-c", "protocol.allow=never")


@dataclass(frozen=True)
class GitAnswer:
    """`why` is empty when git did what it was asked; else its own first lines."""

    out: bytes
    why: str = ""


def ask(
    folder: Path,
    arguments: Sequence[str],
    *,
    allow: Sequence[str] = OFFLINE,
    timeout: float = GIT_TIMEOUT_S,
    given: bytes = b"",
    largest_file: int | None = None,
) -> GitAnswer:
    """Run git in a folder; never raises. `allow`: settings that say which transports may be used. `given`: its
    input. `largest_file`: bytes of any file that it may write, such as a pack. What is late is ended, with all
    that it started."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    environment |= {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=10", "GIT_ASKPASS": "true"}
    pipe = subprocess.PIPE
    argv = ["git", *SAFE, *allow, "-C", str(folder), *arguments]
    if largest_file is not None:  # before git begins: those it starts have the limit that it has then
        argv = ["/bin/sh", "-c", 'ulimit -f "$0" && exec "$@"', str(largest_file // _ULIMIT_BLOCK), *argv]
    try:
        job = subprocess.Popen(argv, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
    except (OSError, ValueError) as error:
        return GitAnswer(b"", str(error) or "git cannot be run")
    try:
        out, said = job.communicate(given, timeout)
    except subprocess.TimeoutExpired:
        return GitAnswer(b"", f"no answer within {timeout:.0f} s")
    finally:
        with suppress(OSError):
            os.killpg(job.pid, signal.SIGKILL)  # also what outlived it, such as its ssh
        job.wait()
    if job.returncode:
        lines = said.decode("utf-8", "replace").strip().splitlines()
        return GitAnswer(out, "; ".join(lines[:3]) or f"git ended with status {job.returncode}")
    return GitAnswer(out)
