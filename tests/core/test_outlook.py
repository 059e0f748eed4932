"""What a plan tells of a change is numbers and codes, which views make words of. Made here: specs and hosts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.cli.views import outlook as words
from reconciler.cli.views.output.base import as_json
from reconciler.cli.views.output.plan import plan_document
from reconciler.commands.app import Seen
from reconciler.core.obstacles import in_words
from reconciler.core.planner import make_plan
from reconciler.model.outlook import MoveObstacle, ObstacleCode, Outlook, VolumeWay, WayBack
from reconciler.model.plan import Change, Plan
from reconciler.model.spec import MigrationPolicy, PolicyRefs
from reconciler.model.world import InstanceNetwork, TcpConnection
from tests.core.worlds import API, GIB, container, facts, host, spec, volume, workload, world

H1, H2 = host("h1"), host("h2")
DATA = [{"name": "data", "target": "/data"}]
MIB = 2**20


def moved(memory: int = 512 * MIB, **has: Any) -> Change:
    before, after = (workload(on=on, volumes=DATA) for on in ("h1", "h2"))
    held = container(before, memory_bytes=memory, rootfs_bytes=3 * MIB, **has)
    there = world(facts("h1", held, volumes=(volume("data"),)), facts("h2"))
    return make_plan(spec(H1, H2, after), there).changes[0]


def test_a_move_is_told_in_numbers() -> None:
    told = moved(processes=2).outlook
    held = told.held_move
    assert held and held.expected_bytes == 515 * MIB and not held.in_rounds and held.learned_from == 0
    parts = (held.dumping, held.copying, held.restoring)
    assert sum(part.least_s for part in parts) == pytest.approx(held.downtime.least_s, abs=0.002)
    assert sum(part.most_s for part in parts) == pytest.approx(held.downtime.most_s, abs=0.002)
    assert held.downtime.least_s < held.downtime.most_s, "a first move"
    assert [(room.host, room.needed_bytes, room.free_bytes, room.on_disk) for room in held.room] == [
        ("h1", 512 * MIB, 8 * GIB, False),
        ("h2", 512 * MIB, 8 * GIB, False),
    ]
    (avoided,) = held.not_chosen
    assert (avoided.way, avoided.obstacle.code, avoided.obstacle.found) == ("lazy", "several-processes", "2")
    (data,) = told.volumes
    assert (data.name, data.way, data.source) == ("data", VolumeWay.ALONG, "h1")
    assert told.way_back is WayBack.SOURCE_RESUMES and told.loss is None


def test_what_stopping_costs_is_told_in_numbers() -> None:
    web = workload(state="stopped")
    connections = (TcpConnection(local="10.77.0.9:1", peer="10.77.0.1:2"),)
    runs = container(web, memory_bytes=7 * MIB, tcp_established=connections, started_at=100.0)
    there = world(facts("h1", runs, clock_s=160.0))
    lost = make_plan(spec(H1, web), there).changes[0].outlook.loss
    assert lost and (lost.memory_bytes, lost.connections, lost.ran_s) == (7 * MIB, 1, 60.0)
    assert not lost.rootfs_changes, "it is stopped, not removed"


def by_runtime() -> tuple[Seen, Change]:
    policy = MigrationPolicy(
        api_version=API,
        kind="MigrationPolicy",
        metadata={"name": "p"},
        spec={"live": {"within": "90s", "bandwidth": "100MiB"}},
    )
    by_it = {"runtime": "engine", "migration": PolicyRefs(policy="p")}
    before, after = (
        wanted.model_copy(update={"spec": wanted.spec.model_copy(update=by_it)})
        for wanted in (workload(on="h1"), workload(on="h2"))
    )
    card = (InstanceNetwork(name="lab", mac="02:00:00:00:00:01"),)
    runs = container(before, memory_bytes=GIB, runtime="engine", networks=card)
    seen = world(facts("h1", runs, runtimes={"engine": "1"}), facts("h2", runtimes={"engine": "1"}))
    seen = seen.model_copy(update={"abilities": {"engine": ("lifecycle", "self-moves", "images", "networks")}})
    wanted = spec(H1, H2, after).model_copy(update={"policies": {"p": policy}})
    plan = make_plan(wanted, seen)
    return Seen(seen, plan), plan.changes[0]


def test_a_move_by_its_runtime_is_told_to_people_and_programs() -> None:
    seen, change = by_runtime()
    live = change.outlook.live_move
    assert live and (live.bandwidth_bytes, live.within_s, live.macs) == (100 * MIB, 90.0, ("02:00:00:00:00:01",))
    assert live.lasts_s == pytest.approx(GIB / (100 * MIB), abs=0.001)
    rows = dict(words.rows(change))
    assert rows["how"] == "live migration by engine, while it runs; at most 100MiB a second"
    assert rows["limit"] == "after 1m30s: given up"
    document = as_json(plan_document(seen, 0))
    (told,) = document["changes"]
    assert (told["move"]["strategy"], told["move"]["cutover"]) == ("live", "runtime")
    assert told["outlook"]["liveMove"]["lastsS"] == live.lasts_s and told["outlook"]["heldMove"] is None


@pytest.mark.parametrize("code", ObstacleCode)
def test_each_obstacle_has_words_of_its_own(code: ObstacleCode) -> None:
    said = in_words(MoveObstacle(code=code, host="h7", found="f7", needed="n7"))
    others = {
        in_words(MoveObstacle(code=o, host="h7", found="f7", needed="n7")) for o in ObstacleCode if o != code
    }
    assert said and said not in others
    through = in_words(MoveObstacle(code=code, keeps_from_lazy=True))
    assert through.startswith("there is no lazy restore: ")


def test_plans_that_earlier_releases_kept_are_read() -> None:
    """They had rows of words where numbers are now."""
    change = moved()
    kept = json.loads(Plan(changes=(change,)).model_dump_json(by_alias=True))
    assert Plan.model_validate(kept).changes == (change,)
    del kept["changes"][0]["outlook"]
    kept["changes"][0]["details"] = [["how", "cold"]]
    (read,) = Plan.model_validate(kept).changes
    assert (read.workload, read.kind, read.outlook) == (change.workload, change.kind, Outlook())
