"""What is started when: limits per host hold, nothing waits for ever, whatever order things end in."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.saga import Saga
from reconciler.core.schedule import Schedule, Slots
from reconciler.model.plan import Plan, Step, StepKind
from reconciler.model.record import Mark, Record

CHAIN = (StepKind.STAGE, StepKind.HOLD, StepKind.TRANSFER, StepKind.COMMIT, StepKind.RESTORE, StepKind.RETIRE)


def fleet_plan(ways: list[tuple[str, str]]) -> Plan:
    """A move for each way between two hosts."""
    steps: list[Step] = []
    for number, (source, destination) in enumerate(ways):
        needs: tuple[str, ...] = ()
        for kind in CHAIN:
            at_source = kind in (StepKind.HOLD, StepKind.RETIRE)
            host, peer = (source, destination) if at_source else (destination, source)
            steps.append(
                Step(id=f"{number:03}.{kind}", kind=kind, workload=f"w{number}", host=host, peer=peer, needs=needs)
            )
            needs = (steps[-1].id,)
    return Plan(steps=tuple(steps))


hosts = st.sampled_from(["h1", "h2", "h3", "h4"])
ways = st.lists(st.tuples(hosts, hosts).filter(lambda way: way[0] != way[1]), min_size=1, max_size=25)


@given(ways, st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=150)
def test_limits_hold_and_everything_ends(ways, random, stumbles):
    plan, limits = fleet_plan(ways), Slots(frozen_per_host=1, actions_per_host=3)
    saga = Saga(plan)
    schedule, running, seq = Schedule(saga, limits), [], 0

    def write(action, mark):
        nonlocal seq
        seq += 1
        saga.note(Record(seq=seq, step=action.step.id, mark=mark, at=0.0))

    while True:
        started = schedule.pick()
        assert started or running or saga.ended, "something may run and nothing does"
        for action in started:
            write(action, Mark.UNDO if action.undo else Mark.INTENT)
        running += started
        frozen = Counter(host for pair in saga.frozen.values() for host in pair)
        assert all(count <= limits.frozen_per_host for count in frozen.values())
        calm = [a for a in running if not a.undo and a.step.workload not in saga.frozen]
        load = Counter(host for a in calm for host in (a.step.host, a.step.peer))
        assert all(count <= limits.actions_per_host for count in load.values())
        if not running:
            break
        action = running.pop(random.randrange(len(running)))
        fails = stumbles and not action.undo and action.step.kind is not StepKind.RETIRE and random.random() < 0.1
        write(action, Mark.UNDONE if action.undo else Mark.FAILED if fails else Mark.DONE)
        schedule.ended(action)
        if stumbles and random.random() < 0.02:
            saga.cancel()
    assert saga.ended


def test_the_first_by_its_id_goes_first_and_one_that_never_began_leaves_its_room():
    saga = Saga(fleet_plan([("h1", "h2"), ("h1", "h3"), ("h2", "h3")]))
    schedule = Schedule(saga, Slots(actions_per_host=1))
    (first,) = schedule.pick()
    assert first.step.workload == "w0"
    assert schedule.pick() == []
    schedule.ended(first)  # cancelled before it wrote its intent
    assert schedule.pick() == [first]
