"""May a checkpoint be restored: never beside a copy that runs or may run, and only where it fits."""

from __future__ import annotations

import pytest

from reconciler.core.checkpoints import place_of
from reconciler.core.comeback import STEP, UNSEEN, may_run, misfits, next_epoch, others, parse_reference
from reconciler.core.index import Index
from reconciler.errors import InputError
from reconciler.model.checkpoint import KeptAt, Manifest, TakenFrom
from reconciler.model.world import InstanceState
from tests.core.worlds import VERSIONS, container, facts, host, marker, spec, unknown, workload, world

WEB = workload(env={"A": "1"})
STOPPED = container(WEB, InstanceState.EXITED)


def manifest(**more) -> Manifest:
    source = {"host": "h1", "runtime": "podman", "versions": VERSIONS, "arch": "x86_64", **more}
    told = WEB.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
    return Manifest(
        id="20261126-014639-8584",
        workload="web",
        epoch=7,
        taken_at=1.0,
        frozen_s=0.1,
        came_from=TakenFrom(**source),
        files=(),
        spec=told,
    ).sealed()


def here(name="h2", **more):
    return facts(name, runtimes={"podman": "5.4.2"}, **more)


def why(found) -> str:
    return "; ".join(obstacle.text for obstacle in found)


@pytest.mark.parametrize(
    ("hosts", "gone", "said"),
    [
        ((facts("h1", container(WEB)), facts("h2")), (), "it is running on h1"),
        ((facts("h1", container(WEB, InstanceState.HELD)), facts("h2")), (), "it is held on h1"),
        ((unknown("h1"), facts("h2")), (), "it may run on h1, which was not seen"),
        ((unknown("h1"), facts("h2")), ("h1",), ""),
        ((facts("h1", STOPPED), facts("h2")), ("h1",), "h1 is said to be gone, and answers"),
        ((facts("h1", STOPPED), facts("h2")), (), ""),
        ((facts("h1", markers=(marker("web", 3, "committed", "source", peer="h2"),)),), (), "is unfinished"),
        ((facts("h2", markers=(marker("web", 3, "committed", "destination", peer="h1"),)),), (), "is unfinished"),
        ((facts("h2", markers=(marker("web", 3, "committed", "destination"),)),), (), "is unfinished"),
        ((facts("h1", markers=(marker("web", 3, "reserved", "destination"),)),), (), "is unfinished"),
        ((facts("h1", markers=(marker("web", 3, "running", broken="torn"),)),), (), "cannot be trusted: torn"),
    ],
)
def test_never_beside_a_copy_that_runs_or_may_run(hosts, gone, said) -> None:
    found = why(may_run("web", Index.of(world(*hosts)), gone))
    assert (said in found) if said else found == ""


def test_an_epoch_above_every_one_that_is_known() -> None:
    seen = Index.of(world(facts("h1", markers=(marker("web", 5, "retired", "source"),)), facts("h2")))
    assert next_epoch("web", seen, manifest(), ()) == 7 + STEP
    assert next_epoch("web", seen, manifest(), (11, 9)) == 11 + STEP
    assert next_epoch("web", Index.of(world(unknown("h1"), facts("h2"))), manifest(), ()) == 7 + UNSEEN


def test_whoever_has_something_of_it_is_fenced() -> None:
    fenced = marker("web", 3, "fenced", "destination")
    hosts = (
        facts("h1", STOPPED),
        facts("h3", markers=(marker("web", 3, "running"),)),
        facts("h4", markers=(fenced,)),
    )
    assert others("web", Index.of(world(*hosts, facts("h2"))), "h2") == ["h1", "h3"]


@pytest.mark.parametrize(
    ("source", "destination", "said"),
    [
        ({}, {}, ""),
        ({"arch": "aarch64"}, {}, "it was taken on aarch64"),
        ({"cpu_flags": ("avx2", "sse")}, {"cpu_flags": ("sse",)}, "the CPU of h2 lacks avx2"),
        ({"versions": VERSIONS | {"criu": "4.3"}}, {}, "CRIU is 4.2 on h2, and 4.3 took it"),
        ({"cgroup_version": 1}, {"cgroup_version": 2}, "control groups v1"),
        ({"runtime": "process"}, {}, "it was taken with process"),
    ],
)
def test_only_where_it_fits(source, destination, said) -> None:
    found = why(misfits(manifest(**source), WEB, here(**destination)))
    assert (said in found) if said else found == ""


def test_of_one_that_others_took_nobody_knows_the_spec() -> None:
    theirs = manifest(host="").model_copy(update={"spec": {}})
    assert theirs.imported and why(misfits(theirs, workload(env={"A": "2"}), here())) == ""
    assert "it was taken on aarch64" in why(misfits(manifest(host="", arch="aarch64"), WEB, here()))


def test_only_by_the_spec_it_was_taken_with() -> None:
    assert "env changed" in why(misfits(manifest(), workload(env={"A": "2"}), here()))
    assert why(misfits(manifest(), workload(on="h3", env={"A": "1"}), here())) == ""


def test_where_checkpoints_are_is_a_host_with_or_without_a_folder() -> None:
    hosts = spec(host("h1"), host("h2"))
    assert place_of("", hosts, "h1") == KeptAt("h1")
    assert place_of("h2:/srv/kept", hosts, "h1") == KeptAt("h2", "/srv/kept")
    for bad in ("h9", "h1:", "h1:relative", "h1:/../etc", "h1:/a b", "h1:/a\n", "h1:/$(id)", "h1:/-rf"):
        with pytest.raises(InputError):
            place_of(bad, hosts, "h1")
    assert parse_reference("web") == parse_reference("web@latest") == ("web", "latest")
