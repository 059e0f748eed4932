"""Hosts that are declared failed: what ran there comes back elsewhere, or it is said why not. Pure."""

from __future__ import annotations

import pytest

from reconciler.core.comeback import UNSEEN
from reconciler.core.failing import Restorable, out_of_sight
from reconciler.core.index import Index
from reconciler.core.planner import make_plan
from reconciler.core.standing import in_question
from reconciler.model.checkpoint import Kept, KeptAt, KeptFile, Manifest, TakenFrom
from reconciler.model.plan import ChangeKind, StepKind
from reconciler.model.spec import TcpHandling
from reconciler.model.world import InstanceState
from tests.core.worlds import VERSIONS, container, facts, host, marker, spec, unknown, workload, world

WEB = workload(on="h2", mounts=[{"source": "/srv/x", "target": "/x"}])
PROVEN = {"state": "failed", "evidence": "its disks burnt, ticket 42; anna"}
TAKEN_AT = 1000.0


def kept(**more) -> Kept:
    told = WEB.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
    manifest = Manifest(
        id="20261126-014639-8584",
        workload="web",
        epoch=7,
        taken_at=TAKEN_AT,
        frozen_s=0.1,
        came_from=TakenFrom(host="h1", runtime="podman", versions=VERSIONS, arch="x86_64", **more),
        files=(KeptFile(name="images.tar", bytes=1, sha256="ab" * 32),),
        spec=told,
    )
    return Kept(KeptAt("h3"), "web", manifest.id, manifest=manifest.sealed())


def here(name, *copies, **more):
    return facts(name, *copies, runtimes={"podman": "5.4.2"}, arch="x86_64", **more)


def planned(failed, *hosts, stock=None, web=WEB):
    there = hosts or (unknown("h1"), here("h2"), here("h3"))
    wanted = spec(host("h1", **failed), host("h2"), host("h3"), web)
    return make_plan(wanted, world(*there), stock=stock or Restorable(TAKEN_AT + 90, {"web": kept()}))


def refusals(plan):
    return [(f.rule, f.message, f.fix) for f in plan.findings if f.severity == "refuse"]


def test_it_comes_back_from_its_newest_checkpoint_and_the_plan_says_what_is_lost():
    plan = planned(PROVEN)
    (change,) = plan.changes
    assert (change.kind, change.destination) == (ChangeKind.RESTORE, "h2")
    back, move = change.outlook.comeback, plan.moves["web"]
    assert (back.age_s, back.not_in_it, back.gone, back.kept_on) == (90, ("/srv/x",), ("h1",), "h3")
    assert "ticket 42" in back.evidence and "h1 is declared failed" in change.reason
    assert move.epoch == plan.epochs["web"] == 7 + UNSEEN and move.comeback.gone == ("h1",)
    assert plan.policies["web"].tcp is TcpHandling.CLOSE
    kinds = [step.kind for step in plan.steps]
    assert kinds[0] is StepKind.FETCH and kinds.index(StepKind.FENCE) < kinds.index(StepKind.COMMIT)
    assert {step.host for step in plan.steps} == {"h2", "h3"}


def test_without_evidence_it_is_refused_and_what_evidence_would_do_is_said():
    ((rule, message, fix),) = refusals(planned({"state": "failed"}))
    assert rule == "host-failed" and "h1" in message and "`evidence:" in fix
    ((rule, _, fix),) = refusals(planned({}))
    assert rule == "may-run-on-unknown-host" and "state: failed" in fix


def test_another_host_that_does_not_answer_is_in_the_way():
    found = refusals(planned(PROVEN, unknown("h1"), here("h2"), unknown("h3")))
    assert [rule for rule, _, _ in found] == ["may-run-on-unknown-host"]


def test_without_a_checkpoint_it_starts_anew_and_that_is_said():
    plan = planned(PROVEN, stock=Restorable(1.0))
    assert [change.kind for change in plan.changes] == [ChangeKind.CREATE]
    (told,) = [f for f in plan.findings if f.rule == "host-failed"]
    assert told.severity == "warn" and "starts anew" in told.message


@pytest.mark.parametrize(
    "why", ["web@1 on h3: images.tar is damaged", "offsite, which may have a newer one: it is locked"]
)
def test_what_is_damaged_or_in_a_store_that_does_not_answer_is_not_started_over(why):
    plan = planned(PROVEN, stock=Restorable(1.0, {}, {"web": (why,)}))
    assert not plan.changes and not plan.steps
    (told,) = refusals(plan)
    assert told[0] == "host-failed" and why in told[1] and "checkpoints rm" in told[2]


@pytest.mark.parametrize("code", ["H202", "H203", "H204", "H290", "H292", "C301"])
@pytest.mark.parametrize("failed", [PROVEN, {"state": "failed"}])
def test_a_host_that_refuses_us_is_not_gone(code, failed):
    """Whatever anybody says of it: what it ran may run."""
    plan = planned(failed, unknown("h1", "no login", code), here("h2"), here("h3"))
    assert not plan.changes and not plan.steps
    assert [rule for rule, _, _ in refusals(plan)] == ["host-failed"]
    if failed is PROVEN:
        ((_, message, fix),) = refusals(plan)
        assert "not silent (h1: no login)" in message and fix.endswith("reconcile doctor h1")


def test_what_a_host_cannot_take_is_refused_before_anything_is_done():
    plan = planned(
        PROVEN, stock=Restorable(1.0, {"web": kept(cpu_flags=())}), web=workload(on="h2", env={"A": "2"})
    )
    assert not plan.steps
    assert any("its spec is another one by now" in message for _, message, _ in refusals(plan))


def test_a_failed_host_gets_nothing_new_and_what_it_still_runs_leaves():
    labelled = workload(labels={"zone": "a"})
    hosts = (host("h1", {"zone": "a"}, **PROVEN), host("h2", {"zone": "a"}))
    seen = world(here("h1", container(labelled)), here("h2"))
    (change,) = make_plan(spec(*hosts, labelled), seen).changes
    assert (change.kind, change.destination) == (ChangeKind.MOVE, "h2")


def test_a_copy_that_was_given_up_before_does_not_keep_it_from_coming_back():
    void = here("h2", container(WEB, InstanceState.EXITED), markers=(marker("web", 3, "fenced"),))
    hosts = (unknown("h1"), void, here("h3"))
    assert out_of_sight(spec(host("h1", **PROVEN), host("h2"), host("h3"), WEB), world(*hosts)) == ("web",)
    plan = planned(PROVEN, *hosts)
    assert [change.kind for change in plan.changes] == [ChangeKind.RESTORE]


@pytest.mark.parametrize("h1", [unknown("h1"), here("h1")])
def test_only_what_no_host_has_is_looked_for(h1):
    wanted = spec(host("h1", **PROVEN), host("h2"), WEB, workload("db", on="h2"))
    found = out_of_sight(wanted, world(h1, here("h2", container(workload("db", on="h2")))))
    assert found == (("web",) if h1.name == "h1" and not hasattr(h1, "instances") else ())


def test_an_old_copy_on_a_host_that_came_back_is_said_and_in_question():
    old = container(WEB, InstanceState.EXITED)
    seen = world(
        here("h1", old, markers=(marker("web", 7, "running"),)),
        here("h2", container(WEB), markers=(marker("web", 1007, "running"),)),
    )
    plan = make_plan(spec(host("h1"), host("h2"), WEB), seen)
    assert [(f.rule, f.host) for f in plan.findings if f.severity == "refuse"] == [("old-copy", "h1")]
    assert in_question(Index.of(seen), ()) == {"web"}
