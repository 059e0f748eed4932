"""Copies of checkpoints beside their workload: nobody takes them for workloads, and they have nothing of one's
identity."""

from __future__ import annotations

import pytest

from reconciler.cli.views.stock import render_stock
from reconciler.core.copying import copies, discard_plan, in_the_way, labelled
from reconciler.core.digests import host_digests
from reconciler.core.index import Index
from reconciler.core.planner import make_plan
from reconciler.core.returning import Return, comeback_plan
from reconciler.core.stock import stock
from reconciler.errors import Refused
from reconciler.model.checkpoint import Kept, KeptAt
from reconciler.model.copying import CopyLabels, can_be_called, copy_name, is_copy
from reconciler.model.plan import Plan, StepKind
from reconciler.model.world import InstanceState
from reconciler.runtimes.oci.secluding import secluded
from reconciler.runtimes.podman import options
from tests.core.test_comeback import manifest
from tests.core.worlds import container, facts, host, marker, spec, unknown, volume, workload, world

H1, H2 = host("h1"), host("h2")
NAME = "then--copy"
WEB = workload(
    on="h1",
    volumes=[{"name": "data", "target": "/data"}],
    mounts=[
        {"source": "/srv/web", "target": "/srv", "move": True},
        {"source": "/etc/ssl", "target": "/ssl"},
    ],
    networks=[{"name": "lan", "ip": "10.0.0.5", "mac": "02:00:00:00:00:05"}],
    ports=[{"container": 80, "host": 8080}],
    dns=["10.0.0.1"],
    labels={"traefik.enable": "true"},
    restart="always",
)
COPY = labelled(secluded(WEB, NAME), CopyLabels("web@20261126-014639-8584", 5000.0))


def there(state=InstanceState.RUNNING, **more):
    return container(COPY, state, **more)


def a_copy(until="5000"):
    labels = {**there().labels, "io.reconciler.copy": "web@20261126-014639-8584", "io.reconciler.until": until}
    return there().model_copy(update={"labels": labels})


def test_names():
    assert copy_name("then") == copy_name(NAME) == NAME and is_copy(NAME) and not is_copy("then")
    assert can_be_called("then") and can_be_called(NAME) and can_be_called("a" * 52)
    assert not any(map(can_be_called, ("", "--copy", "Then", "a" * 53, "a b", "-a")))
    assert CopyLabels.read({"io.reconciler.until": "soon"}).until == 0


def test_it_is_made_without_what_the_workload_is_known_by():
    argv = options.create_argv(COPY, image="app", oci_runtime="runc", restart="no", attach=False)
    text = " ".join(argv)
    for gone in ("10.0.0", "02:00", "publish", "lan", "source=data,", "traefik", "always", "/srv/web"):
        assert gone not in text, gone
    assert f"--name={NAME}" in argv and f"--network=ns:/run/netns/reconciler-{NAME}" in argv
    assert "--hostname=web" in argv and "--stop-timeout=1" in argv
    assert (
        "--label=io.reconciler.copy=web@20261126-014639-8584" in argv
        and "--label=io.reconciler.until=5000" in argv
    )
    volumes = [word for word in argv if word.startswith("--mount=type=volume")]
    assert volumes == [
        f"--mount=type=volume,source={NAME}.1,target=/data,readonly=false",
        f"--mount=type=volume,source={NAME}.2,target=/srv,readonly=false",
    ]
    assert "--mount=type=bind,source=/etc/ssl,target=/ssl,readonly=true" in argv
    assert "--network=none" in options.create_argv(
        secluded(workload(on="h1", network_mode="none"), NAME),
        image="a",
        oci_runtime="",
        restart="no",
        attach=True,
    )
    plain = options.create_argv(WEB, image="app", oci_runtime="runc", restart="no", attach=True)
    assert "netns" not in " ".join(plain) and "io.reconciler.copy" not in " ".join(plain)


@pytest.mark.parametrize("field", ["network_mode", "pid", "ipc"])
def test_what_is_shared_with_the_host_has_no_copy_beside_it(field):
    with pytest.raises(Refused) as refused:
        secluded(workload(on="h1", **{field: "host"}), NAME)
    assert refused.value.code == "P458"


