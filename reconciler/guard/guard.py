"""The host-side guard as drivers use it: markers, fenced commands, holds and leases.

What may happen to a workload is decided on its host, by `templates/host/guard.sh`, because controllers die, are
cut off and come in pairs. This file builds its commands, reads its answers and says its refusals in plain words.
It runs nothing; everything here is a `Program` or a `Command`.

Errors: GuardRefused when another epoch, decision or controller stands against it; CommandFailed when the guard or
the command under it failed. Both carry a code of `CODES`, so that callers need not read text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from reconciler.core import answers
from reconciler.errors import CommandFailed, GuardRefused, InputError, ReconcilerError
from reconciler.guard import answers as guard_answers
from reconciler.guard.answers import hook_of, outcome_of, row_of, shown_of
from reconciler.model.base import NAME_PATTERN
from reconciler.model.command import DEFAULT_TIMEOUT, Command, Fence, Program, Result, Seconds
from reconciler.model.plan import Phase
from reconciler.model.spec import Cutover
from reconciler.model.world import Marker
from reconciler.resources import data_path

Hook = guard_answers.Hook
HoldOutcome = guard_answers.HoldOutcome
Role = guard_answers.Role
Shown = guard_answers.Shown
NONE = guard_answers.NONE

LIVE = (NONE, Phase.RUNNING, Phase.CONFIRMED)
"""Phases in which a workload may be started here; `none`: it has no marker."""
SETTLED = (*LIVE, Phase.RETIRED, Phase.FENCED)
"""Phases in which no hand-over needs what is on this host."""
ROOT = "/var/lib/reconciler"
ANY = "any"
"""As phases of `run`: whatever the marker says."""

LOWER_EPOCH = "G310"
LEASED = "G311"
MARKER_BROKEN = "G312"
WRONG_PHASE = "G313"
RESUMED = "G314"
NOT_HELD = "G315"
BUSY = "G316"
GUARD_FAILED = "G317"
COMMITTED = "G318"
STILL_RUNNING = "G319"
OTHER_RUN = "G320"


@dataclass(frozen=True)
class Refusal:
    """What an exit code of the guard means. `refused`: somebody stands against it, else it just failed."""

    code: str
    refused: bool
    fix: str


CODES: dict[int, Refusal] = {
    75: Refusal(LOWER_EPOCH, True, "Another controller moved it since. Plan again."),
    76: Refusal(MARKER_BROKEN, True, "Find out where the workload runs, then run `reconcile resolve`."),
    77: Refusal(WRONG_PHASE, True, "See `reconcile status`; an unfinished move ends with `reconcile resume`."),
    78: Refusal(LEASED, True, "Wait until it has finished; a dead controller's lease ends by itself."),
    79: Refusal(RESUMED, True, "The source runs. Plan again."),
    80: Refusal(NOT_HELD, False, "See `reconcile status`."),
    81: Refusal(BUSY, False, "Try again."),
    82: Refusal(GUARD_FAILED, False, "This is a bug of Reconciler."),
    83: Refusal(GUARD_FAILED, False, f"Look at disk space and permissions of {ROOT} on the host."),
    84: Refusal(OTHER_RUN, True, "Another controller works on it, or has; see `reconcile status`."),
    85: Refusal(COMMITTED, True, "Bring it back under a higher epoch, with proof that the peer does not run it."),
    86: Refusal(STILL_RUNNING, False, "Try again; if it stays, look at the checkpoint process on the host."),
}

_CANNOT_OPEN = (2, 127)
"""How shells end that do not find their script."""

_SAID = re.compile(r"^reconciler-guard\[(\d+)\]: (.*)$", re.MULTILINE)
_NAME = re.compile(NAME_PATTERN)
_GROUP = re.compile(r"[a-z0-9][A-Za-z0-9_.-]{3,199}", re.ASCII)
_TEXT = re.compile(r"^[A-Za-z0-9._:@/+-]{1,200}$")


# --- files ---


@cache
def _script(name: str) -> tuple[str, bytes, str]:
    return _named(name, data_path("templates", "host", f"{name}.sh").read_bytes())


def _named(name: str, text: bytes) -> tuple[str, bytes, str]:
    digest = hashlib.sha256(text).hexdigest()
    return f"{name}-{digest[:12]}.sh", text, digest


def guard_path() -> str:
    """Where the guard is on hosts."""
    return f"{ROOT}/bin/{_script('guard')[0]}"


def hook_script_path() -> str:
    """Where what all workloads' hooks are is on hosts."""
    return f"{ROOT}/bin/{_script('hook')[0]}"


def workload_dir(workload: str) -> str:
    """The workload's folder on hosts: marker, hold, and place for the driver's own small files."""
    return f"{ROOT}/workloads/{name_of(workload)}"


