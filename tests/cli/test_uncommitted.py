"""Specs that differ from their commit are said to do so, wherever the commit is named."""

import pytest

from reconciler.cli.views.plan import render_plan
from reconciler.cli.views.status import render_history
from reconciler.commands.app import Seen
from reconciler.commands.binding import Binding
from reconciler.model.plan import Plan
from reconciler.model.record import Run
from reconciler.model.world import World

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SAYS = "with uncommitted changes"


@pytest.mark.parametrize(("dirty", "ends"), [(True, f"0123456 {SAYS}"), (False, "0123456")])
def test_wherever_the_commit_is_named(dirty, ends):
    plan = Plan(commit=COMMIT, dirty=dirty)
    run = Run(id="r1", plan=plan, started_at=1.0, actor="anna/1", commit=COMMIT)
    assert render_plan(Seen(World(), plan), False).split("\n")[0].endswith(f"specs at {ends}")
    assert render_history([run], None, False).endswith(f"by anna at {ends}")
    assert Binding(program="1", specs="s", commit=COMMIT, dirty=dirty).at == f"at {ends}"


def test_specs_of_no_commit():
    assert SAYS not in render_plan(Seen(World(), Plan(dirty=True)), False)
    assert Binding(program="1", specs="s", dirty=True).at == "in no commit"
