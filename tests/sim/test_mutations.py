"""A test of the test: deliberate bugs in what keeps workloads safe are found within 500 seeds."""

import asyncio
from unittest import mock

import pytest

from reconciler.engine.effects import EFFECTS, Effect, back
from reconciler.hosts.memory import guard, runtime
from reconciler.model.plan import StepKind
from tests.sim import shapes
from tests.sim.checks import Scenario
from tests.sim.driver import SimDriver
from tests.sim.faults import Fault
from tests.sim.run import simulate
from tests.sim.seeds import MOVES, cases, scenario

LIMIT = 500
SILENCE = {
    Fault.ZOMBIE,
    Fault.DELAYED,
    Fault.KILLED,
    Fault.SOURCE_CUT,
    Fault.DESTINATION_CUT,
    Fault.ALL_CUT,
    Fault.HANG,
}
"""What makes a hook decide by itself, or brings commands at the wrong time."""


@pytest.fixture(autouse=True)
def _known_before() -> None:
    """Scenarios are those of the program without bugs, and other tests keep them."""
    cases()


def first_found(rules):
    """The first seed whose violations are of these rules, of those that move something and can matter here."""
    for seed in range(LIMIT):
        shape, strikes = scenario(seed).shape, scenario(seed).strikes
        if shape not in MOVES or not {s.fault for s in strikes} & SILENCE:
            continue
        found = simulate(scenario(seed)).violations
        if any(violation.startswith(rules) for violation in found):
            return seed
    return None


async def commit_destination_only(self, step, progress):
    handover, driver = self.handover(step), self.driver(step)
    await self.on(step.host, driver.commit_destination(handover))
    return {}


async def restore_then_commit(self, step, progress):
    handover, driver = self.handover(step), self.driver(step)
    await self.on(step.host, driver.restore(handover))
    await self.on(step.peer, driver.commit_source(handover))
    return {}


def test_commit_written_after_restore_is_found():
    bug = {
        StepKind.COMMIT: Effect(commit_destination_only, back.fence_off),
        StepKind.RESTORE: Effect(restore_then_commit),
    }
    with mock.patch.dict(EFFECTS, bug):
        assert first_found("I1") is not None


async def run_unguarded(self, words, stdin):
    return await self._run(self.machine, words[4:], stdin)


def load_anything(self, name, epoch=None):
    return self.read(name)


async def commit_blindly(self, name, epoch):
    row = self.read(name)
    self.store(name, int(epoch), "committed", "source", row.run, row.peer)


def test_skipped_guard_is_found():
    with (
        mock.patch.object(guard.Guard, "run", run_unguarded),
        mock.patch.object(guard.Guard, "load", load_anything),
        mock.patch.object(guard.Guard, "commit", commit_blindly),
        mock.patch.object(guard, "_may_follow", return_value=True),
    ):
        assert first_found(("I1", "I2")) is not None


async def verdict_of_an_impatient_hook(machine, hook):
    loop = asyncio.get_running_loop()
    hook.held = hook.beat = loop.time()
    hook.notify.set()
    while not (hook.final or hook.verdict == "resume"):
        deadline = min(hook.beat + hook.silence, hook.held + hook.freeze)
        if loop.time() > deadline:
            return "resume"  # also after the commit: that is the bug
        await asyncio.wait({asyncio.ensure_future(hook.wake.wait())}, timeout=deadline - loop.time() + 0.5)
        hook.wake.clear()
    return "resume" if "resume" in (hook.verdict, hook.final) else "release"


def test_hook_that_resumes_after_commit_is_found():
    with mock.patch.object(runtime, "_verdict", verdict_of_an_impatient_hook):
        assert first_found("I1") is not None


def found_among(faults, rules, shapes=None, tries=3):
    """Whether a case with one of these faults shows a violation of these rules."""
    matching = [c for c in cases() if c.strike.fault in faults and c.shape in (shapes or MOVES)]
    for seed in range(tries):
        for case in matching:
            result = simulate(Scenario(seed, case.shape, (*case.first, case.strike)))
            if any(violation.startswith(rules) for violation in result.violations):
                return True
    return False


def test_runs_of_the_same_epoch_that_are_not_told_apart_are_found():
    """Another controller's newer specs name another destination, and both planned from the same state: each undoes
    what the other has reserved, until nobody can end it."""
    with mock.patch.object(guard.Guard, "ours"):
        assert found_among({Fault.ZOMBIE_APART}, ("I1", "I5", "stuck"), {"move-elsewhere"})


def confirmed_at_once(self, handover, ok):
    return
    yield


def test_a_source_let_go_before_all_memory_has_arrived_is_found():
    with mock.patch.object(SimDriver, "_drain", confirmed_at_once):
        assert found_among({Fault.PAGES_LOST}, "I2")


async def take_nothing_back(acting, handover, when):
    return


def test_actions_that_are_not_taken_back_are_found():
    with mock.patch.object(back, "take_back_actions", take_nothing_back):
        assert found_among({Fault.RESTORE_FAILS}, "actions", {"move-with-actions"})


async def dumped_and_forgotten(machine, name, hook, dump=runtime.dump):
    status = await dump(machine, name, hook)
    hook.tasks_ended = False
    return status


def test_a_frozen_copy_whose_end_is_not_noted_is_found():
    """Its hook or CRIU was killed, and who goes back is told that it runs on."""
    with mock.patch.object(runtime, "dump", dumped_and_forgotten):
        assert found_among({Fault.CRIU_KILLED, Fault.HOOK_KILLED}, ("nowhere", "again", "stuck", "I2"))


def at_boot_whatever_the_marker_says(machine, container):
    return not container.stopped and container.name == container.workload


def test_a_boot_that_does_not_ask_the_guard_is_found():
    """Hosts that start at boot what ran on them: with the guard's word the same cases end with one copy."""
    reboots = {Fault.SOURCE_REBOOTS, Fault.DESTINATION_REBOOTS}
    moves = [c for c in cases() if c.strike.fault in reboots and c.shape in ("move", "swap")]

    def doubled():
        found = (simulate(Scenario(0, c.shape, (*c.first, c.strike), boots=True)).violations for c in moves[:60])
        return any(violation.startswith("I1") for violations in found for violation in violations)

    assert not doubled()
    with mock.patch.object(shapes, "let_at_boot", at_boot_whatever_the_marker_says):
        assert doubled()
