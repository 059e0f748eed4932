"""The closer look at the hosts that a plan is about, all at the same time: the host itself, then what a few
workloads at a time hold."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from reconciler.core.questions import answered, parts, smaller, unseen
from reconciler.engine.observe import AT_ONCE
from reconciler.errors import ReconcilerError
from reconciler.hosts.base import Fleet, Host, pump
from reconciler.model.command import Seconds
from reconciler.model.place import cluster_of
from reconciler.model.question import Question
from reconciler.model.world import HostFacts, World
from reconciler.runtimes.base import LooksCloser, Runtime

HOST_LIMIT: Seconds = 180.0
"""Longest the closer look at one host may take. What was not seen by then, or not at two tries, is said:
unknown is not fine."""


async def look_closer(
    fleet: Fleet, drivers: Mapping[str, Runtime], world: World, questions: Mapping[str, Question]
) -> World:
    """The world with the answers in it. What a host does not answer keeps the facts it had, and why."""
    lookers = [driver for driver in drivers.values() if isinstance(driver, LooksCloser)]
    seen = world.seen()
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(host: HostFacts, question: Question) -> HostFacts:
        async with slots:
            for looker in lookers:
                host = await _host(looker, fleet.host(host.name), host, question)
            return host

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(one(seen[name], question), name=f"look closer at {name}")
            for name, question in sorted(questions.items())
            if name in seen and not cluster_of(name)
        ]
    return answered(world, (task.result() for task in tasks))


async def _host(driver: LooksCloser, there: Host, facts: HostFacts, question: Question) -> HostFacts:
    """Part by part, so that a busy host answers some of it; what failed once more, in smaller parts."""
    clock = asyncio.get_running_loop().time
    ends = clock() + HOST_LIMIT
    waiting = [(part, False) for part in parts(question)]
    while waiting:
        part, again = waiting.pop(0)
        why = ""
        try:
            async with asyncio.timeout_at(ends):
                facts = await pump(driver.preflight(facts, part), there)
        except TimeoutError:
            why = f"looking at all of it took longer than {HOST_LIMIT:g} s"
        except ReconcilerError as error:
            why = str(error)
        except (ValueError, KeyError, TypeError) as error:
            why = f"its answers cannot be read: {error}"
        if why and not again and clock() < ends:
            waiting += [(smaller_part, True) for smaller_part in smaller(part)]
        elif why:
            facts = unseen(facts, part, why)
    return facts
