"""Leases on hosts: two controllers that share no journal, such as two CI jobs, exclude each other there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

from reconciler.drivers import guard
from reconciler.errors import GuardRefused, HostError, Locked, ReconcilerError, ReplyLost
from reconciler.hosts.base import Fleet, pump
from reconciler.model.command import Seconds
from reconciler.state.identity import is_dead_here

NAME = "reconciler"
"""The lease an apply takes on every host it can reach."""
TTL: Seconds = 45.0
"""A dead controller's lease ends after this; take-over is promised within 60 s."""
BEAT: Seconds = 10.0


@asynccontextmanager
async def fleet_leases(fleet: Fleet, hosts: Iterable[str], owner: str) -> AsyncIterator[None]:
    """Hold the lease on all hosts that answer. Locked names the other controller; nothing is kept then.

    A host that does not answer is unknown to the plan as well, so nothing is done there."""
    names = sorted(hosts)
    results = await asyncio.gather(*(_take(fleet, name, owner) for name in names), return_exceptions=True)
    taken = [name for name, result in zip(names, results, strict=True) if result is None]
    failure = next((r for r in results if isinstance(r, BaseException) and not isinstance(r, HostError)), None)
    if failure is not None:
        await _drop(fleet, taken, owner)
        raise failure
    heartbeat = asyncio.create_task(_keep(fleet, taken, owner), name="lease heartbeat")
    try:
        yield
    finally:
        heartbeat.cancel()
        with suppress(asyncio.CancelledError):
            await heartbeat
        await _drop(fleet, taken, owner)


async def _take(fleet: Fleet, name: str, owner: str) -> None:
    host = fleet.host(name)
    await pump(guard.install(), host)
    try:
        await pump(guard.lease_take(NAME, owner, TTL), host)
    except GuardRefused as refused:
        lease = await pump(guard.lease_show(NAME), host)
        if lease is None or is_dead_here(lease.owner):
            if lease is not None:
                await pump(guard.lease_drop(NAME, lease.owner), host)
            await pump(guard.lease_take(NAME, owner, TTL), host)
            return
        raise Locked(
            f"{lease.owner} works on {name}",
            where=name,
            why=f"its lease is good for {max(0, round(lease.left_s))} s more",
            fix="wait until it has finished; a dead controller's lease ends by itself",
        ) from refused


async def _keep(fleet: Fleet, names: list[str], owner: str) -> None:
    while True:
        await asyncio.sleep(BEAT)
        for name in names:
            with suppress(ReconcilerError):
                await pump(guard.lease_beat(NAME, owner), fleet.host(name))


async def _drop(fleet: Fleet, names: list[str], owner: str) -> None:
    async def one(name: str) -> None:
        with suppress(HostError, ReplyLost, GuardRefused):
            await pump(guard.lease_drop(NAME, owner), fleet.host(name))

    await asyncio.gather(*(one(name) for name in names))
