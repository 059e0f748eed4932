"""A controller that is killed at every change it makes of a cluster, and another one that goes on. Real: commands,
engine, runtime, guard, journal. Fake: the cluster, and time."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.commands.recover import Resume
from reconciler.core.saga import GroupState
from reconciler.errors import ReplyLost
from reconciler.hosts.kubernetes.api import HttpAnswer, Request
from reconciler.hosts.memory import run_virtual
from reconciler.model.cluster import ClusterSpec
from tests.clusters.kubevirt import JOBS, KubeVirt, Lab, Wire, cluster, lab, machine, specs

CHANGES = 14
"""Changes of a move by one controller: its lease, marks and dossiers of two places, the migration made and
removed. A test fails when there are more."""


class Mortal(Wire):
    """Dies at its `last` change: `before` the server gets it, or after it was done."""

    changes = 0
    last = CHANGES
    before = True

    async def send(self, request: Request) -> HttpAnswer:
        if not self.cut and request.changes:
            self.changes += 1
            if self.changes == self.last:
                if not self.before:
                    await self.api.send(request)
                self.cut = True
        return await super().send(request)


class MortalLab(Lab):
    last, before = 0, True

    def connect(self, name: str, spec: ClusterSpec) -> Wire:
        wire = Mortal(self.api)
        wire.last, wire.before = self.last, self.before
        self.last = 0
        self.wires.append(wire)
        return wire


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MortalLab]:
    api = cluster("node01", "node02", "node03")
    machine(api)
    with lab(monkeypatch, tmp_path, api, MortalLab) as made:
        yield made


async def is_well(there: Lab) -> None:
    """One copy, where KubeVirt says; nothing of ours is under way; and what was wanted can be done."""
    running = [one["spec"]["nodeName"] for one in there.api.objects["pods"].values()]
    assert running == [there.where()]
    assert {one["status"]["phase"] for one in there.api.objects[JOBS].values()} <= {"Succeeded", "Failed"}
    seen = await there.plan(specs())
    assert not seen.plan.findings, seen.plan.findings
    if there.where() != "node02":
        done = await there.apply(specs())
        assert done.outcome and done.outcome.groups == {"db": GroupState.DONE}
    assert there.where() == "node02" and not (await there.plan(specs())).plan.changes
    back = await there.apply(specs("node01"))
    assert back.outcome and back.outcome.groups == {"db": GroupState.DONE}
    assert there.where() == "node01" and there.jobs() == [], "what a lost journal has left goes with the next move"


@pytest.mark.parametrize(
    ("before", "journal"),
    [(True, True), (False, True), (False, False)],  # without a journal, before one change is after the last one
    ids=["before", "after", "after, no journal"],
)
@pytest.mark.parametrize("last", range(1, CHANGES + 1))
def test_killed_at_every_change_then_resumed(
    there: MortalLab, last: int, before: bool, journal: bool, tmp_path: Path
) -> None:
    async def course() -> None:
        player = asyncio.create_task(KubeVirt(there.api).play())
        there.last, there.before = last, before
        first = asyncio.create_task(there.apply(specs()))
        async with asyncio.timeout(60):
            while not (there.wires and there.wires[0].cut) and not first.done():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert last < CHANGES or first.done(), "it makes more changes than are tried"
        there.api.drop("configmaps", "reconciler-leases", "default")
        if not journal:
            there.journal = tmp_path / "another.db"
        ended = await Resume(specs(), there.journal)()
        assert ended.exit_code == 0, ended.left.open
        assert not journal or there.jobs() == []
        await is_well(there)
        player.cancel()
        first.cancel()

    run_virtual(course())


@pytest.mark.parametrize("last", range(1, CHANGES))
def test_every_lost_answer_is_made_good(there: MortalLab, last: int) -> None:
    """Each change is done, and its answer does not come: the same controller goes on."""

    class Lossy(Wire):
        changes = 0

        async def send(self, request: Request) -> HttpAnswer:
            answer = await self.api.send(request)
            self.changes += request.changes
            if request.changes and self.changes == last:
                raise ReplyLost("cut")
            return answer

    async def course() -> None:
        player = asyncio.create_task(KubeVirt(there.api).play())
        there.connect = lambda name, spec: Lossy(there.api)  # type: ignore[method-assign]
        done = await there.apply(specs())
        assert done.outcome and done.outcome.groups == {"db": GroupState.DONE}, done.outcome
        assert there.where() == "node02" and there.jobs() == []
        await is_well(there)
        player.cancel()

    run_virtual(course())
