"""A watch in virtual time over two hosts in memory. Real: loading, planning, applying, resuming, journal, notes.
Fake: the hosts, leases (which the simulated guard does not have; these exclude by owner), and how changed specs
are noticed and read: at once, by the same process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import Locked
from reconciler.hosts.memory import Universe, run_virtual
from reconciler.hosts.memory.machine import EXITED
from reconciler.load import load_all
from reconciler.state.notebook import Notebook
from reconciler.watch import leading
from reconciler.watch.loop import Pace, Watch
from reconciler.watch.told import News, Told
from tests.cli.memory_fleet import two_hosts, want

CLOCK = 1_790_000_000.0
"""What the clock on the wall shows when virtual time begins."""


class Edits:
    """Specs of a folder, told of by the test."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.event = folder, asyncio.Event()

    async def read(self) -> Any:
        return load_all([self.folder]).spec

    async def changed(self) -> None:
        await self.event.wait()
        self.event.clear()

    def forget(self) -> None:
        return None

    def close(self) -> None:
        return None


@dataclass
class Scene:
    folder: Path
    hosts: Universe
    told: list[Told] = field(default_factory=list)
    holder: list[str] = field(default_factory=list)
    offset: float = 0.0

    def watch(self, name: str = "one", **more: Any) -> Watch:
        journal = self.folder / "journal"
        return Watch(
            Edits(self.folder / "specs"),
            journal,
            Notebook.beside(journal),
            Pace(),
            tell=self.told.append,
            me=f"{name}@here/{name}",
            now=lambda: CLOCK + self.offset + asyncio.get_running_loop().time(),
            chance=lambda: 0.5,
            **more,
        )

    def want(self, **places: str) -> None:
        want(self.folder, **places)

    def states(self) -> dict[str, dict[str, str]]:
        return {n: {c.name: c.state for c in m.containers.values()} for n, m in self.hosts.machines.items()}

    def kill(self, host: str) -> None:
        """All containers of a host end."""
        for container in self.hosts.machines[host].containers.values():
            container.state = EXITED

    def edit(self, watch: Watch) -> None:
        assert isinstance(watch.source, Edits)
        watch.source.event.set()

    def heard(self, news: News, workload: str = "") -> list[str]:
        return [t.text for t in self.told if t.news is news and t.workload == workload]

    def play(self, course: Callable[[Watch], Awaitable[None]], **more: Any) -> None:
        """Run a watch while `course` does things to its world, then stop it."""

        async def main() -> None:
            watch = self.watch(**more)
            job = asyncio.create_task(watch())
            try:
                await course(watch)
                watch.stop()
                await asyncio.wait_for(job, 3600)
            finally:
                job.cancel()

        run_virtual(main())

    @asynccontextmanager
    async def lease(self, fleet: Any, hosts: Any, owner: str, *_: Any, **__: Any) -> AsyncIterator[None]:
        if self.holder and self.holder[-1] != owner:
            raise Locked(f"{self.holder[-1]} works on h1", where="h1")
        self.holder.append(owner)
        try:
            yield
        finally:
            self.holder.remove(owner)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene(tmp_path, two_hosts(tmp_path, monkeypatch))
    monkeypatch.setattr(leading, "fleet_leases", made.lease)
    made.want(web="h1")
    return made