def hook_path(workload: str) -> str:
    """The workload's CRIU action script, as its CRIU config names it."""
    return f"{workload_dir(workload)}/hook.sh"


_INSTALL = """umask 077
f=$1/$2
same() { [ "$(sha256sum <"$1")" = "$3  -" ]; }
[ -f "$f" ] && same "$f" "$2" "$3" && exec cat >/dev/null
mkdir -p "$1" && cat >"$f.$$" && same "$f.$$" "$2" "$3" && chmod 0700 "$f.$$" && sync "$f.$$" &&
mv -f "$f.$$" "$f" && sync "$1"
"""


def install() -> Program[None]:
    """Put guard and hook on the host, under their digests; what is there and intact stays."""
    for name in ("guard", "hook"):
        yield _install(*_script(name))


def _install(file: str, text: bytes, digest: str) -> Command:
    argv = ("/bin/sh", "-c", _INSTALL, "sh", f"{ROOT}/bin", file, digest)
    return Command(argv, stdin=text, changes=True, guard=("install",))


def install_script(name: str, text: bytes) -> Program[str]:
    """Put another script on the host, under its digest; returns its path."""
    named = _named(name, text)
    yield _install(*named)
    return f"{ROOT}/bin/{named[0]}"


def install_hook(workload: str, group: str = "", *, paused: bool = False) -> Program[str]:
    """Make the installed hook this workload's action script; returns `hook_path(workload)`. `group`: the name of
    the one cgroup that it may freeze, without the `.scope` that an engine may put behind it; none when empty.
    `paused`: an engine pauses it for the dump, and lets it run on after."""
    if group and not _GROUP.fullmatch(group):
        raise InputError(f"`{group!r}` is not the name of a cgroup of its own")
    yield from call(
        "hook",
        name_of(workload),
        _script("hook")[0],
        *((group,) if group else ()),
        *(("paused",) if group and paused else ()),
    )
    return hook_path(workload)


# --- markers ---


def mark(fence: Fence, phase: Phase, role: Role, *, run: str = "", peer: str = "") -> Program[None]:
    """Write the workload's marker, durably. Idempotent; a lower epoch than the recorded one is refused."""
    yield from call("mark", *_fence(fence), phase.value, role, text_of(run or fence.run), text_of(peer))


def mend(workload: str, epoch: int) -> Program[None]:
    """Replace a marker that cannot be trusted by `fenced` under this epoch, and keep it beside; one that can be
    stays. Refused for a later release's marker, and under an epoch below what is left of the old one."""
    yield from call("mend", *_fence(Fence(workload, epoch)))


def show(workload: str | None = None) -> Program[tuple[Shown, ...]]:
    """Everything the host knows, of all workloads or of one (then at most one row). Changes nothing.

    Whatever release put a guard there: where it is not this one's, this one's reads through standard input."""
    names = () if workload is None else (name_of(workload),)
    present = yield _is_there()
    if present.status == 0:
        result = yield from call("show", *names, changes=False)
    else:
        result = yield Command(("/bin/sh", "-s", "--", "show", *names), stdin=_script("guard")[1])
    return tuple(shown_of(line) for line in result.stdout.splitlines() if line.startswith("{"))


def _is_there() -> Command:
    return Command(("test", "-f", guard_path()), ok=(0, 1), guard=("present",))


def marker(workload: str) -> Program[Marker | None]:
    """The marker of a workload; None where there is none."""
    shown = yield from show(workload)
    return shown[0].marker if shown else None


def markers() -> Program[tuple[Marker, ...]]:
    """The markers of all workloads, for observation; broken ones included."""
    rows = yield from show()
    return tuple(row.marker for row in rows if row.marker is not None)


# --- fenced commands ---


def run(
    fence: Fence,
    phases: Iterable[Phase | str] | Literal["any"],
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: Seconds = DEFAULT_TIMEOUT,
    ok: tuple[int, ...] = (0,),
    log: str = "",
    secret: bool = False,
    words: tuple[str, ...] = (),
) -> Program[Result]:
    """Run a command only under an epoch the host accepts and in one of `phases` (`NONE`: no marker), and never
    beside another one of this workload. Its exit code and output pass through. `words`: what it is, for places
    that run no commands."""
    wanted = ANY if phases == ANY else ",".join(str(p) for p in phases)
    guarded = ("/bin/sh", guard_path(), "run", *_fence(fence), wanted, "--", *argv)
    return (
        yield from _there(
            Command(
                guarded,
                stdin=stdin,
                timeout=timeout,
                changes=True,
                ok=ok,
                log=log,
                secret=secret,
                guard=("run", *_fence(fence), wanted, *words),
            )
        )
    )


# --- holding a source ---


