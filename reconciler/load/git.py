"""Asking git: its command line, for what it knows of SSH, credentials, packs and signatures has no better library.
Nothing of a repository runs: hooks, file-system monitors, submodules and external transports are off, the
environment of a calling git is not passed on, nobody is asked for a password, and every call has a time-out."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GIT_TIMEOUT_S: Final = 10.0
_ULIMIT_BLOCK: Final = 512
"""Bytes; POSIX, `ulimit -f`."""
MOST_OUT: Final = 384 * 2**20
"""Bytes of an answer: more than all specs of one commit may have."""
MOST_SAID: Final = 2**16
"""Bytes that are kept of what it says to people: a server may send as much as it likes."""
_PIECE: Final = 2**16
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
    """`why` is empty when git did what it was asked; else its own first lines. `status`: how it ended by itself;
    None where it did not run, or was ended."""

    out: bytes
    why: str = ""
    status: int | None = None


class _Cut(Exception):
    """Why git was ended."""


def ask(
    folder: Path,
    arguments: Sequence[str],
    *,
    allow: Sequence[str] = OFFLINE,
    timeout: float = GIT_TIMEOUT_S,
    given: bytes = b"",
    largest_file: int | None = None,
    most_memory: int | None = None,
    most_out: int = MOST_OUT,
) -> GitAnswer:
    """Run git in a folder; never raises. `allow`: settings that say which transports may be used. `given`: its
    input. `largest_file`: bytes of any file that it may write, such as a pack. `most_memory`: bytes of addresses
    of each of its processes. `most_out`: bytes of its answer. What is late or says too much is ended, with all
    that it started."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    environment |= {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=10", "GIT_ASKPASS": "true"}
    pipe = subprocess.PIPE
    argv = ["git", *SAFE, *allow, "-C", str(folder), *arguments]
    for option, limit in (
        ("-f", largest_file and largest_file // _ULIMIT_BLOCK),
        ("-v", most_memory and most_memory // 1024),
    ):
        if limit is not None:  # before git begins: those it starts have the limit that it has then
            argv = ["/bin/sh", "-c", f'ulimit {option} "$0" && exec "$@"', str(limit), *argv]
    try:
        job = subprocess.Popen(argv, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
    except (OSError, ValueError) as error:
        return GitAnswer(b"", str(error) or "git cannot be run")
    try:
        out, said = _talk(job, given, timeout, most_out)
    except _Cut as cut:
        return GitAnswer(b"", str(cut))
    finally:
        with suppress(OSError):
            os.killpg(job.pid, signal.SIGKILL)  # also what outlived it, such as its ssh
        job.wait()
        for stream in (job.stdin, job.stdout, job.stderr):
            with suppress(OSError):
                assert stream is not None
                stream.close()
    if job.returncode:
        lines = said.decode("utf-8", "replace").strip().splitlines()
        why = "; ".join(lines[:3]) or f"git ended with status {job.returncode}"
        return GitAnswer(out, why, job.returncode if job.returncode > 0 else None)
    return GitAnswer(out, status=0)


def _talk(job: subprocess.Popen[bytes], given: bytes, timeout: float, most_out: int) -> tuple[bytes, bytes]:
    """What it answers and says, until it has ended."""
    assert job.stdin and job.stdout and job.stderr
    end, left, out, said = time.monotonic() + timeout, memoryview(given), bytearray(), bytearray()
    with selectors.DefaultSelector() as watched:
        watched.register(job.stdout, selectors.EVENT_READ)
        watched.register(job.stderr, selectors.EVENT_READ)
        os.set_blocking(job.stdin.fileno(), False)
        watched.register(job.stdin, selectors.EVENT_WRITE)
        while watched.get_map():
            for key, _ in watched.select(max(0.0, end - time.monotonic())):
                if key.fileobj is job.stdin:
                    left = _give(job.stdin.fileno(), left)
                    if not left:
                        watched.unregister(job.stdin)
                        job.stdin.close()
                    continue
                piece = os.read(key.fd, _PIECE)
                if not piece:
                    watched.unregister(key.fileobj)
                elif key.fileobj is job.stdout:
                    out += piece
                else:
                    said += piece[: MOST_SAID - len(said)]
            if len(out) > most_out:
                raise _Cut(f"it answers with more than {most_out // 2**20} MiB")
            if time.monotonic() >= end:
                raise _Cut(f"no answer within {timeout:.0f} s")
    try:
        job.wait(max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise _Cut(f"no answer within {timeout:.0f} s") from None
    return bytes(out), bytes(said)


def _give(to: int, left: memoryview) -> memoryview:
    """Some of its input; what is left of it: nothing where it reads no more."""
    try:
        return left[os.write(to, left[:_PIECE]) :]
    except BlockingIOError:
        return left
    except OSError:
        return left[:0]
