"""Taking a volume to another host while nothing uses it: its container was set aside, or there is none."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.hosts.base import Fleet, Progress, pump
from reconciler.model.plan import Step
from reconciler.runtimes.base import Driver


@dataclass(frozen=True)
class VolumeCopy:
    """One volume (`step.subject`) from `step.peer` to `step.host`, over a link of its own."""

    step: Step
    driver: Driver
    fleet: Fleet
    run: str

    @property
    def _link(self) -> tuple[str, str, str]:
        assert self.step.peer
        return self.step.peer, self.step.host, f"{self.run}-{self.step.workload}-{self.step.subject}-volume"

    async def carry(self, compression: str, progress: Progress) -> dict[str, str]:
        """Copy it, with sums compared, onto the destination's disk."""
        source, destination, _ = self._link
        there, here = [
            await pump(self.driver.locate_volume(self.step.subject, self.step.workload), self.fleet.host(host))
            for host in (source, destination)
        ]
        await self.fleet.open_link(*self._link, compression)
        report = await self.fleet.copy_trees(*self._link, ((there, here),), progress)
        await pump(self.driver.keep_volume(here), self.fleet.host(destination))
        await self.end()
        return {"bytes": str(report.bytes), "seconds": f"{report.seconds:.3f}", "how": report.how}

    async def end(self) -> None:
        """Nothing of the copy runs any more, and its link is gone from both hosts."""
        await self.fleet.cancel_copy(*self._link)
        await self.fleet.close_link(*self._link)
