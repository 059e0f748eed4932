"""Where a workload's volumes are, what becomes of them, and what nobody may do without consent."""

import pytest

from reconciler.cli.views import outlook
from reconciler.core.consent import Consent, lacking
from reconciler.core.index import Copy
from reconciler.core.planner import make_plan
from reconciler.core.volumes import saved_and_removed
from reconciler.model.world import InstanceState, TcpConnection
from tests.core.worlds import container, facts, host, marker, spec, volume, workload, world

H1, H2 = host("h1"), host("h2")
DATA = [{"name": "data", "target": "/data"}]


def web(**more):
    return workload(volumes=DATA, **more)


def planned(wanted, *hosts):
    plan = make_plan(spec(H1, H2, *([wanted] if wanted else [])), world(*hosts))
    return plan, [f"{s.kind.value} {s.host}" for s in plan.steps]


def rows(plan, label):
    return [text for name, text in outlook.rows(plan.changes[0]) if name == label]


def test_made_anew_elsewhere_it_gets_its_volumes_and_the_old_ones_go_last():
    old, new = web(on="h1"), web(on="h2", env={"A": "2"})
    plan, steps = planned(new, facts("h1", container(old), volumes=(volume("data"),)), facts("h2"))
    assert steps == [
        "create-volume h2",
        "set-aside h1",
        "copy-volume h2",
        "create h2",
        "start h2",
        "confirm h2",
        "remove h1",
        "remove-volume h1",
    ]
    for earlier, later in zip(plan.steps, plan.steps[1:], strict=False):
        assert earlier.id in later.needs
    assert rows(plan, "volume") == ["data comes along from h1; removed there when it is healthy here"]


def test_made_anew_in_place_its_volumes_are_not_touched():
    old, new = web(), web(env={"A": "2"})
    _, steps = planned(new, facts("h1", container(old), volumes=(volume("data"), volume("old"))))
    assert steps == ["set-aside h1", "create h1", "start h1", "remove h1"]


def test_created_elsewhere_after_its_removal_it_gets_what_it_left():
    plan, steps = planned(web(on="h2"), facts("h1", volumes=(volume("data"),)), facts("h2"))
    assert steps == [
        "create-volume h2",
        "copy-volume h2",
        "create h2",
        "start h2",
        "confirm h2",
        "remove-volume h1",
    ]
    assert plan.steps[1].peer == "h1"


def test_created_where_its_data_is_nothing_is_copied():
    _, steps = planned(web(on="h2"), facts("h1"), facts("h2", volumes=(volume("data"),)))
    assert steps == ["create h2", "start h2"]


def test_a_volume_that_a_container_still_mounts_is_copied_and_stays():
    void = container(web(), InstanceState.EXITED)
    fenced = marker("web", 5, "fenced", "source")
    left = facts("h1", void, volumes=(volume("data"),), markers=(fenced,))
    plan, steps = planned(web(on="h2"), left, facts("h2"))
    assert "copy-volume h2" in steps and "remove-volume h1" not in steps
    assert rows(plan, "volume") == ["data comes along from h1; a container there still mounts it"]


@pytest.mark.parametrize("on", ["h1", "h2"])
def test_nobody_guesses_which_of_two_copies_counts(on):
    both = (facts("h1", volumes=(volume("data", epoch=1),)), facts("h2", volumes=(volume("data", epoch=4),)))
    plan, steps = planned(web(on=on), *both)
    assert steps == [] and {f.rule for f in plan.findings} == {"volume.unclear"}
    assert "podman volume rm data" in plan.findings[0].fix


def test_a_move_never_overwrites_another_copy():
    here = facts("h1", container(web()), volumes=(volume("data"),))
    plan, steps = planned(web(on="h2"), here, facts("h2", volumes=(volume("data", epoch=9),)))
    assert steps == [] and [f.rule for f in plan.findings] == ["volume.stale"]
    assert plan.findings[0].host == "h2"


def test_what_an_undone_hand_over_has_left_is_in_nobodys_way():
    staged = volume("data", epoch=4)
    left = {"volumes": (staged,), "markers": (marker("web", 5, "fenced", "destination", run="earlier"),)}
    here = {"volumes": (volume("data"),), "markers": (marker("web", 5, "running"),)}
    _, steps = planned(web(on="h2"), facts("h1", container(web()), **here), facts("h2", **left))
    assert "hold h1" in steps
    both_gone = {**here, "markers": (marker("web", 5, "fenced", "source"),)}
    plan, _ = planned(web(on="h2"), facts("h1", **both_gone), facts("h2", **left))
    assert {f.rule for f in plan.findings} == {"volume.unclear"}, "the destination may have run for long"


def test_a_removal_says_what_is_lost_and_what_stays():
    held = container(web(), memory_bytes=64 * 2**20, rootfs_bytes=2**20, started_at=1000.0)
    plan, _ = planned(None, facts("h1", held, volumes=(volume("data"),), clock_s=1000.0 + 3 * 3600 + 300))
    lost = "64 MiB of memory, 0 established TCP connections, what it changed in its root filesystem (1 MiB)"
    assert rows(plan, "lost") == [f"{lost}; it has run for 3 h 5 min"]
    assert rows(plan, "volume") == ["data stays on h1"]


def test_a_saved_plan_is_stale_when_a_volume_has_come_or_gone():
    hosts = [facts("h1"), facts("h1", volumes=(volume("data"),))]
    assert len({planned(web(), seen)[0].world_digest for seen in hosts}) == 2


TCP = (TcpConnection(local="10.77.0.100:9000", peer="10.77.0.1:5000"),)


@pytest.mark.parametrize(("kind", "change"), [("recreate", {"env": {"A": "2"}}), ("stop", {"state": "stopped"})])
def test_what_runs_is_not_interrupted_without_consent(kind, change):
    old = container(workload(), memory_bytes=64 * 2**20, tcp_established=TCP)
    plan, _ = planned(workload(**change), facts("h1", old))
    assert rows(plan, "lost")[0].startswith("64 MiB of memory, 1 established TCP connection")
    lack = lacking(plan, Consent())
    assert lack and "1 workload (web)" in lack.text and "--allow-interruptions" in lack.fix
    assert lacking(plan, Consent(interruptions=1)) is None
    assert lacking(plan, Consent(asked=True)) is None
    allowed, _ = planned(workload(update={"allow": [kind]}, **change), facts("h1", old))
    assert lacking(allowed, Consent()) is None


def test_what_does_not_run_needs_no_consent():
    old = container(workload(), InstanceState.EXITED)
    plan, _ = planned(workload(env={"A": "2"}), facts("h1", old))
    assert lacking(plan, Consent()) is None


def test_what_stands_in_the_way_of_removing_a_volume_is_removed_first():
    stopped = Copy("h2", container(workload(), state=InstanceState.EXITED, name="web"))
    running = Copy("h2", container(workload(), name="other"))
    said = saved_and_removed("data", "docker", [stopped, running])
    folder = "$(docker volume inspect --format '{{.Mountpoint}}' data)"
    assert said == f'tar -C "{folder}" -cf data.tar . && docker rm web && docker volume rm data'
