"""A host by itself, and what runtimes add to it. Fake: its answers."""

from __future__ import annotations

import json

import pytest

from reconciler.core.planner import make_plan
from reconciler.core.rules import check_host
from reconciler.core.rules.security import floors
from reconciler.errors import HostError
from reconciler.facts.adding import with_runtime
from reconciler.facts.host import look
from reconciler.hosts.base import pump
from reconciler.model.checkpoint import TakenFrom
from reconciler.model.world import HostFacts, ImageFacts, NetworkFacts, RuntimeFacts
from reconciler.runtimes.podman import observing
from reconciler.runtimes.process import ProcessDriver
from tests.core.worlds import VERSIONS, container, facts, host, spec, workload, world
from tests.unit.lies import Liar

IMAGE = ImageFacts(id="9", names=("plain/app:1",))
STORED = json.dumps([{"id": "a" * 64, "names": ["web"], "image": "b" * 64}])
LOOK = {
    "tools": "ip tar",
    "uid": "0",
    "machine": "boot\n1:2",
    "kernel": "6.18.0",
    "arch": "x86_64",
    "version criu": "Version: 4.2.1",
    "features": "uffd",
    "cpu": "flags : fpu aes",
    "memory": "available 4",
    "cgroup": "2",
    "disk": "100",
    "clock": "1.5",
    "end": "",
}


def answer(parts: dict[str, str]) -> Liar:
    text = "".join(f"\n@@ {name}\n{said}\n" for name, said in parts.items())
    asked = ("facts", "observe")
    return Liar("h1", lambda command: text if command.argv[3:4] and command.argv[3] in asked else "")


async def looked(**changes: str) -> HostFacts:
    return await pump(look("h1"), answer(LOOK | changes))


async def test_a_host_is_known_without_any_runtime() -> None:
    seen = await looked()
    assert (seen.machine, seen.versions, seen.runtimes) == (
        "boot/1:2",
        {"criu": "4.2.1", "kernel": "6.18.0"},
        {},
    )
    assert (seen.cpu_flags, seen.tools, seen.memory_free_bytes) == (("aes", "fpu"), ("ip", "tar"), 4096)
    (finding,) = (found for found in check_host(seen) if found.rule == "runtime.missing")
    assert (finding.severity, finding.host) == ("refuse", "h1")


@pytest.mark.parametrize(("changes", "code"), [({"uid": "1000"}, "H211"), ({"memory": "", "uid": ""}, "H211")])
async def test_who_is_not_root_cannot_checkpoint(changes: dict[str, str], code: str) -> None:
    with pytest.raises(HostError) as refused:
        await looked(**changes)
    assert (refused.value.code, refused.value.where) == (code, "h1")


async def test_an_answer_that_ends_early_is_no_host() -> None:
    with pytest.raises(HostError, match="says of itself"):
        await pump(look("h1"), answer({name: said for name, said in LOOK.items() if name != "end"}))


async def test_what_podman_left_on_a_host_may_still_run() -> None:
    """It cannot be asked any more: that is unknown, not absent."""
    itself = await looked()
    assert await pump(observing.observe(itself), answer({"gone": "[]", "end": ""})) == RuntimeFacts()
    for left in ({"gone": STORED}, {"gone": "", "monitors": "/proc/7/comm"}):
        with pytest.raises(HostError) as refused:
            await pump(observing.observe(itself), answer({**left, "end": ""}))
        assert (refused.value.code, refused.value.where) == ("H210", "h1")
    with pytest.raises(HostError, match="stopped early"):
        await pump(observing.observe(itself), answer({"gone": ""}))


async def test_trees_need_criu_and_nothing_else() -> None:
    for version in ("4.2.1", ""):
        itself = await looked(**{"version criu": version})
        found = await pump(ProcessDriver().observe(itself), answer({"end": ""}))
        assert with_runtime(itself, "process", found).runtimes == ({"process": version} if version else {})


def both(**plain: object) -> HostFacts:
    ours = facts("h1", container(workload()), disk_free_bytes=5)
    theirs = RuntimeFacts.model_validate({"version": "1", "instances": (container(workload("db")),), **plain})
    return with_runtime(ours, "plain", theirs)


def test_what_each_has_is_put_together_with_its_name() -> None:
    seen = both(images=(IMAGE,), disk_free_bytes=3, versions={"crun": "1.28"})
    assert [(c.name, c.runtime) for c in seen.containers] == [("web", "podman"), ("db", "plain")]
    assert seen.runtimes == {"podman": "5.4.2", "plain": "1"}
    assert (seen.version("crun", "podman"), seen.version("crun", "plain")) == ("1.21", "1.28")
    assert (seen.version("runc", "plain"), seen.version("criu", "plain")) == ("", "4.2")
    assert (seen.of("podman").disk_free_bytes, seen.of("plain").disk_free_bytes, seen.least_disk_bytes) == (
        5,
        3,
        3,
    )


def test_one_runtime_does_not_take_anothers_images_and_networks_for_its_own() -> None:
    seen = both(images=(IMAGE,))
    assert [i.id for i in seen.of("plain").images] == ["9"] and "9" not in [i.id for i in seen.of("podman").images]
    assert seen.of("plain").networks == () and seen.of("podman").networks != ()
    assert len(seen.of("plain").containers) == 2, "names, ports and addresses are everybody's"
    wanted = workload("new", on="h1", networks=[{"name": "lan"}])
    theirs = both(images=(IMAGE,)).model_copy(update={"networks": (NetworkFacts(name="lan", runtime="plain"),)})
    assert "network.missing" in {f.rule for f in make_plan(spec(host("h1"), wanted), world(theirs)).findings}


def test_a_missing_runtime_is_said_of_workloads_that_want_it_only() -> None:
    bare = facts("h1", runtimes={"plain": "1"}, images=(), networks=())
    other = workload("db", on="h1")
    other = other.model_copy(update={"spec": other.spec.model_copy(update={"runtime": "plain"})})
    found = make_plan(spec(host("h1"), workload("web", on="h1"), other), world(bare)).findings
    assert {f.workload for f in found if f.rule == "runtime.missing"} == {"web"}
    assert not any(f.rule == "runtime.missing" for f in check_host(bare))


def test_what_two_runtimes_run_with_may_have_two_versions() -> None:
    seen = both(versions={"runc": "1.2.7", "crun": "1.21"})
    assert (seen.version("runc", "podman"), seen.version("runc", "plain")) == ("1.1.15", "1.2.7")
    assert [its for name, its in seen.installed if name == "runc"] == ["1.1.15", "1.2.7"]
    assert len(seen.installed) == len(set(seen.installed)) == 6  # two runtimes, runc twice, crun, criu
    old = {said.message.split()[1] for said in floors(seen) if said.message.startswith("runc ")}
    assert old == {"1.1.15", "1.2.7"}


def test_a_hole_in_containerd_is_found_where_pods_are() -> None:
    seen = with_runtime(
        HostFacts(name="h1"), "cri", RuntimeFacts(version="2.1.8", versions={"containerd": "2.1.8"})
    )
    assert [said.fix for said in floors(seen)] == ["upgrade containerd on h1"]


def test_a_checkpoint_of_an_earlier_release_names_programs_by_the_same_words() -> None:
    named = {"podman": "5.4.2", "runc": "1.1.15", "crun": "", "criu": "4.2", "kernel": "6.18.0"}
    taken = TakenFrom.model_validate({"host": "h1", "runtime": "podman", "versions": named})
    assert taken.model_dump(mode="json")["versions"] == named  # what its seal was made of
    seen = facts("h1")
    assert seen.versions_with("podman") == {**VERSIONS}
