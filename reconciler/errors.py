"""Every error a user can meet, and nothing else.

    ReconcilerError                 exit
    ├── InputError                     4   specs, values, plan files, command line
    ├── HostError                      7   a host cannot be used
    │   ├── HostUnreachable            7     no connection (refused, time-out, dropped)
    │   └── HostKeyError               7     unknown or changed host key
    ├── CommandFailed                  1   a command ran on a host and failed
    ├── ReplyLost                      1   a command was sent; whether it ran is not known
    ├── GuardRefused                   6   the host knows a higher epoch, or another owner's lease
    ├── Refused                        1   a rule says no before anything was changed
    ├── ApplyFailed                    1   steps failed; what they did was put back
    ├── InDoubt                        5   nobody may start the workload until it is known who owns it
    ├── Locked                         6   another controller works on this
    ├── JournalError                   1   the journal cannot be read or written
    ├── LabError                       1   the lab cannot be made or used
    ├── StalePlan                      8   the world or the specs moved since the plan
    └── Interrupted                  130   Ctrl-C or SIGTERM, after putting back

An error is a value with fields; it is formatted once, at the edge (`reconciler.cli`). Its text may repeat what a
host or a file said, so each field is made printable and short here, on its way in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.text import printable, short


class ReconcilerError(Exception):
    """Base of all errors shown to a user.

    `code` is stable and explained by `reconcile explain CODE`; `what` is one sentence; `where` is a
    host, file or step; `why` the cause; `fix` the way out.
    """

    exit_code = 1
    default_code = "R000"

    def __init__(
        self, what: str, *, code: str | None = None, where: str = "", why: str = "", fix: str = ""
    ) -> None:
        self.what = _fit(what)
        super().__init__(self.what)
        self.code = code or self.default_code
        self.where = _fit(where)
        self.why = _fit(why)
        self.fix = _fit(fix)

    def __str__(self) -> str:
        """What, where and why for logs and journals, on one line where the reason is no longer."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        if "\n" in self.why:
            return f"{text}; {self.why}"
        return f"{text} ({self.why})" if self.why else text


MOST_PRINTED = 65536
"""Characters of what a command printed."""


def _fit(text: str) -> str:
    return short(printable(text))


@dataclass(frozen=True)
class Diagnostic:
    """One finding in a user's file. `line` and `col` count from 1; 0 means the whole file."""

    code: str
    message: str
    file: str
    line: int = 0
    col: int = 0
    length: int = 1
    source_line: str = ""
    hint: str = ""
    severity: str = "error"


class InputError(ReconcilerError):
    """Bad specs, values, plan files or command lines. Nothing was contacted. `files`: what was read, or
    looked for, where that can be mended."""

    exit_code = 4
    default_code = "E100"

    def __init__(
        self,
        what: str,
        *,
        diagnostics: Sequence[Diagnostic] = (),
        code: str | None = None,
        where: str = "",
        why: str = "",
        fix: str = "",
        files: Sequence[str] = (),
    ) -> None:
        super().__init__(what, code=code, where=where, why=why, fix=fix)
        self.diagnostics = tuple(diagnostics)
        self.files = tuple(files)


class HostError(ReconcilerError):
    """A host cannot be used. `where` is the host's name."""

    exit_code = 7
    default_code = "H200"


class HostUnreachable(HostError):
    """No connection to the host: refused, timed out or dropped. The command surely did not run."""

    default_code = "H201"


class HostKeyError(HostError):
    """The host's key is unknown, changed or its certificate is not valid."""

    default_code = "H202"


class CommandFailed(ReconcilerError):
    """A command ran and ended with a non-zero status.

    `log_tail` holds the last lines of the runtime's own log where there is one.
    """

    default_code = "C300"

    def __init__(
        self,
        what: str,
        *,
        argv: Sequence[str] = (),
        exit_code: int | None = None,
        stderr: str = "",
        log_tail: str = "",
        code: str | None = None,
        where: str = "",
        why: str = "",
        fix: str = "",
    ) -> None:
        super().__init__(what, code=code, where=where, why=why, fix=fix)
        self.argv = tuple(argv)
        self.status = exit_code
        self.stderr = printable(stderr[-MOST_PRINTED:])
        self.log_tail = printable(log_tail[:MOST_PRINTED])


class ReplyLost(ReconcilerError):
    """The connection ended after a command was sent: it may or may not have taken effect."""

    default_code = "C301"


class GuardRefused(ReconcilerError):
    """The host-side guard refused: it knows a higher epoch, or another controller's lease."""

    exit_code = 6
    default_code = "G310"


class Refused(ReconcilerError):
    """A rule says no while the workload still runs. Nothing was changed."""

    default_code = "P400"


class ApplyFailed(ReconcilerError):
    """Steps failed. What they had done was put back, or `fix` names what is left to do."""

    default_code = "A500"


class InDoubt(ReconcilerError):
    """The outcome of a commit is unknown: nobody may start the workload until it is known."""

    exit_code = 5
    default_code = "A501"


class Locked(ReconcilerError):
    """Another controller holds the lock; `where` names it."""

    exit_code = 6
    default_code = "S600"


class JournalError(ReconcilerError):
    """The journal cannot be opened, read or written. No effect was started."""

    default_code = "S601"


class LabError(ReconcilerError):
    """The lab cannot be made or used."""

    default_code = "L700"


class StalePlan(ReconcilerError):
    """The world, the specs or the plan file changed since the plan was made."""

    exit_code = 8
    default_code = "P410"


class Interrupted(ReconcilerError):
    """Ended by Ctrl-C or SIGTERM after putting back what was under way."""

    exit_code = 130
    default_code = "A502"