def hold(
    fence: Fence,
    argv: Sequence[str],
    *,
    cutover: Cutover,
    silence_s: Seconds,
    freeze_s: Seconds,
    fence_network: bool,
    run: str = "",
    peer: str = "",
    timeout: Seconds,
    log: str = "",
    under: Sequence[str] = (),
) -> Program[HoldOutcome]:
    """Start the runtime's checkpoint command and wait until the source is held. A second call joins the first.
    `under`: a command that gets the guard's as its last arguments, and may print more lines behind its answer.

    The hold outlives this controller: it resumes `silence_s` after the last `beat`, or `freeze_s` after the
    freeze, unless committed. `fence_network`: take down the interfaces in the tasks' own network namespace.
    """
    limits = (str(max(1, round(silence_s))), str(max(1, round(freeze_s))))
    how = (cutover.value, "1" if fence_network else "0", text_of(run), text_of(peer), "--")
    words = ("hold", *_fence(fence), *limits, *how, *argv)
    result = yield from call(*words, timeout=timeout, log=log, under=under)
    return outcome_of(result)


def beat(workloads: Sequence[str]) -> Program[dict[str, Hook]]:
    """Tell the holds of these workloads that their controller lives, once a second is plenty; answers state and
    verdict of each."""
    result = yield from call("beat", *(name_of(w) for w in workloads), timeout=10.0, changes=False)
    rows = (row_of(line) for line in result.stdout.splitlines() if line.startswith("{"))
    return {answers.name(row.get("workload"), "a hold's workload"): hook_of(row) for row in rows}


def commit(fence: Fence) -> Program[None]:
    """From here on the source never resumes by itself; durable. Fails with RESUMED when it already has, with
    NOT_HELD when nothing is held. Idempotent."""
    yield from call("commit", *_fence(fence))


def release(fence: Fence, *, timeout: Seconds = DEFAULT_TIMEOUT) -> Program[HoldOutcome]:
    """Let CRIU kill the committed source; waits for the checkpoint command to end. Idempotent."""
    return outcome_of((yield from call("release", *_fence(fence), timeout=timeout)))


def resume(fence: Fence, *, run: str = "", timeout: Seconds = DEFAULT_TIMEOUT) -> Program[HoldOutcome]:
    """Let a held source run on. After commit only under a higher epoch; not what another `run` holds. Idempotent.

    Where it answers `gone`, the marker is `held` under this epoch: restore with `run(fence, (Phase.HELD,), ...)`,
    then `mark` it running."""
    return outcome_of((yield from call("resume", *_fence(fence), text_of(run), timeout=timeout)))


def clean(workload: str) -> Program[None]:
    """Remove what a finished hold left, not the marker."""
    yield from call("clean", name_of(workload))


# --- errors and parsing ---


def translate(error: CommandFailed) -> ReconcilerError:
    """The guard's own refusals in plain words; any other error as it is."""
    refusal = CODES.get(error.status if error.status is not None else -1)
    said = _SAID.search(error.stderr)
    if refusal is None or said is None or int(said[1]) != error.status:
        return error
    if refusal.refused:
        return GuardRefused(said[2], code=refusal.code, where=error.where, fix=refusal.fix)
    return CommandFailed(
        said[2],
        argv=error.argv,
        exit_code=error.status,
        stderr=error.stderr,
        log_tail=error.log_tail,
        code=refusal.code,
        where=error.where,
        fix=refusal.fix,
    )


def call(
    *words: str,
    timeout: Seconds = DEFAULT_TIMEOUT,
    changes: bool = True,
    log: str = "",
    under: Sequence[str] = (),
) -> Program[Result]:
    """One call of the guard; its refusals come as errors of their own."""
    argv = (*under, "/bin/sh", guard_path(), *words)
    return (yield from _there(Command(argv, timeout=timeout, changes=changes, log=log, guard=words)))


def _there(command: Command) -> Program[Result]:
    """A command of the guard. Where this release's is missing, as on a host that answers again only now, it is put
    there first."""
    for again in (False, True):
        try:
            return (yield command)
        except CommandFailed as error:
            if again or error.status not in _CANNOT_OPEN:
                raise translate(error) from error
            present = yield _is_there()
            if present.status == 0:
                raise
        yield from install()
    raise AssertionError("unreachable: the second try returns or raises")


def name_of(workload: str) -> str:
    """A workload's name, checked."""
    if not _NAME.fullmatch(workload):
        raise InputError(f"`{workload!r}` is not a workload's name")
    return workload


def _fence(fence: Fence) -> tuple[str, str]:
    if fence.epoch < 0:
        raise InputError(f"{fence.epoch} is not an epoch")
    return name_of(fence.workload), str(fence.epoch)


def text_of(value: str) -> str:
    """A run, peer or owner as the guard takes it; `-` stands for an empty one."""
    if value and not _TEXT.fullmatch(value):
        raise InputError(f"`{value!r}` cannot be written into a marker")
    return value or "-"
