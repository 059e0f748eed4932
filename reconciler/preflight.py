"""The closer look at the hosts that a plan is about: at most one round trip each, all at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from reconciler.core.questions import answered
from reconciler.drivers.base import Driver, LooksCloser
from reconciler.errors import ReconcilerError
from reconciler.hosts.base import Fleet, pump
from reconciler.model.command import Seconds
from reconciler.model.question import Question
from reconciler.model.world import HostFacts, World
from reconciler.observe import AT_ONCE

LOOK_LIMIT: Seconds = 40.0
"""Longest a closer look may take; the rules that need it stay silent after that, with a warning."""


async def look_closer(
    fleet: Fleet, drivers: Mapping[str, Driver], world: World, questions: Mapping[str, Question]
) -> World:
    """The world with the answers in it. A host that does not answer keeps the facts it had, and says why."""
    driver = drivers["podman"]
    seen = world.seen()
    if not isinstance(driver, LooksCloser):
        return world
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(host: HostFacts, question: Question) -> HostFacts:
        async with slots:
            try:
                async with asyncio.timeout(LOOK_LIMIT):
                    return await pump(driver.preflight(host, question), fleet.host(host.name))
            except TimeoutError:
                why = f"it did not answer within {LOOK_LIMIT:g} s"
            except ReconcilerError as error:
                why = str(error)
            except (ValueError, KeyError, TypeError) as error:
                why = f"its answers cannot be read: {error}"
            return host.model_copy(update={"preflight_error": why})

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(one(seen[name], question), name=f"look closer at {name}")
            for name, question in sorted(questions.items())
            if name in seen
        ]
    return answered(world, (task.result() for task in tasks))
