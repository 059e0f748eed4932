"""Hosts that keep leases as the guard does, and nothing else."""

from __future__ import annotations

import asyncio

from reconciler.errors import CommandFailed
from reconciler.model.command import Command, Result


class Hosts:
    """A fleet; `leases` says who has which host."""

    def __init__(self) -> None:
        self.leases: dict[str, str] = {}

    def host(self, name: str) -> Session:
        return Session(self.leases, name)


class Session:
    """One of its hosts."""

    def __init__(self, leases: dict[str, str], name: str) -> None:
        self.leases, self.name = leases, name

    async def run(self, command: Command) -> Result:
        await asyncio.sleep(0)
        words, holder = command.argv[2:], self.leases.get(self.name, "")
        match words[:2]:
            case ("lease", "show"):
                row = f'{{"workload":"reconciler","owner":"{holder}","since":0,"left_cs":4000}}'
                return Result(0, row, "", 0.0)
            case ("lease", "take"):
                if holder not in ("", words[3]):
                    told = f"reconciler-guard[78]: {holder} has it\n"
                    raise CommandFailed("no", exit_code=78, stderr=told, where=self.name)
                self.leases[self.name] = words[3]
            case ("lease", "drop"):
                if holder == words[3]:
                    del self.leases[self.name]
        return Result(0, "", "", 0.0)
