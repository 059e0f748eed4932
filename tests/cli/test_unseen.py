"""Hosts that were not seen are named with the reason, once, by commands that list what hosts have."""

from __future__ import annotations

import pytest

from reconciler.cli.views.kept import render_stock, render_verified
from reconciler.cli.views.runtimes import render_runtimes
from reconciler.commands.kept import FoundKept, Verification
from reconciler.errors import HostError
from reconciler.model.world import HostUnknown, World
from reconciler.runtimes import registry


def test_runtimes_say_why_a_host_was_not_seen() -> None:
    world = World(hosts={"h1": HostUnknown(name="h1", reason="there is no key to log in with", code="H203")})
    said = render_runtimes(registry.everything(), world).splitlines()
    assert said[-1] == "? h1: there is no key to log in with"
    assert said[-2].split()[:3] == ["h1", "not", "seen"]


def test_verify_names_where_nobody_could_look() -> None:
    read = Verification((), {"h1": HostError("there is no key", code="H203", where="h1")})
    assert render_verified(read) == "? h1: there is no key"


@pytest.mark.parametrize("where", ["h1", "", "ssh"])
def test_a_host_that_may_keep_checkpoints_is_named_once(where: str) -> None:
    found = FoundKept((), {"h1": HostError("there is no key", code="H203", where=where)})
    said = render_stock(found).splitlines()
    assert said[0] == "No checkpoint was found."
    assert said[1] == ("? h1: ssh: there is no key" if where == "ssh" else "? h1: there is no key")
