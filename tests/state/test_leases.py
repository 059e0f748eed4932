"""Keeping leases on hosts, against a guard that answers from a script; real: everything else."""

import asyncio
from typing import Any

import pytest

from reconciler.engine import lease
from reconciler.errors import CommandFailed, ReconcilerError
from reconciler.model.command import Result
from reconciler.model.event import Untidied

NOBODY = '{"workload":"reconciler","owner":"","since":0,"left_cs":0}'
OTHER = '{"workload":"reconciler","owner":"ci@there/7","since":5,"left_cs":4000}'


class Host:
    """Answers lease commands; `holder` is what `lease show` says, `refusing` whether beats are refused."""

    name = "h1"

    def __init__(self, holder=NOBODY):
        self.holder, self.refusing, self.said = holder, False, []

    def host(self, name):
        return self

    async def run(self, command):
        words = command.argv[2:]
        self.said.append(" ".join(words[:2]))
        if words[:2] == ("lease", "show"):
            return Result(0, self.holder, "", 0.0)
        if words[:2] == ("lease", "take"):
            self.refusing = False
        if words[:2] == ("lease", "beat") and self.refusing:
            raise CommandFailed("no", exit_code=78, stderr="reconciler-guard[78]: it is not yours\n", where="h1")
        return Result(0, "", "", 0.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(lease, "BEAT", 0.01)


async def held(host, monkeypatch=None):
    lost: list[ReconcilerError] = []
    async with lease.fleet_leases(host, ["h1"], "me@here/1", lost.append):
        host.refusing = True
        await asyncio.sleep(0.1)
    return lost


async def test_a_lease_that_another_controller_has_by_now_is_told_once():
    lost = await held(Host(OTHER))
    assert len(lost) == 1
    assert "ci@there/7" in str(lost[0])
    assert lost[0].exit_code == 6
    assert "reconcile status" in lost[0].fix


async def test_a_lease_voided_by_a_reboot_is_taken_again():
    host = Host()
    assert await held(host) == []
    assert host.said.count("lease take") == 2


async def test_after_too_long_a_silence_another_controller_may_have_come_and_gone(monkeypatch):
    monkeypatch.setattr(lease, "TTL", 0.0)
    assert len(await held(Host())) == 1


async def test_a_lease_that_cannot_be_given_back_is_told_and_hides_nothing():
    class Stuck(Host):
        async def run(self, command):
            if command.argv[2:4] == ("lease", "drop"):
                raise CommandFailed(
                    "`guard` ended with status 1", exit_code=1, where="h1", why="Input/output error"
                )
            return await super().run(command)

    told: list[Untidied] = []
    stuck: Any = Stuck()
    with pytest.raises(KeyError, match="the outcome"):
        async with lease.fleet_leases(stuck, ["h1"], "me", warn=told.append):
            raise KeyError("the outcome")
    assert [(one.code, one.host) for one in told] == [("S603", "h1")]
    assert "the lease on h1 could not be given back; it ends by itself in 45 s" in told[0].text