def test_no_plan_is_about_it():
    plain = world(facts("h1", container(WEB), volumes=(volume("data"),)), facts("h2"))
    with_copy = world(
        facts("h1", container(WEB), volumes=(volume("data"),)),
        facts(
            "h2",
            a_copy(),
            volumes=(volume(f"{NAME}.1", of=NAME), volume(f"{NAME}.2", of=NAME)),
            markers=(marker(NAME, 9, "running"),),
        ),
    )
    wanted = spec(H1, H2, WEB)
    one, other = make_plan(wanted, plain), make_plan(wanted, with_copy)
    assert (one.steps, one.changes, one.findings) == (other.steps, other.changes, other.findings)
    assert host_digests(plain) == host_digests(with_copy)
    got = stock(wanted, with_copy)
    assert got.orphans == ()
    (row,) = got.copies
    assert (row.name, row.host, row.of, row.volumes) == (
        NAME,
        "h2",
        "web@20261126-014639-8584",
        (f"{NAME}.1", f"{NAME}.2"),
    )
    assert not row.expired(4999) and row.expired(5000)
    assert f"{NAME} on h2: running, of web@20261126-014639-8584" in render_stock(wanted, with_copy, False)


def test_what_is_left_of_one_has_expired_unless_it_is_being_made():
    left = facts("h2", volumes=(volume(f"{NAME}.1", of=NAME),))
    (row,) = copies(Index.of(world(left)))
    assert row.expired(0) and row.state == ""
    being_made = left.model_copy(update={"markers": (marker(NAME, 9, "reserved", "destination"),)})
    (row,) = copies(Index.of(world(being_made)))
    assert not row.expired(1e10) and not row.settled


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ((facts("h1", a_copy()), facts("h2")), "h1 has a copy of that name"),
        ((facts("h1", markers=(marker(NAME, 9, "reserved", "destination"),)), facts("h2")), "is being made"),
        ((facts("h1", container(WEB)), unknown("h3"), facts("h2")), ""),
        ((facts("h2", memory_free_bytes=2**20),), "of memory free"),
    ],
)
def test_what_is_in_its_way(seen, said):
    kept = manifest().model_copy(update={"memory_bytes": 2**20})
    index = Index.of(world(*seen))
    found = "; ".join(one.text for one in in_the_way(NAME, kept, index, index.seen["h2"]))
    assert (said in found) if said else found == ""


def test_its_plan_tells_no_other_host_and_its_journal_can_be_read():
    index = Index.of(world(facts("h1", container(WEB)), facts("h2"), unknown("h3")))
    kept = Kept(KeptAt("h1"), "web", "20261126-014639-8584", manifest=manifest())
    back = Return(COPY, kept, manifest(), "h2", beside=frozenset(), copy_of="web")
    plan = comeback_plan(back, spec(H1, H2, WEB), index)
    assert StepKind.FENCE not in {step.kind for step in plan.steps}
    assert {step.workload for step in plan.steps} == {NAME} == plan.workloads.keys()
    again = Plan.model_validate_json(plan.model_dump_json(by_alias=True))
    assert again.workloads[NAME] == COPY and again.moves[NAME].comeback.copy_of == "web"
    assert again.policies[NAME].tcp.value == "close"


def test_it_goes_with_its_volumes_under_a_higher_epoch():
    seen = facts("h2", a_copy(), volumes=(volume(f"{NAME}.1", of=NAME),), markers=(marker(NAME, 9, "running"),))
    index = Index.of(world(seen))
    (found,) = copies(index)
    plan = discard_plan(found, spec(H2), index, "asked for")
    assert [(s.kind, s.subject) for s in plan.steps] == [
        (StepKind.REMOVE, ""),
        (StepKind.REMOVE_VOLUME, f"{NAME}.1"),
    ]
    assert plan.epochs == {NAME: 10} and plan.steps[1].needs == (plan.steps[0].id,)
