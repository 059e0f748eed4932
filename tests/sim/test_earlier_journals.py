"""A move that a controller of an earlier release has begun is ended by this one, from that one's journal. Hosts
are in memory; the journals were recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.commands.recover import Resume
from reconciler.hosts.memory import run_virtual
from reconciler.model.plan import StepKind
from reconciler.model.record import Mark, RunState
from reconciler.state.journal import Journal
from tests.sim.stage import Stage
from tests.state.test_formats import FORMATS, recorded

RUN = "run5"
BEGUN = (StepKind.RESERVE, StepKind.STAGE, StepKind.PRECOPY, StepKind.HOLD, StepKind.TRANSFER)


@pytest.mark.parametrize("number", FORMATS)
def test_before_its_commit_it_goes_back(tmp_path: Path, number: int) -> None:
    async def course() -> None:
        s = Stage("move-precopy", BEGUN, RUN)
        await s.play()
        with Journal.open(recorded(number, tmp_path / "journal.db")) as journal:
            await Resume(s.scene.spec, None).on(s.outside, journal)
            run = journal.run(RUN)
        assert run.state is RunState.FAILED and s.running() == ["h1"]
        assert {r.mark for r in run.records[len(BEGUN) * 2 :]} == {Mark.UNDO, Mark.UNDONE}

    run_virtual(course())


@pytest.mark.parametrize("number", FORMATS)
def test_after_its_commit_it_goes_forward(tmp_path: Path, number: int) -> None:
    async def course() -> None:
        s = Stage("move-precopy", (*BEGUN, StepKind.COMMIT), RUN)
        await s.play()
        with Journal.open(recorded(number, tmp_path / "journal.db")) as journal:
            commit = next(step for step in s.plan.steps if step.kind is StepKind.COMMIT)
            for mark in (Mark.INTENT, Mark.DONE):
                journal.append(RUN, commit.id, mark, 6000.0)
            await Resume(s.scene.spec, None).on(s.outside, journal)
            run = journal.run(RUN)
        assert run.state is RunState.DONE and s.running() == ["h2"]
        assert {record.step: record.mark for record in run.records} == {
            step.id: Mark.DONE for step in run.plan.steps
        }

    run_virtual(course())
