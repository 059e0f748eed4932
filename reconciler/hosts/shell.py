"""How a command becomes the one line a host's login shell reads, and how its answer is told from noise.

The only place that quotes. The login shell may be any that understands single quotes (sh, bash, zsh, fish; not csh
with newlines), and its start-up files may print anything: the answer begins after a marker line that our own `sh`
prints right before it turns into the command. The marker also carries the process group, to end it by.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from reconciler.errors import HostError
from reconciler.model.command import ApiCall, Command

MAX_LINE = 120_000
"""Linux takes at most 128 KiB in one argument, and the line is one argument of the login shell."""
TAIL_LINES = 12
_WORTH_A_LOOK = re.compile(r"error|fail|fatal|denied|cannot|can't", re.IGNORECASE)
_START = (
    'LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"; export LC_ALL PATH; '
    'printf "\\036%s %s\\n" "$0" "$$"; printf "\\036%s\\n" "$0" >&2; exec "$@"'
)
_GROUP = re.compile(rb"[0-9]{1,9}")
HIDDEN = "***"


def quote(argv: Sequence[str]) -> str:
    """The argument list as text for a POSIX shell."""
    if not argv or any("\0" in word for word in argv):
        raise ValueError("a command needs at least one word, and none may hold a NUL character")
    return shlex.join(argv)


def line(argv: Sequence[str], token: str, *, sudo: bool = False) -> str:
    """What is sent to the host. Under sudo only the command itself is, so that exact sudoers lists work."""
    command = ("sudo", "-n", "--", *argv) if sudo else tuple(argv)
    text = "exec " + quote(("/bin/sh", "-c", _START, token, *command))
    if len(text.encode()) > MAX_LINE:
        raise HostError(
            f"the command line of {argv[0]} is too long for a host: {len(text)} characters of {MAX_LINE}",
            code="H218",
            fix="make shorter what of the spec goes into it: command, env, labels, mounts",
        )
    return text


def mark(token: str) -> bytes:
    """What a marker line begins with."""
    return b"\x1e" + token.encode()


def after_marker(output: bytes | bytearray, token: str) -> tuple[bytes, int] | None:
    """What the command itself printed, and its process group (0 on stderr); None: it was not started."""
    start = output.find(mark(token))
    end = output.find(b"\n", start)
    if start < 0 or end < 0:
        return None
    group = output[start + len(mark(token)) : end].strip()
    return bytes(output[end + 1 :]), int(group) if _GROUP.fullmatch(group) else 0


def shown(command: Command | ApiCall) -> tuple[str, ...]:
    """The argument list as errors and traces may show it; of an API call what it is, without its body."""
    if isinstance(command, ApiCall):
        return command.words
    return (command.argv[0], HIDDEN) if command.secret else command.argv


def called(command: Command) -> str:
    """Its first words, for a sentence; of a script that is given as text only the name that it goes by."""
    words = shown(command)
    if words[1:2] == ("-c",) and len(words) > 3:
        return f"{words[0]} {words[3]}"
    return " ".join(words[:3])


def scrub(text: str, command: Command) -> str:
    """Text without what a secret command was given; other commands' text as it is."""
    if not command.secret:
        return text
    given = {*command.argv[1:], *command.stdin.decode(errors="replace").splitlines()}
    values = {word for item in given for word in (item, item.partition("=")[2]) if len(word) >= 4}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


def tail(text: str, lines: int = TAIL_LINES) -> str:
    """The last lines."""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def error_lines(log: str) -> str:
    """The last lines of a runtime's log that speak of an error; the very last ones where none does."""
    hits = [entry for entry in log.splitlines() if _WORTH_A_LOOK.search(entry)]
    return tail("\n".join(hits) if hits else log)
