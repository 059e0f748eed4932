"""Predictions learn from earlier moves; a limit on downtime is held before anything stops."""

import pytest

from reconciler.cli.views import outlook
from reconciler.core.accuracy import frozen_seconds, measured_moves, rates
from reconciler.core.planner import make_plan
from reconciler.core.strategy import DEFAULT, predict
from reconciler.model.plan import StepKind
from reconciler.model.record import Mark, Record, Run
from reconciler.model.result import CopyMade
from reconciler.model.spec import MigrationPolicy, Strategy
from tests.core.worlds import API, container, facts, host, spec, workload, world

H1, H2 = host("h1"), host("h2")
MIB = 2**20


def planned(memory=512 * MIB, policy=None, earlier=()):
    migration = {"policy": "p"} if policy else None
    after = workload(on="h2")
    after = after.model_copy(update={"spec": after.spec.model_copy(update={"migration": None})})
    desired = spec(H1, H2, after)
    if policy is not None:
        kind = MigrationPolicy(api_version=API, kind="MigrationPolicy", metadata={"name": "p"}, spec=policy)
        wanted = after.model_validate(
            after.model_dump(by_alias=True, exclude_none=True)
            | {"spec": after.spec.model_dump(by_alias=True, exclude_none=True) | {"migration": migration}}
        )
        desired = desired.model_copy(update={"workloads": {"web": wanted}, "policies": {"p": kind}})
    have = container(workload(on="h1"), memory_bytes=memory)
    return make_plan(desired, world(facts("h1", have), facts("h2")), (), earlier)


def run_of(plan, hold=0.5, copy=1.0, restore=0.3, note=""):
    """A run in which every step took the time given, one after the other."""
    at = 100.0
    records: list[Record] = []
    took = {StepKind.HOLD: hold, StepKind.TRANSFER: copy, StepKind.RESTORE: restore}
    for step in plan.steps:
        copied = CopyMade(copied_bytes=512 * MIB, seconds=copy, how="direct")
        result = copied if step.kind is StepKind.TRANSFER else None
        records.append(Record(seq=len(records), step=step.id, mark=Mark.INTENT, at=at))
        at += took.get(step.kind, 0.01)
        records.append(Record(seq=len(records), step=step.id, mark=Mark.DONE, at=at, note=note, result=result))
    return Run(id="r", plan=plan, started_at=100, actor="me", records=tuple(records))


def test_a_slow_link_that_was_seen_is_predicted_next_time():
    first = planned()
    moves = measured_moves([run_of(first, copy=10.0)] * 3)
    assert moves[0].frozen_s == pytest.approx(0.5 + 10.0 + 0.01 + 0.3)
    again = planned(earlier=moves)
    assert again.moves["web"].predicted_downtime_s == pytest.approx(moves[0].frozen_s, rel=0.3)
    assert "learned from 3 earlier moves" in dict(outlook.rows(again.changes[0]))["downtime"]
    assert first.moves["web"].predicted_downtime_s < 3


def test_a_first_move_is_predicted_as_a_range():
    first, moves = planned(), measured_moves([run_of(planned())])
    again = planned(earlier=moves)
    told = dict(outlook.rows(first.changes[0]))["downtime"]
    assert "first move between these hosts" in told and " to " in told
    assert first.moves["web"].predicted_downtime_s < first.moves["web"].predicted_most_s
    assert again.moves["web"].predicted_downtime_s == again.moves["web"].predicted_most_s
    assert moves[0].good, "what lies in the range was predicted"


def test_without_earlier_moves_between_these_hosts_the_defaults_hold():
    assert rates([], "h1", "h2") == DEFAULT
    elsewhere = measured_moves([run_of(planned())])
    assert rates(elsewhere, "h2", "h1") == DEFAULT


def test_what_another_controller_ended_is_not_measured():
    run = run_of(planned(), note="another controller brought it to its end")
    assert measured_moves([run]) == [] and frozen_seconds(run, "web") is None


def test_lazy_restore_does_not_grow_with_memory():
    small, large = (predict(Strategy.LAZY, size * MIB, 0) for size in (4, 4096))
    assert small.restore == large.restore and large.copy > small.copy
    assert predict(Strategy.COLD, 4096 * MIB, 0).restore > large.restore


@pytest.mark.parametrize(("best_effort", "severity"), [(False, "refuse"), (True, "warn")])
def test_a_downtime_that_cannot_be_kept_is_refused_unless_best_effort(best_effort, severity):
    plan = planned(memory=2048 * MIB, policy={"maxDowntime": "1s", "bestEffort": best_effort})
    assert [(f.rule, f.severity) for f in plan.findings] == [("downtime.limit", severity)]
    assert bool(plan.steps) is best_effort
    assert planned(memory=4 * MIB, policy={"maxDowntime": "1s"}).findings == ()
