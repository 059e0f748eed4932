"""What runs on a host, as specs: one look, nothing is changed."""

from __future__ import annotations

from reconciler.commands.compose import drivers, open_fleet
from reconciler.commands.doctor import chosen
from reconciler.engine.lenient import Warn
from reconciler.hosts.base import pump
from reconciler.load.foreign.base import Import
from reconciler.load.foreign.running import read_running
from reconciler.model.spec import Spec
from reconciler.runtimes.base import Running, ShowsRunning


async def running_on(spec: Spec, host: str, warn: Warn) -> Import:
    """The containers that run there and that nobody keeps with Reconciler."""
    chosen(spec, [host])
    shows = [driver for driver in drivers().values() if isinstance(driver, ShowsRunning)]
    found: list[Running] = []
    async with open_fleet(spec, warn) as fleet:
        for driver in shows:
            found.append(await pump(driver.running(), fleet.host(host)))
    made = Import()
    for one in found:
        part = read_running(one.containers, one.images, one.segments)
        made.services += part.services
        made.notes += part.notes
    return made
