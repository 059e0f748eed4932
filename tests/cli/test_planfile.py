"""Plan files: complete, sealed, versioned."""

import json

import pytest

from reconciler.app import refuse_stale
from reconciler.core.planner import make_plan
from reconciler.errors import InputError, StalePlan
from reconciler.planfile import read_plan, write_plan
from tests.core.worlds import container, facts, host, spec, workload, world

H1, H2 = host("h1"), host("h2")
WORLD = world(facts("h1", container(workload(on="h1"))), facts("h2"))
SPEC = spec(H1, H2, workload(on="h2"))


def test_a_plan_comes_back_as_it_was(tmp_path):
    plan = make_plan(SPEC, WORLD)
    write_plan(plan, SPEC, tmp_path / "p.json")
    saved = read_plan(tmp_path / "p.json")
    assert saved.plan == plan and make_plan(saved.spec, WORLD) == plan
    assert (tmp_path / "p.json").stat().st_mode & 0o077 == 0
    refuse_stale(saved.plan, make_plan(saved.spec, WORLD))


@pytest.mark.parametrize("change", ["destination", "digest", "version"])
def test_an_edited_or_foreign_plan_is_refused(tmp_path, change):
    path = tmp_path / "p.json"
    write_plan(make_plan(SPEC, WORLD), SPEC, path)
    text = path.read_text()
    edits = {
        "destination": lambda: text.replace('"destination": "h2"', '"destination": "h9"'),
        "digest": lambda: text.replace('"digest": "', '"digest": "0'),
        "version": lambda: json.dumps(json.loads(text) | {"version": 99}),
    }
    path.write_text(edits[change]())
    with pytest.raises(StalePlan) as refused:
        read_plan(path)
    assert refused.value.exit_code == 8


def test_what_is_no_plan_file_is_bad_input(tmp_path):
    for content in ("", "[]", "hello", "\x00"):
        (tmp_path / "x").write_text(content)
        with pytest.raises(InputError):
            read_plan(tmp_path / "x")


def test_a_plan_is_stale_when_the_workload_has_moved_meanwhile():
    saved = make_plan(SPEC, WORLD)
    elsewhere = world(facts("h1"), facts("h2", container(workload(on="h1"))))
    with pytest.raises(StalePlan):
        refuse_stale(saved, make_plan(SPEC, elsewhere))


def test_a_plan_file_cannot_be_written_to_nowhere(tmp_path):
    with pytest.raises(InputError):
        write_plan(make_plan(SPEC, WORLD), SPEC, tmp_path / "no" / "folder" / "p.json")
