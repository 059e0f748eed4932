"""Commands for hosts and what comes back. Drivers yield commands; they never run them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

Bytes = int
Seconds = float

T = TypeVar("T")

DEFAULT_TIMEOUT: Seconds = 60.0
"""Longest a plain command may take; dumps, copies and restores carry their own."""


@dataclass(frozen=True)
class Fence:
    """A workload's name and the epoch a command acts under. Hosts refuse lower epochs, and marks of another `run`
    under the same one."""

    workload: str
    epoch: int
    run: str = ""


@dataclass(frozen=True)
class Command:
    """One command on one host, as an argument list; quoting happens in one place, in `hosts`.

    `stdin` is given to the command whole. `changes` says whether it can change the host: a lost reply
    of a command that only reads is retried, one that changes is not. `ok` lists the exit codes that are
    answers, not failures. `log` names a file on the host whose last lines explain a failure.
    `secret` keeps argv and stdin out of traces.
    """

    argv: tuple[str, ...]
    stdin: bytes = b""
    timeout: Seconds = DEFAULT_TIMEOUT
    changes: bool = False
    ok: tuple[int, ...] = (0,)
    log: str = ""
    secret: bool = False


@dataclass(frozen=True)
class Result:
    """What a command answered. Output is decoded as UTF-8 with replacement."""

    status: int
    stdout: str = ""
    stderr: str = ""
    seconds: Seconds = 0.0


Program = Generator[Command, Result, T]
"""A driver's procedure: yields commands, receives their results, returns a typed outcome.

A command whose exit code is not in `ok` is raised inside the generator as CommandFailed, so that the
driver can clean up or translate it.
"""


@dataclass(frozen=True)
class Archive:
    """An image of a runtime's on its way to another host. `names`: those it has where it comes from. `pack`: the
    command that writes it to standard output there, and says nothing else. `unpack`: the text of a POSIX sh script
    that reads it on the destination; what the archive calls itself is the word of the source."""

    id: str
    names: tuple[str, ...]
    pack: tuple[str, ...]
    unpack: str


@dataclass(frozen=True)
class Tree:
    """A folder on a host that is part of a workload's state.

    `kind` is `images`, `rootfs` or `volume`.
    `expected_bytes`: of memory, to be got ahead where images will arrive; 0 when nobody knows.
    """

    kind: str
    path: str
    name: str = ""
    expected_bytes: Bytes = 0
