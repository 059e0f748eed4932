"""The closer look at a busy host. Fake: the host; real: the Podman driver's program, parts and rules."""

import asyncio

import pytest

from reconciler.core.planner import make_plan
from reconciler.engine import preflight
from reconciler.errors import CommandFailed
from reconciler.model.command import Result
from reconciler.model.question import Question
from reconciler.model.spec import MigrationPolicy
from reconciler.runtimes.podman import PodmanDriver
from tests.core.worlds import container, facts, host, spec, workload, world

NAMES = [f"w{number:02}" for number in range(14)]
CONTAINERS = [
    container(workload(name)).model_copy(update={"id": f"id-{name}", "pid": 100 + number})
    for number, name in enumerate(NAMES)
]
ASKED = Question(containers=tuple((c.id, c.pid) for c in CONTAINERS))


class Busy:
    """A host that needs `each` seconds for a container, of which a command gets 30; `stuck` ones never come."""

    name = "h1"

    def __init__(self, each=0.0, stuck=(), slow_once=False):
        self.each, self.stuck, self.slow_once, self.asked = each, stuck, slow_once, []

    def host(self, name):
        return self

    async def run(self, command):
        words = command.argv[4:]
        ids = [words[i + 1] for i, word in enumerate(words) if word == "container"]
        self.asked.append(len(ids))
        late = len(ids) * self.each > command.timeout or set(ids) & set(self.stuck)
        if late or (self.slow_once and len(self.asked) == 1):
            raise CommandFailed("`sh` took longer than 30 s", code="C302", where=self.name)
        own = ["@@ host", "capabilities 0"] if "itself" in words else []
        held = [line for one in ids for line in (f"@@ container {one}", "program app", "capabilities 0")]
        return Result(0, "\n".join([*own, *held, "@@ end"]))


def look(there):
    seen = world(facts("h1", *CONTAINERS))
    looked = asyncio.run(preflight.look_closer(there, {"podman": PodmanDriver()}, seen, {"h1": ASKED}))
    return looked.seen()["h1"]


def test_fourteen_workloads_are_looked_at_in_parts():
    there = Busy(each=7.0)
    found = look(there)
    assert there.asked == [0, 4, 4, 4, 2]
    assert all(c.held and not c.unseen for c in found.containers) and found.preflight and not found.preflight_error


def test_what_was_late_is_tried_again_one_by_one():
    there = Busy(each=20.0)
    found = look(there)
    assert there.asked == [0, 4, 4, 4, 2, *[1] * 14]
    assert all(c.held and not c.unseen for c in found.containers)


def test_the_host_itself_is_asked_twice():
    found = look(Busy(slow_once=True))
    assert found.preflight and not found.preflight_error


def test_only_what_could_not_be_seen_is_unseen(monkeypatch):
    found = look(Busy(stuck=["id-w03"]))
    assert [c.name for c in found.containers if c.unseen] == ["w03"]
    assert sum(c.held is not None for c in found.containers) == 13


def test_a_host_has_only_so_much_time(monkeypatch):
    monkeypatch.setattr(preflight, "HOST_LIMIT", 0.05)

    class Hanging(Busy):
        async def run(self, command):
            await asyncio.sleep(60)

    found = look(Hanging())
    assert found.preflight_error and all(c.unseen for c in found.containers)


@pytest.mark.parametrize(("policy", "moves"), [(None, 13), ({"unseen": "warn"}, 14)])
def test_what_is_unseen_is_refused_unless_the_policy_says_otherwise(policy, moves):
    found = look(Busy(stuck=["id-w03"]))
    wanted = [workload(name, on="h2") for name in NAMES]
    desired = spec(host("h1"), host("h2"), *wanted)
    if policy:
        migration = {"policy": "p"}
        desired = spec(host("h1"), host("h2"), *(with_policy(w, migration) for w in wanted))
        desired = desired.model_copy(update={"policies": {"p": a_policy(policy)}})
    plan = make_plan(desired, world(found, facts("h2")))
    said = [f for f in plan.findings if f.rule == "preflight.incomplete"]
    assert [(f.workload, f.severity) for f in said] == [("w03", "warn" if policy else "refuse")]
    assert "took longer than 30 s" in said[0].message and len(plan.moves) == moves


def with_policy(one, migration):
    body = one.model_dump(mode="json", by_alias=True, exclude_none=True)
    return type(one).model_validate(body | {"spec": body["spec"] | {"migration": migration}})


def a_policy(body):
    head = {"apiVersion": "reconciler/v1alpha1", "kind": "MigrationPolicy", "metadata": {"name": "p"}}
    return MigrationPolicy.model_validate(head | {"spec": body})
