"""What a look shares with the one before. Real: worlds and specs as everybody has them."""

from __future__ import annotations

import gc

from reconciler.core.sharing import shared
from reconciler.model.spec import Spec
from reconciler.model.world import HostFacts, World
from tests.bench.world import fleet

HOSTS, WORKLOADS = 4, 40


def again() -> tuple[Spec, World]:
    return fleet(HOSTS, WORKLOADS, 0)


def changed(world: World, **of_w0: object) -> World:
    """The same, with a container that is not as it was, and a clock that has gone on."""
    hosts = dict(world.hosts)
    h0 = hosts["h0"]
    assert isinstance(h0, HostFacts)
    instances = tuple(one.model_copy(update=of_w0) if one.name == "w0" else one for one in h0.instances)
    hosts["h0"] = h0.model_copy(update={"instances": instances, "clock_s": h0.clock_s + 60})
    return world.model_copy(update={"hosts": hosts})


def test_what_is_the_same_is_one_object() -> None:
    (spec, before), (spec_again, now) = again(), again()
    assert shared(before, now) is before and shared(spec, spec_again) is spec


def test_what_changed_is_new_and_the_rest_is_not() -> None:
    (_, before), (_, now) = again(), again()
    now = changed(now, memory_bytes=7)
    found = shared(before, now)
    assert found == now and found is not now
    was, is_ = before.seen()["h0"], found.seen()["h0"]
    assert found.hosts["h1"] is before.hosts["h1"]
    assert is_.instances[0] is not was.instances[0] and is_.instances[0].memory_bytes == 7
    assert is_.instances[0].networks is was.instances[0].networks
    assert [one is other for one, other in zip(is_.instances[1:], was.instances[1:], strict=True)] == [True] * 9


def test_what_comes_goes_or_changes_its_place_is_found_again() -> None:
    (_, before), (_, now) = again(), again()
    h0 = now.seen()["h0"]
    turned = h0.model_copy(update={"instances": h0.instances[:0:-1]})
    found = shared(before.hosts["h0"], turned)
    assert found == turned
    assert isinstance(found, HostFacts)
    assert {id(one) for one in found.instances} < {id(one) for one in before.seen()["h0"].instances}


def test_another_kind_of_thing_is_never_shared() -> None:
    assert shared(1, True) is True and shared((1,), [1]) == [1] and shared(None, 5) == 5


def test_a_look_that_finds_nothing_new_adds_next_to_nothing() -> None:
    _, world = again()
    gc.collect()
    before = len(gc.get_objects())
    for number in range(5):
        world = shared(world, changed(again()[1], memory_bytes=number))
    gc.collect()
    assert len(gc.get_objects()) - before < 100, "each world has some 3,000"
