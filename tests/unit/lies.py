"""What a host in somebody's hands answers, and a host that does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from reconciler.model.command import Command, Result
from reconciler.model.spec import HostSpec

MARK = "pwned"
"""Stands in every lie: where it turns up, the lie went."""
LIES = (
    f"10.9.8.7\n{MARK}",
    f'10.9.8.7" ssh-ed25519 AAAA {MARK}',
    f"10.9.8.7;{MARK}",
    f"$({MARK})",
    f"`{MARK}`",
    f"' {MARK} '",
    f"--{MARK}",
    f"/var/../{MARK}",
    f"\x1b[2J\x1b]0;{MARK}\x07",
    f"\u202e{MARK}",
    f"{MARK} " * 200_000,
    f"nan {MARK}",
    "[" * 100_000 + MARK,
    f"10.0.0.0/8,{MARK}",
    f"*.{MARK}",
)
ODD = (None, True, 3, -1, 2**80, float("nan"), float("inf"), [], ["x"], {}, {"a": {"b": "c"}}, "", "-", "\x00")
"""Values of another type than the field's, or none."""
FORBIDDEN = "\x1b\x07\x9b\u202e"


class Liar:
    """A host whose answers a function makes; it keeps what it was asked."""

    def __init__(self, name: str, answer: Callable[[Command], str], spec: HostSpec | None = None) -> None:
        self.name = name
        self.spec = spec or HostSpec(address="192.0.2.1")
        self.asked: list[Command] = []
        self._answer = answer

    async def run(self, command: Command) -> Result:
        self.asked.append(command)
        return Result(0, self._answer(command))

    async def run_attached(
        self, command: Command, on_line: Callable[[str], None], go: asyncio.Event | None = None
    ) -> Result:
        self.asked.append(command)
        for line in self._answer(command).splitlines():
            on_line(line)
        return Result(0)

    @property
    def told(self) -> str:
        """Everything it was given."""
        return "\n".join(" ".join(c.argv) + c.stdin.decode(errors="replace") for c in self.asked)


def harmless(text: str) -> bool:
    """Whether a message can be shown: it commands no terminal and is not endless."""
    return not set(FORBIDDEN) & set(text) and len(text) < 5000
