"""One watch leads: by a lock in the journal, for those who share one, and by a lease of its own on the hosts, for
those who do not. It keeps nobody from `apply`, which excludes others by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from reconciler.commands.compose import kept_runs, open_fleet
from reconciler.engine.lease import fleet_leases
from reconciler.engine.lenient import Warn
from reconciler.errors import Locked
from reconciler.hosts.base import Fleet
from reconciler.model.spec import Spec
from reconciler.state.store import Awaited

LOCK: Final = "@watch"
"""No workload can have this name."""
LEASE: Final = "reconciler-watch"


@asynccontextmanager
async def leading(
    spec: Spec, journal: Path | None, me: str, lost: Callable[[Locked], None], warn: Warn
) -> AsyncIterator[Fleet]:
    """Lead for as long as the block lasts; its hosts are connected. Locked names another watch that leads. `lost`
    is told when another one leads by now, as this one was silent for too long."""
    async with AsyncExitStack() as held:
        store = await held.enter_async_context(kept_runs(journal))
        await held.enter_async_context(Awaited(store).locked([LOCK], me))
        fleet = await held.enter_async_context(open_fleet(spec, warn))
        leases = fleet_leases(fleet, spec.places, me, lost, warn, lease=LEASE, needed=False)
        await held.enter_async_context(leases)
        yield fleet
