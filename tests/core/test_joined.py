"""One host, as several runtimes see it."""

from reconciler.core.joined import joined
from reconciler.core.planner import make_plan
from reconciler.model.world import ImageFacts, NetworkFacts, Versions
from tests.core.worlds import container, facts, host, marker, spec, workload, world

OWN = {"runtimes": {"podman": "5.4.2"}, "versions": Versions(podman="5.4.2"), "arch": "x86_64"}
IMAGE = ImageFacts(id="9", names=("plain/app:1",))


def both(**plain):
    ours = facts("h1", container(workload()), markers=(marker("web", 1, "running"),), memory_free_bytes=5, **OWN)
    other = facts("h1", container(workload("db")), arch="", networks=(), runtimes={"plain": "1"}, **plain)
    return joined({"podman": ours, "plain": other})


def test_what_each_has_is_put_together_with_its_name():
    seen = both(images=(IMAGE,), markers=(marker("web", 1, "running"),))
    assert [(c.name, c.runtime) for c in seen.containers] == [("web", "podman"), ("db", "plain")]
    assert seen.runtimes == {"podman": "5.4.2", "plain": "1"}
    assert len(seen.markers) == 1, "all of them read the same"
    assert (seen.arch, seen.versions.podman, seen.memory_free_bytes) == ("x86_64", "5.4.2", 5)


def test_one_runtime_does_not_take_anothers_images_and_networks_for_its_own():
    seen = both(images=(IMAGE,))
    assert [i.id for i in seen.of("plain").images] == ["9"] and "9" not in [i.id for i in seen.of("podman").images]
    assert seen.of("plain").networks == () and seen.of("podman").networks != ()
    assert len(seen.of("plain").containers) == 2, "names, ports and addresses are everybody's"
    wanted = workload("new", on="h1", networks=[{"name": "lan"}])
    theirs = both(images=(IMAGE,)).model_copy(update={"networks": (NetworkFacts(name="lan", runtime="plain"),)})
    assert "network.missing" in {f.rule for f in make_plan(spec(host("h1"), wanted), world(theirs)).findings}


def test_alone_it_is_as_it_was_said():
    ours = facts("h1", container(workload()))
    assert joined({"podman": ours}) is ours
