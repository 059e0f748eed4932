"""A watch that has looked, for its pages. Real: loading, planning, moves, the journal, the pages, HTTP. Fake: the
hosts, in memory, and when things happened: the watch itself does not run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli import main
from reconciler.commands import app
from reconciler.core.points import Point
from reconciler.core.tending import Cause, Postponed, narrowed
from reconciler.hosts.memory import Universe, run_virtual
from reconciler.load import load_all
from reconciler.model.checkpoint import Kept, KeptAt, KeptFile, Manifest, TakenFrom
from reconciler.model.plan import StepKind
from reconciler.model.record import Mark, Run, RunState
from reconciler.model.world import HostUnknown
from reconciler.state.amounts import Amounts
from reconciler.state.journal import Journal
from reconciler.state.notebook import Notebook
from reconciler.watch.loop import Stand, Watch
from tests.cli.memory_fleet import two_hosts, want

MIB = 2**20


class NoSource:
    """Specs that are never read again."""

    async def read(self) -> Any:
        return None

    async def changed(self) -> None:
        return None

    def forget(self) -> None:
        return None

    def close(self) -> None:
        return None


@dataclass
class Shown:
    folder: Path
    hosts: Universe
    watch: Watch

    @classmethod
    def made(cls, folder: Path, patch: pytest.MonkeyPatch, **places: str) -> Shown:
        """`places`: the workloads and their hosts, h1 or h2; all of them run there."""
        hosts = two_hosts(folder, patch)
        journal = folder / "journal"
        watch = Watch(NoSource(), journal, Notebook.beside(journal))
        watch.leads = True
        shown = cls(folder, hosts, watch)
        want(folder, **places)
        assert main.run(["apply", "--yes"]) == 0
        shown.look()
        return shown

    def look(self, **more: Any) -> None:
        """As a pass of the watch does."""
        spec = load_all([self.folder / "specs"]).spec
        seen = run_virtual(app.plan(spec, self.watch.journal, lambda left: None))
        self.watch.stand = replace(Stand(spec, not seen.plan.steps, seen=seen, at=time.time()), **more)

    def unknown(self, host: str, reason: str) -> None:
        stand = self.watch.stand
        assert stand.seen
        world = stand.seen.world
        hosts = {**world.hosts, host: HostUnknown(name=host, reason=reason, code="H202")}
        seen = replace(stand.seen, world=world.model_copy(update={"hosts": hosts}))
        self.watch.stand = replace(stand, seen=seen, unknown={host: ("H202", reason)}, converged=False)

    def points(self, points: Mapping[str, Point]) -> None:
        stand = self.watch.stand
        assert stand.seen
        self.watch.stand = replace(stand, seen=replace(stand.seen, points=points), converged=False)

    def move(self, **places: str) -> None:
        """Carried out, by an apply beside the watch."""
        want(self.folder, **places)
        assert main.run(["apply", "--yes"]) == 0

    def wait(self, name: str, cause: Cause, why: str) -> None:
        stand = self.watch.stand
        self.watch.stand = replace(stand, waits=(*stand.waits, Postponed(name, cause, why)), converged=False)


def reopened(journal_file: Path, name: str, until: StepKind, copied: int = 0) -> Run:
    """The latest move of a workload once more, as if it had come as far as that step of it by now, which
    copies."""
    with Journal.open(journal_file) as journal:
        done = next(run for run in journal.runs(name) if name in run.plan.moves)
        steps = tuple(
            step.model_copy(update={"expected_bytes": 512 * MIB}) if step.kind is until else step
            for step in done.plan.groups[name]
        )
        plan = narrowed(done.plan, {name}).model_copy(update={"steps": steps})
        now = time.time()
        run = done.model_copy(
            update={"id": f"{done.id}-b", "plan": plan, "started_at": now - 9.4, "state": RunState.OPEN}
        )
        journal.begin(run)
        last = next(step.id for step in steps if step.kind is until)
        kept = []
        for record in done.records_of(name):
            kept.append(record)
            if (record.step, record.mark) == (last, Mark.INTENT):
                break
        for number, record in enumerate(kept):
            at = now - (len(kept) - number) * 0.3
            journal.append(run.id, record.step, record.mark, at, record.note, record.result)
        journal.locks.take([name], "anna@ci-7/1-1-4026531836-aaaaaaaa", now)
    if copied:
        Amounts.beside(journal_file).note(run.id, last, copied, now + 1.2)
    return run


def kept(name: str) -> tuple[Kept, ...]:
    """One that is whole, and one that is not."""
    whole = Manifest(
        id="20261126-050607-aaaa",
        workload=name,
        epoch=3,
        taken_at=1795669567.0,
        frozen_s=0.1,
        came_from=TakenFrom(host="h2", runtime="podman"),
        files=(KeptFile(name="images.tar.zst", bytes=3 * MIB, sha256="0" * 64),),
    )
    return (
        Kept(KeptAt("h1"), name, whole.id, pinned=True, manifest=whole),
        Kept(KeptAt("h2", "/srv/kept"), name, "20261125-050607-bbbb", broken="its manifest <b> is torn"),
    )


def busy(folder: Path, patch: pytest.MonkeyPatch) -> Shown:
    """A fleet in which something of everything is going on."""
    names = ("cart", "cache", "counter", "db", "mail", "queue", "search", "web")
    places = {name: "h1" if number % 2 else "h2" for number, name in enumerate(names)}
    shown = Shown.made(folder, patch, **places)
    shown.move(**places | {"web": "h2"})
    shown.move(**places)
    shown.move(**places | {"web": "h2", "db": "h2"})
    want(folder, **places | {"mail": "h1"})
    shown.look()
    shown.wait("mail", Cause.WINDOW, "outside its windows until 22:00 (SyncPolicy at-night)")
    reopened(folder / "journal", "web", StepKind.TRANSFER, 210 * MIB)
    shown.points(
        {
            "db": Point("db", "hourly", 5400.0, 3600.0, 0.0, late=True),
            "web": Point("web", "hourly", 300.0, 3600.0, 3300.0, kept=kept("web")),
        }
    )
    return shown
