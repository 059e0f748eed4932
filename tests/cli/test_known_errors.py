"""A failure whose log is known is shown with what it means and what helps."""

from reconciler.cli.views.failure import render_error
from reconciler.cli.views.output.plan import plan_document
from reconciler.commands.app import Seen
from reconciler.core.planner import make_plan
from reconciler.errors import CommandFailed
from tests.core.worlds import container, facts, host, spec, workload, world

LOG = "(00.1) Error (criu/files-reg.c:1031): Can't dump ghost file /gone of 2097152 size, increase limit"


def test_a_known_error_is_explained():
    shown = render_error(CommandFailed("web could not be held", code="C310", log_tail=LOG), False)
    assert "a deleted file of more than 1 MiB is still open" in shown and "SIGHUP" in shown


def test_an_unknown_one_is_not():
    assert "means" not in render_error(CommandFailed("web failed", stderr="something else"), False)


def test_plans_carry_a_verdict_for_each_workload():
    before, after = workload(on="h1"), workload(on="h2")
    other = workload("b", on="h2", networks=[{"name": "nowhere"}])
    seen = world(facts("h1", container(before)), facts("h2"))
    told = plan_document(Seen(seen, make_plan(spec(host("h1"), host("h2"), after, other), seen)), 1)
    assert [(row.workload, row.verdict) for row in told.verdicts] == [("b", "no"), ("web", "yes")]
