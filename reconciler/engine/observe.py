"""Hosts and runtimes to World: all hosts at once, each with a time limit. What cannot be read is unknown."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from reconciler.core.sharing import shared
from reconciler.errors import HostError, HostUnreachable, ReconcilerError
from reconciler.facts.adding import with_runtime
from reconciler.facts.cluster import identity
from reconciler.facts.cluster import look as nodes_of
from reconciler.facts.host import look
from reconciler.hosts.base import Fleet, Host, each, pump
from reconciler.model.command import Seconds
from reconciler.model.place import cluster_of, leased
from reconciler.model.world import HostFacts, HostUnknown, HostView, World
from reconciler.runtimes.base import InClusters, Runtime, abilities

HOST_LIMIT: Seconds = 60.0
"""Longest a host may take to connect and answer everything."""
AT_ONCE = 20
"""Hosts asked at the same time, unless told otherwise."""
PAUSE: Seconds = 0.2
"""Before a host that cannot be reached is asked once more."""
_UNREADABLE = "H290"
SAME_MACHINE = "H292"

log = logging.getLogger("reconciler.engine")


async def observe(
    fleet: Fleet,
    drivers: Mapping[str, Runtime],
    hosts: Sequence[str],
    *,
    limit: int = AT_ONCE,
    host_limit: Seconds = HOST_LIMIT,
    before: World | None = None,
) -> World:
    """Ask each host once, for what each runtime has there. A host that does not answer one of them is unknown, for
    a workload may be there; its failure is not the others'. What is as it was `before`, an earlier look, is the
    same object."""
    slots, known = asyncio.Semaphore(limit), before.hosts if before else {}

    async def one(name: str) -> dict[str, HostView]:
        async with slots:
            found = await _place(fleet, drivers, name, host_limit)
        return {place: shared(known[place], view) if place in known else view for place, view in found.items()}

    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(one(name), name=f"observe {name}") for name in sorted(set(hosts))}
    views = _told_apart({name: view for task in tasks.values() for name, view in task.result().items()})
    for name, view in views.items():
        if isinstance(view, HostUnknown):
            log.warning("unknown: %s (%s)", view.reason, view.code, extra={"host": name})
        else:
            log.info("seen, with %d instances", len(view.instances), extra={"host": name})
    return World(hosts=views, abilities={name: abilities(driver) for name, driver in drivers.items()})


def _told_apart(hosts: Mapping[str, HostView]) -> dict[str, HostView]:
    """Hosts that are one machine under several names are unknown, and so are clusters, with their nodes: each
    workload there would be seen twice."""
    names: dict[str, list[str]] = {}
    for name, host in hosts.items():
        if isinstance(host, HostFacts) and host.machine:
            names.setdefault(host.machine, []).append(name)
    views = dict(hosts)
    for same in names.values():
        for name in same if len(same) > 1 else ():
            others = " and ".join(other for other in same if other != name)
            what, kind = ("cluster", "Cluster") if cluster_of(name) else ("machine", "Host")
            reason = f"it is the same {what} as {others}; keep one of these {kind} specs"
            views[name] = HostUnknown(name=name, reason=reason, code=SAME_MACHINE)
    doubled = {name for name, view in views.items() if isinstance(view, HostUnknown)}
    return {name: view for name, view in views.items() if name in doubled or leased(name) not in doubled}


async def _place(
    fleet: Fleet, drivers: Mapping[str, Runtime], name: str, host_limit: Seconds
) -> dict[str, HostView]:
    """What is known of a host; of a cluster, of its own place and each of its nodes. One that does not answer is
    unknown as a whole."""
    asks = _cluster if cluster_of(name) else _host
    found = await _seen(asks, fleet, drivers, name, host_limit)
    return {name: found} if isinstance(found, HostUnknown) else dict(found)


Asks = Callable[[Fleet, Mapping[str, Runtime], str], Awaitable[dict[str, HostFacts]]]


async def _seen(
    asks: Asks, fleet: Fleet, drivers: Mapping[str, Runtime], name: str, host_limit: Seconds
) -> dict[str, HostFacts] | HostUnknown:
    try:
        async with asyncio.timeout(host_limit):
            try:
                return await asks(fleet, drivers, name)
            except HostUnreachable:
                await asyncio.sleep(PAUSE)
                return await asks(fleet, drivers, name)
    except TimeoutError:
        return HostUnknown(name=name, reason=f"it did not answer within {host_limit:g} s", code="H291")
    except HostError as error:
        reason = f"{error.what} ({error.why})" if error.why else error.what
        return HostUnknown(name=name, reason=reason, code=error.code, fix=error.fix)
    except ReconcilerError as error:
        return HostUnknown(name=name, reason=str(error), code=error.code, fix=error.fix)
    except (ValueError, KeyError, TypeError) as error:
        # pydantic's errors are ValueErrors: output that no parser understands is not a world.
        return HostUnknown(name=name, reason=f"its answers cannot be read: {_line(error)}", code=_UNREADABLE)
    except Exception as error:  # a fault of ours or of a library: it is this place's, and nobody else's
        log.exception("looking at it failed", extra={"host": name})
        reason = f"looking at it failed ({type(error).__name__}); the log has the details"
        return HostUnknown(name=name, reason=reason, code=_UNREADABLE)


async def _cluster(fleet: Fleet, drivers: Mapping[str, Runtime], name: str) -> dict[str, HostFacts]:
    """Its nodes, then what each runtime that is in clusters has there."""
    there = fleet.host(name)
    places = await pump(nodes_of(cluster_of(name)), there)
    for driver in drivers.values():
        if isinstance(driver, InClusters):
            places = await pump(driver.observe_cluster(places), there)
    its_own = places.get(name, HostFacts(name=name))
    return {**places, name: its_own.model_copy(update={"machine": await pump(identity(), there)})}


async def _host(fleet: Fleet, drivers: Mapping[str, Runtime], name: str) -> dict[str, HostFacts]:
    """The host itself first, then all runtimes at the same time."""
    there = fleet.host(name)
    host = await pump(look(name), there)
    if host.clock_s:
        host = host.model_copy(update={"clock_offset_s": round(host.clock_s - time.time(), 3)})
    return {name: await with_runtimes(host, drivers, there)}


async def with_runtimes(host: HostFacts, drivers: Mapping[str, Runtime], there: Host) -> HostFacts:
    """The host with what each runtime has on it."""
    found = await each(*(pump(driver.observe(host), there) for driver in drivers.values()))
    for runtime, said in zip(drivers, found, strict=True):
        host = with_runtime(host, runtime, said)
    return host


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:200]
