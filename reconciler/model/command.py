"""What hosts and clusters are asked, and what comes back. Drivers yield it; they never carry it out."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
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
    `guard` are the words of one that asks the host's guard, for places that keep markers without a script.
    """

    argv: tuple[str, ...]
    stdin: bytes = b""
    timeout: Seconds = DEFAULT_TIMEOUT
    changes: bool = False
    ok: tuple[int, ...] = (0,)
    log: str = ""
    secret: bool = False
    guard: tuple[str, ...] = ()


class Verb(StrEnum):
    """What is done to an object of a cluster's API; and what the connection itself does: `whereabouts` says which
    place it is, `pause` lets the call's `timeout` pass."""

    GET = "get"
    LIST = "list"
    CREATE = "create"
    APPLY = "apply"
    PATCH = "patch"
    DELETE = "delete"
    WHEREABOUTS = "whereabouts"
    PAUSE = "pause"

    @property
    def changes(self) -> bool:
        return self in (Verb.CREATE, Verb.APPLY, Verb.PATCH, Verb.DELETE)


@dataclass(frozen=True)
class Resource:
    """A kind of objects of an API: group (empty for the core), version, and its name in paths."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


CONFLICT = 409
"""HTTP's status where what is to be made is there, or what is to be changed has changed since."""


@dataclass(frozen=True)
class ApiCall:
    """One call of a cluster's API. Its answer is a `Result`: the HTTP status, and the body as it came; of a list
    that came in parts, one list of all items.

    `body` is JSON. `selector` are labels, as in kubectl's `-l`. `force` takes over fields that another field
    manager has (`apply`). `ok` lists the statuses above 399 that are answers, not failures. Under a `fence` it is
    only made where the workload's marker takes that epoch and is in one of `phases`. `age`: how old the answer to
    a question may be, which then may be one that was given before.
    """

    verb: Verb
    resource: Resource
    name: str = ""
    namespace: str = ""
    body: str = ""
    selector: str = ""
    force: bool = False
    ok: tuple[int, ...] = ()
    timeout: Seconds = DEFAULT_TIMEOUT
    fence: Fence | None = None
    phases: tuple[str, ...] = ()
    age: Seconds = 0.0

    @property
    def changes(self) -> bool:
        """Whether it can change the cluster, as `Command.changes`."""
        return self.verb.changes

    @property
    def repeatable(self) -> bool:
        """Whether making it twice is the same as making it once. What is to be made once only has its own name:
        where it is there already, that is an answer."""
        return self.verb is not Verb.CREATE or CONFLICT in self.ok

    @property
    def words(self) -> tuple[str, ...]:
        """What it is, for errors and traces."""
        where = "/".join(filter(None, (self.namespace, self.name)))
        return tuple(filter(None, (self.verb.value, self.resource.plural, where)))


@dataclass(frozen=True)
class Result:
    """What was answered: a command's exit status and output, decoded as UTF-8 with replacement; of an `ApiCall`
    the HTTP status and the body."""

    status: int
    stdout: str = ""
    stderr: str = ""
    seconds: Seconds = 0.0


Program = Generator[Command | ApiCall, Result, T]
"""A driver's procedure: yields commands or API calls, receives their results, returns a typed outcome.

One whose status is not in `ok` is raised inside the generator as CommandFailed, so that the driver can clean up or
translate it.
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
    `later`: pages of memory are no part of the copy, for they follow (`Fleet.feed`).
    """

    kind: str
    path: str
    name: str = ""
    expected_bytes: Bytes = 0
    later: bool = False
