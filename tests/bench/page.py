"""How long the page of a watch takes to answer, with thousands of workloads. Real: pages and journal. Made up:
what a look saw."""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path

from reconciler.cli.views.site import pages
from reconciler.commands.app import Seen
from reconciler.core.planner import make_plan
from reconciler.core.tending import Cause, Postponed, narrowed
from reconciler.model.plan import Plan
from reconciler.model.record import Mark, Run, RunState
from reconciler.state.journal import Journal
from reconciler.state.notebook import Notebook
from reconciler.watch.http import GuardedPage
from reconciler.watch.loop import Stand, Watch
from tests.bench.figures import Figure, median_s
from tests.bench.world import fleet
from tests.page.scene import NoSource

WORKLOADS, HOSTS, MOVING, EARLIER = 5_000, 50, 20, 100


def page_figures(n: int) -> list[Figure]:
    """What each page takes; and what is done anew after each look while somebody is there, before they ask."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder, "journal")
        spec, world = fleet(HOSTS, WORKLOADS, MOVING)
        plan = make_plan(spec, world)
        _keep(journal, plan)
        waits = tuple(Postponed(name, Cause.WINDOW, "outside its windows") for name in plan.groups)
        watch = Watch(NoSource(), journal, Notebook.beside(journal))
        there = pages(watch)

        def after_a_look() -> None:
            watch.stand = Stand(spec, False, waits, seen=Seen(world, plan), at=time.time())
            there["/workloads"]({})

        def once(page: GuardedPage) -> None:
            page({})

        anew = median_s(n, after_a_look)
        found = [Figure(f"the page of a watch over {WORKLOADS:,} workloads, made anew", anew, "s of CPU")]
        for path in ("/", "/workloads", "/history", "/checkpoints", "/plan"):
            took = median_s(n, partial(once, there[path]))
            found.append(Figure(f"the same, {path}", took, "s of CPU", 0.1))
        return found


def _keep(journal: Path, plan: Plan) -> None:
    """Runs that have ended, and one for each move that is under way."""
    with Journal.open(journal) as kept:
        names = list(plan.moves)
        for number in range(EARLIER + len(names)):
            part = narrowed(plan, {names[number % len(names)]})
            run = Run(id=f"20261126-{number:06}-aaaa", plan=part, started_at=float(number), actor="a@b/1")
            kept.begin(run)
            for step in part.steps if number < EARLIER else part.steps[:4]:
                kept.append(run.id, step.id, Mark.INTENT, float(number))
                kept.append(run.id, step.id, Mark.DONE, number + 0.1)
            if number < EARLIER:
                kept.end(run.id, RunState.DONE, number + 1.0)
