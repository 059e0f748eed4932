"""Leases on hosts: two controllers that share no journal, such as two CI jobs, exclude each other there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from reconciler.engine.lenient import Warn, lenient, unsaid
from reconciler.errors import CommandFailed, GuardRefused, HostError, Locked, ReconcilerError, ReplyLost
from reconciler.guard import guard
from reconciler.guard import leases as guard_leases
from reconciler.hosts.base import Fleet, pump
from reconciler.model.command import Seconds
from reconciler.model.place import leased
from reconciler.state.identity import is_dead_here

NAME = "reconciler"
"""The lease a controller takes on every host that it acts on."""
TTL: Seconds = 45.0
"""A dead controller's lease ends after this; take-over is promised within 60 s."""
BEAT: Seconds = 10.0


@dataclass
class Leases:
    """Leases that are held and kept alive: a heartbeat for each host. `others`: why those are not held which were
    asked for and not had."""

    fleet: Fleet
    owner: str
    warn: Warn
    beats: dict[str, asyncio.Task[None]]
    name: str = NAME
    others: Mapping[str, ReconcilerError] = field(default_factory=dict)

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset(self.beats)

    def lacking(self, hosts: Iterable[str]) -> ReconcilerError | None:
        """Why the first of these hosts that is not held is not; None: all are."""
        name = min({leased(host) for host in hosts} - self.hosts, default=None)
        if name is None:
            return None
        unasked = Locked(f"{name} was not asked for its lease", where=name, fix="give the same command again")
        return self.others.get(name, unasked)

    async def narrow(self, hosts: Collection[str]) -> None:
        """Keep the leases on these hosts alone. All of them are held, or the error is why one is not."""
        if (lacking := self.lacking(hosts)) is not None:
            raise lacking
        await self.keep_only(hosts)

    async def keep_only(self, hosts: Collection[str]) -> None:
        """Give back all others: nothing is done there, and other controllers may."""
        others = sorted(self.beats.keys() - {leased(host) for host in hosts})
        tasks = [self.beats.pop(name) for name in others]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await _drop(self.fleet, others, self.owner, self.warn, self.name)


@asynccontextmanager
async def fleet_leases(
    fleet: Fleet,
    hosts: Iterable[str],
    owner: str,
    on_lost: Callable[[Locked], None] = lambda _: None,
    warn: Warn = unsaid,
    *,
    lease: str = NAME,
    needed: bool = True,
    partly: bool = False,
) -> AsyncIterator[Leases]:
    """Hold the lease on all hosts that answer. Locked names the other controller; nothing is kept then.
    `on_lost` is told when another controller has a lease by now: this one was silent for too long. `warn` is told
    of leases that could not be given back. `lease`: its name; one name excludes no other.
    `needed`: a host that answers and cannot keep one, as with a full disk, is an error; else it is left out.
    `partly`: those are held that can be had, and `others` says who has the rest: what needs them is left alone.

    A host that does not answer is unknown to the plan as well, so nothing is done there."""
    names = sorted({leased(host) for host in hosts})
    results = await asyncio.gather(*(_take(fleet, name, owner, lease) for name in names), return_exceptions=True)
    taken = [name for name, result in zip(names, results, strict=True) if result is None]
    passing: tuple[type[BaseException], ...] = (HostError,) if needed else (HostError, CommandFailed, ReplyLost)
    passing += (Locked,) if partly else ()
    others = {name: r for name, r in zip(names, results, strict=True) if isinstance(r, ReconcilerError)}
    failure = next((r for r in results if isinstance(r, BaseException) and not isinstance(r, passing)), None)
    if failure is not None:
        await _drop(fleet, taken, owner, warn, lease)
        raise failure
    beats = {n: asyncio.create_task(_keep(fleet, n, owner, on_lost, lease), name=f"{lease} on {n}") for n in taken}
    leases = Leases(fleet, owner, warn, beats, lease, others)
    try:
        yield leases
    finally:
        await leases.keep_only(())


async def _take(fleet: Fleet, name: str, owner: str, of: str) -> None:
    host = fleet.host(name)
    await pump(guard.install(), host)
    try:
        await pump(guard_leases.take(of, owner, TTL), host)
    except GuardRefused as refused:
        lease = await pump(guard_leases.show(of), host)
        if lease is None or is_dead_here(lease.owner):
            if lease is not None:
                await pump(guard_leases.drop(of, lease.owner), host)
            await pump(guard_leases.take(of, owner, TTL), host)
            return
        raise Locked(
            f"{lease.owner} works on {name}",
            where=name,
            why=f"its lease is good for {max(0, round(lease.left_s))} s more",
            fix="wait until it has finished; a dead controller's lease ends by itself",
        ) from refused


async def _keep(fleet: Fleet, name: str, owner: str, on_lost: Callable[[Locked], None], of: str) -> None:
    """Beat until the lease is somebody else's. One that is nobody's was voided by a reboot, as long as the last
    beat is not older than it was good for: it is taken again. Else another controller may have come and gone."""
    host, last = fleet.host(name), time.time()
    while True:
        await asyncio.sleep(BEAT)
        try:
            await pump(guard_leases.beat(of, owner), host)
        except GuardRefused as refused:
            holder = await _holder(fleet, name, of)
            if holder or time.time() - last > TTL:
                on_lost(_taken_over(name, holder, refused))
                return
            with suppress(ReconcilerError):
                await _take(fleet, name, owner, of)
        except ReconcilerError:
            continue
        last = time.time()


async def _holder(fleet: Fleet, name: str, of: str) -> str:
    with suppress(ReconcilerError):
        lease = await pump(guard_leases.show(of), fleet.host(name))
        return lease.owner if lease else ""
    return ""


def _taken_over(name: str, holder: str, refused: GuardRefused) -> Locked:
    return Locked(
        f"{holder or 'another controller'} took over {name}, as this one was silent for too long",
        where=name,
        code="S602",
        why=str(refused),
        fix="nothing more was started here; see how it stands: reconcile status",
    )


async def _drop(fleet: Fleet, names: list[str], owner: str, warn: Warn, of: str) -> None:
    async def one(name: str) -> None:
        kept = f"the lease on {name} could not be given back; it ends by itself in {TTL:g} s"
        # A host that is gone keeps none, and by now it may be another's.
        with lenient("S603", kept, warn, name), suppress(HostError, GuardRefused):
            await pump(guard_leases.drop(of, owner), fleet.host(name))

    await asyncio.gather(*(one(name) for name in names))
