"""What is planned from specs and a world, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cli.views import outlook
from reconciler.core.planner import make_plan
from reconciler.core.rules.runtime import NEEDED_TOOLS
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.plan import ChangeKind, Cutover, StepKind
from reconciler.model.spec import MigrationPolicy, PolicyRefs, Strategy
from reconciler.model.world import InstanceState, VolumeFacts
from tests.core.worlds import (
    API,
    VERSIONS,
    container,
    facts,
    host,
    marker,
    network,
    spec,
    unknown,
    workload,
    world,
)

H1, H2, H3 = host("h1"), host("h2"), host("h3")


def kinds(plan):
    return [step.kind.value for step in plan.steps]


def refusals(plan):
    return [f.rule for f in plan.findings if f.severity == "refuse"]


def test_nothing_to_do_when_the_world_is_as_specified():
    web = workload(on="h1")
    plan = make_plan(spec(H1, H2, web), world(facts("h1", container(web)), facts("h2")))
    assert plan.changes == () and plan.steps == () and not plan.findings


def test_create_starts_and_checks_health():
    web = workload(on="h2", health={"tcp": {"port": 80}})
    plan = make_plan(spec(H1, H2, web), world(facts("h1"), facts("h2")))
    assert kinds(plan) == ["create", "start", "confirm"]
    assert all(step.host == "h2" for step in plan.steps)


def test_missing_image_is_copied_from_a_host_that_has_it_else_pulled():
    web = workload(on="h2")
    has_it = world(facts("h1"), facts("h2", images=()))
    copied = make_plan(spec(H1, H2, web), has_it).steps[0]
    assert (copied.kind, copied.peer, copied.host) == (StepKind.COPY_IMAGE, "h1", "h2")
    nobody = world(facts("h1", images=()), facts("h2", images=()))
    assert kinds(make_plan(spec(H1, H2, web), nobody))[0] == "pull-image"


def test_move_goes_through_every_phase_in_order():
    before, after = workload(on="h1"), workload(on="h2")
    plan = make_plan(spec(H1, H2, after), world(facts("h1", container(before)), facts("h2")))
    assert kinds(plan) == ["reserve", "stage", "hold", "transfer", "commit", "restore", "confirm", "retire"]
    move = plan.moves["web"]
    assert (move.source, move.destination, move.epoch) == ("h1", "h2", 2)
    assert move.cutover is Cutover.TRANSACTIONAL and move.strategy is Strategy.LAZY
    for earlier, later in zip(plan.steps, plan.steps[1:], strict=False):
        assert later.needs == (earlier.id,)


TRACKS = ("uffd", "mem_dirty_track")


def test_images_go_to_disk_where_memory_is_short_and_the_plan_says_so():
    before, after = workload(on="h1"), workload(on="h2")
    held = container(before, memory_bytes=512 * 2**20)
    short = facts("h2", memory_free_bytes=2**30)
    plan = make_plan(spec(H1, H2, after), world(facts("h1", held), short))
    assert dict(outlook.rows(plan.changes[0]))["room"] == (
        "512 MiB for images: in memory on h1; on disk on h2, which has 1 GiB of memory free"
    )
    assert [(f.rule, f.severity, f.host) for f in plan.findings] == [("room.images", "warn", "h2")]


def under_policy(desired, **policy):
    """The same with this policy for its workload."""
    made = MigrationPolicy(api_version=API, kind="MigrationPolicy", metadata={"name": "p"}, spec=policy)
    web = desired.workloads["web"]
    refers = web.spec.model_copy(update={"migration": PolicyRefs(policy="p")})
    web = web.model_copy(update={"spec": refers})
    return desired.model_copy(update={"workloads": {"web": web}, "policies": {"p": made}})


def strategy_of(memory, source=TRACKS, **more):
    before, after = workload(on="h1"), workload(on="h2")
    held = container(before, memory_bytes=memory, **more)
    plan = make_plan(spec(H1, H2, after), world(facts("h1", held, features=source), facts("h2")))
    return plan, plan.moves["web"].strategy


def test_much_memory_is_copied_in_rounds_where_the_kernel_tracks_changes():
    plan, strategy = strategy_of(512 * 2**20)
    assert strategy is Strategy.PRECOPY
    assert kinds(plan)[1:4] == ["stage", "precopy", "hold"]
    rows = dict(outlook.rows(plan.changes[0]))
    assert "pre-copy in rounds" in rows["how"]
    _, cold = strategy_of(512 * 2**20, source=("uffd",))
    assert cold is Strategy.LAZY
    assert plan.moves["web"].predicted_downtime_s < 1


def test_post_copy_is_made_on_demand_and_its_window_is_told():
    held = container(workload(on="h1"), memory_bytes=512 * 2**20)
    desired = under_policy(spec(H1, H2, workload(on="h2")), strategy="postcopy")
    plan = make_plan(desired, world(facts("h1", held), facts("h2")))
    assert kinds(plan)[3:7] == ["transfer", "commit", "restore", "drain"]
    rows = dict(outlook.rows(plan.changes[0]))
    assert rows["window"] == "both hosts must live for 1.8 to 11.9 s after the restore: memory follows then"
    assert "(all but memory)" in rows["downtime"]
    eager = strategy_of(512 * 2**20, source=("uffd",))[0].moves["web"]
    assert plan.moves["web"].predicted_downtime_s < eager.predicted_downtime_s
    assert plan.changes[0].outlook.held_move.on_disk_s is None


def test_a_plan_says_when_a_source_that_writes_to_its_disk_may_lose_power():
    """What is sent and what is written begin at both ends."""
    kept = automatic(strategy="postcopy", postcopy={"persist": True})
    (row,) = [text for _, text in outlook.rows(kept.changes[0]) if "may lose power" in text]
    assert row.startswith("its source may lose power 0.7 to 5.7 s after the restore")
    lazy = automatic(strategy="lazy", postcopy={"persist": True})
    assert lazy.changes[0].outlook.held_move.on_disk_s is None


def automatic(memory=512 * 2**20, there=None, source=("uffd",), **policy):
    """The plan of a move by `strategy: auto` under this policy."""
    held = container(workload(on="h1"), memory_bytes=memory)
    desired = under_policy(spec(H1, H2, workload(on="h2")), **policy)
    return make_plan(desired, world(facts("h1", held, features=source), facts("h2", **there or {})))


def test_auto_takes_a_post_copy_where_it_is_allowed_and_helps():
    assert automatic().moves["web"].strategy is Strategy.LAZY, "never without permission"
    plan = automatic(allow_post_copy=True)
    assert plan.moves["web"].strategy is Strategy.POSTCOPY
    assert "both hosts must live for" in dict(outlook.rows(plan.changes[0]))["window"]
    assert automatic(memory=8 * 2**20, allow_post_copy=True).moves["web"].strategy is Strategy.LAZY, "little helps"


def test_auto_prefers_a_pre_copy_which_loses_nothing_with_its_source_unless_it_is_too_slow():
    allowed = {"source": TRACKS, "allow_post_copy": True}
    assert automatic(**allowed).moves["web"].strategy is Strategy.PRECOPY
    assert automatic(**allowed, max_downtime="10s").moves["web"].strategy is Strategy.PRECOPY
    hurried = automatic(**allowed, max_downtime="100ms", best_effort=True)
    assert hurried.moves["web"].strategy is Strategy.POSTCOPY


def test_auto_says_why_an_allowed_post_copy_is_not_made():
    bare = (*NEEDED_TOOLS, "iptables-restore", "perl")
    plan = automatic(allow_post_copy=True, there={"tools": bare})
    assert plan.moves["web"].strategy is Strategy.LAZY
    said = [text for _, text in outlook.rows(plan.changes[0])]
    assert any(text.startswith("no post-copy, because h2 has no python3") for text in said)
    back = automatic(allow_post_copy=True, cutover=Cutover.RESTORE_BACK)
    assert back.moves["web"].strategy is Strategy.LAZY, "its source is held"


def test_a_limit_that_only_a_post_copy_keeps_is_refused_without_permission_and_says_so():
    limit = {"memory": 2 * 2**30, "max_downtime": "2s"}
    (finding,) = automatic(**limit).findings
    assert (finding.rule, finding.severity) == ("downtime.limit", "refuse")
    assert "allowPostCopy: true, which would keep it (both hosts must then live for up to" in finding.fix
    (finding,) = automatic(**limit, there={"tools": (*NEEDED_TOOLS, "iptables-restore", "perl")}).findings
    assert "allowPostCopy" not in finding.fix, "it cannot be made there"


@pytest.mark.parametrize(
    "more",
    [{"memory": 8 * 2**20}, {"memory": 2**30, "annotations": {}}],
)
def test_else_it_is_copied_at_once(more):
    assert strategy_of(**more)[1] is Strategy.LAZY


def test_memory_does_not_follow_where_crun_keeps_its_config_from_criu():
    assert strategy_of(2**30, oci_runtime="crun")[1] is Strategy.COLD


@pytest.mark.parametrize(
    ("there", "why"),
    [({"features": ()}, "no userfaultfd"), ({"tools": (*NEEDED_TOOLS, "iptables-restore")}, "no perl")],
)
def test_without_what_keeps_missing_memory_safe_all_of_it_is_there_first(there, why):
    before, after = workload(on="h1"), workload(on="h2")
    plan = make_plan(spec(H1, H2, after), world(facts("h1", container(before)), facts("h2", **there)))
    assert plan.moves["web"].strategy is Strategy.COLD and not plan.moves["web"].follows
    assert why in str(outlook.rows(plan.changes[0]))


def test_criu_is_not_given_a_network_lock_that_it_crashes_on():
    before, after = workload(on="h1"), workload(on="h2")
    locks = {}
    for release in ("4.1.1", "4.2.1"):
        able = {
            "features": ("uffd", "network_lock_nftables"),
            "versions": VERSIONS | {"criu": release, "kernel": "6.12.0"},
        }
        plan = make_plan(spec(H1, H2, after), world(facts("h1", container(before), **able), facts("h2", **able)))
        locks[release] = plan.moves["web"].network_lock
    assert locks == {"4.1.1": "", "4.2.1": "nftables"}


def test_move_takes_an_epoch_whose_successor_is_its_way_back():
    before, after = workload(on="h1"), workload(on="h2")
    hosts = world(facts("h1", container(before), markers=(marker("web", 6, "running"),)), facts("h2"))
    assert make_plan(spec(H1, H2, after), hosts).moves["web"].epoch == 8


def test_container_not_made_by_us_falls_back_to_restore_back():
    before, after = workload(on="h1"), workload(on="h2")
    plain = container(before, annotations={})
    plan = make_plan(spec(H1, H2, after), world(facts("h1", plain), facts("h2")))
    assert plan.moves["web"].cutover is Cutover.RESTORE_BACK


def test_changed_container_is_made_anew_and_the_old_one_kept_until_the_new_one_is_healthy():
    old, new = workload(on="h1"), workload(on="h1", env={"A": "2"})
    plan = make_plan(spec(H1, new), world(facts("h1", container(old))))
    assert plan.changes[0].kind is ChangeKind.RECREATE and "env" in plan.changes[0].reason
    assert kinds(plan) == ["set-aside", "create", "start", "remove"]


def test_workload_without_a_spec_is_removed_and_others_containers_are_not():
    web = workload()
    foreign = container(web, labels={}, name="somebody-elses")
    plan = make_plan(spec(H1), world(facts("h1", container(web), foreign)))
    assert [(c.kind, c.workload) for c in plan.changes] == [(ChangeKind.REMOVE, "web")]


def test_state_stopped_and_absent():
    web = workload(state="stopped")
    assert kinds(make_plan(spec(H1, web), world(facts("h1", container(workload()))))) == ["stop"]
    gone = workload(state="absent")
    assert kinds(make_plan(spec(H1, gone), world(facts("h1", container(workload()))))) == ["stop", "remove"]


def test_stopped_copy_is_started():
    web = workload()
    plan = make_plan(spec(H1, web), world(facts("h1", container(web, InstanceState.EXITED))))
    assert kinds(plan) == ["start"]


def test_a_paused_copy_is_not_nothing_to_do():
    web = workload(on="h1")
    plan = make_plan(spec(H1, web), world(facts("h1", container(web, InstanceState.PAUSED))))
    assert refusals(plan) == ["paused"] and plan.steps == ()
    assert plan.findings[0].fix.endswith("podman unpause web")


VOLUMES = [{"name": "data", "target": "/data"}]


def from_docker(on, **more):
    """A workload that Docker runs on h1, and its spec gives to Podman."""
    web = workload(on=on, volumes=VOLUMES)
    kept = VolumeFacts(name="data", mountpoint="/v/data", labels={LABEL_WORKLOAD: "web"})
    here = facts("h1", container(web, runtime="docker", **more), volumes=(kept,), runtimes={"docker": "26.1.5"})
    return make_plan(spec(H1, H2, web), world(here, facts("h2")))


def test_another_engine_on_another_host_makes_it_anew_with_its_volumes():
    plan = from_docker("h2")
    change = plan.changes[0]
    assert (change.kind, change.source, change.destination, change.interrupts) == ("recreate", "h1", "h2", True)
    assert change.reason == "it is made with docker, its spec says podman"
    assert [(s.kind.value, s.host, s.runtime, s.peer_runtime) for s in plan.steps] == [
        ("create-volume", "h2", "podman", ""),
        ("set-aside", "h1", "docker", ""),
        ("copy-volume", "h2", "podman", "docker"),
        ("create", "h2", "podman", ""),
        ("start", "h2", "podman", ""),
        ("confirm", "h2", "podman", ""),
        ("remove", "h1", "docker", ""),
        ("remove-volume", "h1", "docker", "podman"),
    ]


def test_another_engine_on_the_same_host_is_refused_with_the_way_out():
    plan = from_docker("h1")
    assert refusals(plan) == ["runtime-changed"] and plan.steps == ()
    assert "place it on another host" in plan.findings[0].fix and "state: absent" in plan.findings[0].fix


@pytest.mark.parametrize("shared", ["volume", "address"])
def test_the_same_program_over_its_volume_or_address_is_told(shared):
    """As after `podman kube play` of what was generated from it."""
    volumes = [{"name": "data", "target": "/data"}]
    networks = [{"name": "lab", "ip": "10.0.0.9"}]
    web = workload(on="h1", **({"volumes": volumes} if shared == "volume" else {"networks": networks}))
    ours = container(web)
    played = container(web, labels={}, name="web-pod-web")
    other_image = played.model_copy(update={"image_id": "sha256:" + "1" * 64})
    stopped = played.model_copy(update={"state": InstanceState.EXITED})
    plan = make_plan(spec(H1, web), world(facts("h1", ours, played)))
    assert [(f.rule, f.severity, f.host) for f in plan.findings] == [("runs-beside", "warn", "h1")]
    assert plan.changes == () and "podman rm -f web-pod-web" in plan.findings[0].fix
    for harmless in (other_image, stopped):
        assert not make_plan(spec(H1, web), world(facts("h1", ours, harmless))).findings


def test_labels_keep_the_current_host_and_else_take_the_first_by_name():
    hosts = [host("h1", {"disk": "ssd"}), host("h2", {"disk": "ssd"}), host("h3")]
    web = workload(labels={"disk": "ssd"})
    stays = make_plan(spec(*hosts, web), world(facts("h1"), facts("h2", container(web)), facts("h3")))
    assert stays.steps == ()
    first = make_plan(spec(*hosts, web), world(facts("h1"), facts("h2"), facts("h3")))
    assert first.changes[0].destination == "h1"


@pytest.mark.parametrize(
    ("hosts", "rule"),
    [
        ([facts("h1"), unknown("h2")], "host-unknown"),
        ([unknown("h1"), facts("h2")], "may-run-on-unknown-host"),
    ],
)
def test_nothing_is_concluded_from_a_host_that_was_not_seen(hosts, rule):
    plan = make_plan(spec(H1, H2, workload(on="h2")), world(*hosts))
    assert plan.steps == () and refusals(plan) == [rule]


def test_unknown_hosts_never_lead_to_removal():
    plan = make_plan(spec(H1), world(unknown("h1")))
    assert plan.steps == ()


def test_a_workload_that_runs_twice_is_not_touched():
    web = workload(on="h1")
    plan = make_plan(spec(H1, H2, web), world(facts("h1", container(web)), facts("h2", container(web))))
    assert plan.steps == () and refusals(plan) == ["runs-twice"]


def test_an_unfinished_hand_over_is_resumed_not_planned_over():
    web = workload(on="h2")
    held = facts("h1", container(web), markers=(marker("web", 3, "held", "source", peer="h2"),))
    plan = make_plan(spec(H1, H2, web), world(held, facts("h2")))
    assert plan.steps == () and refusals(plan) == ["hand-over-unfinished"]
    assert plan.findings[0].fix.endswith("reconcile status")


def test_static_address_outside_the_network_is_refused():
    net = [{"name": "lab", "ip": "10.99.0.9"}]
    plan = make_plan(spec(H1, workload(networks=net)), world(facts("h1")))
    assert refusals(plan) == ["network.subnet"]


def test_network_is_created_only_when_a_spec_says_how():
    net = [{"name": "app"}]
    assert refusals(make_plan(spec(H1, workload(networks=net)), world(facts("h1")))) == ["network.missing"]
    told = spec(H1, workload(networks=net), network("app"))
    assert kinds(make_plan(told, world(facts("h1")))) == ["create-network", "create", "start"]


NAMES = st.sampled_from(["a", "b", "c", "d"])
HOSTS = st.sampled_from(["h1", "h2", "h3"])


@st.composite
def situations(draw):
    """Random specs over random worlds: some workloads move, some are new, some gone, some stopped."""
    wanted = draw(st.dictionaries(NAMES, HOSTS))
    running = draw(st.dictionaries(NAMES, st.tuples(HOSTS, st.sampled_from(list(InstanceState)))))
    blind = draw(st.sets(HOSTS, max_size=1))
    containers = {"h1": [], "h2": [], "h3": []}
    for name, (where, state) in running.items():
        containers[where].append(container(workload(name), state))
    hosts = [unknown(h) if h in blind else facts(h, *found) for h, found in containers.items()]
    return spec(H1, H2, H3, *(workload(n, on=h) for n, h in wanted.items())), world(*hosts)


@given(situations())
def test_plans_are_acyclic_complete_and_repeatable(situation):
    plan = make_plan(*situation)
    assert plan == make_plan(*situation)
    done: set[str] = set()
    for step in plan.steps:
        assert step.id not in done, "ids are unique"
        assert set(step.needs) <= done, "needs come first, so there is no cycle"
        assert step.host not in plan.unknown_hosts and step.peer not in plan.unknown_hosts
        done.add(step.id)


def test_memory_of_several_processes_is_there_before_they_run():
    before, after = workload(on="h1"), workload(on="h2")
    there = facts("h2")
    for processes, strategy in ((1, Strategy.LAZY), (2, Strategy.COLD)):
        plan = make_plan(spec(H1, H2, after), world(facts("h1", container(before, processes=processes)), there))
        assert plan.moves["web"].strategy is strategy
    assert ("", "no lazy restore, because it has 2 processes") in outlook.rows(plan.changes[0])
