"""A workload with another name is the same one when it says so."""

from pathlib import Path

from reconciler.cli.views import outlook
from reconciler.core.planner import make_plan
from reconciler.load import load
from reconciler.model.plan import ChangeKind
from tests.core.worlds import container, facts, world
from tests.load.test_rules import check, workload

VOLUME = "volumes: [{name: data, target: /data}]"


def renamed(on: str = "h0") -> str:
    return workload("shop", VOLUME, f"host: {on}").replace("{name: shop}", "{name: shop, renamedFrom: web}")


def test_nothing_happens_to_what_runs_and_it_moves_under_its_old_name(tmp_path: Path) -> None:
    assert check(tmp_path, workload("web", VOLUME)) == []
    runs = container(load([tmp_path]).workloads["web"])
    hosts = world(facts("h0", runs), facts("h1"))
    check(tmp_path, renamed())
    same = load([tmp_path])
    assert make_plan(same, hosts).changes == ()
    assert "specs.yaml:" in str(same.origin("Workload", "web", "spec.placement.host"))
    check(tmp_path, renamed("h1"))
    (change,) = make_plan(load([tmp_path]), hosts).changes
    assert (change.kind, change.workload) == (ChangeKind.MOVE, "web")
    assert ("called", "shop in the specs; on hosts it keeps its name") in outlook.rows(change)


def test_its_old_name_is_taken(tmp_path: Path) -> None:
    assert check(tmp_path, workload("web"), renamed()) == ["E140"]
