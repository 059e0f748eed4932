"""Fault simulation. Real: planner, saga, schedule, executor, steps, journal (in memory), retry, guard commands,
recovery from markers. Fake: hosts, runtime, guard and time (`reconciler.hosts.memory`).

SEEDS says how many (at least so many that every boundary is struck twice); `python -m tests.sim SEED` replays one.
"""

import json
import os
from pathlib import Path

import pytest

from reconciler.model.plan import StepKind
from tests.sim.checks import Scenario
from tests.sim.faults import FAULTS, HAZARDS, Fault
from tests.sim.many import run_seeds
from tests.sim.run import simulate
from tests.sim.seeds import MOVES, all_boundaries, boundaries, cases, scenario
from tests.sim.shapes import SHAPES

BUILD = Path(__file__).parent.parent.parent / "build"


@pytest.mark.timeout(0)
def test_invariants_hold_whatever_fails(capsys):
    every = all_boundaries()
    tally = run_seeds(max(int(os.environ.get("SEEDS") or 500), 2 * len(every)))
    covered = len(tally.covered & every)
    BUILD.mkdir(exist_ok=True)
    summary = {
        "seeds": tally.seeds,
        "boundaries": len(every),
        "covered": covered,
        "violations": len(tally.violations),
    }
    (BUILD / "sim.json").write_text(json.dumps(summary) + "\n")
    with capsys.disabled():
        print(
            f"\nsimulation: {tally.seeds} seeds, {covered} of {len(every)} boundaries covered,"
            f" {len(tally.violations)} violations"
        )
        for seed, lines in sorted(tally.violations.items())[:20]:
            print("  ", "\n     ".join(lines), f"\n     replay: python -m tests.sim {seed}")
    assert not tally.violations
    assert covered >= 0.99 * len(every)


@pytest.mark.parametrize("shape", SHAPES)
def test_without_faults_every_shape_is_done_and_its_next_plan_is_empty(shape):
    result = simulate(Scenario(0, shape, ()))
    assert result.violations == []
    assert {state.value for state in result.groups.values()} == {"done"}


def test_a_seed_replays_exactly():
    for seed in (3, 77, 1234):
        first, second = simulate(scenario(seed)), simulate(scenario(seed))
        assert first.log == second.log
        assert first.groups == second.groups


def test_every_kind_of_step_has_fault_cases():
    assert set(FAULTS) == set(StepKind), "say in tests/sim/faults.py which faults the new kind of step survives"


def test_every_kind_of_step_is_in_a_shape():
    assert {b.kind for shape in SHAPES for b in boundaries(shape)} == set(StepKind)


def test_every_fault_is_used():
    assert {fault for faults in FAULTS.values() for fault in faults} == set(Fault)


def test_every_hazard_has_faults_and_strikes_a_move():
    assert {fault for faults in HAZARDS.values() for fault in faults} == set(Fault)
    moved = {case.strike.fault for case in cases() if case.shape in MOVES}
    assert moved == set(Fault)


def test_every_fault_that_a_kind_of_step_must_survive_strikes_it():
    struck = {(case.strike.at.kind, case.strike.fault) for case in cases()}
    assert struck == {(kind, fault) for kind, faults in FAULTS.items() for fault in faults}
