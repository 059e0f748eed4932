"""What is Podman's own of the side a workload leaves."""

from __future__ import annotations

from reconciler.criu import config, persisting, rooms
from reconciler.model.command import Program
from reconciler.model.spec import Strategy
from reconciler.model.world import ContainerFacts, OnDisk
from reconciler.runtimes.base import Handover
from reconciler.runtimes.oci.leaving import EngineSource
from reconciler.runtimes.podman.engine import PodmanEngine, criu_options


class PodmanSource(PodmanEngine, EngineSource):
    def prepare_dump(self, handover: Handover, facts: ContainerFacts) -> Program[None]:
        tasks = self.tasks_of(facts)
        yield from rooms.make(handover, tasks)
        if handover.move.strategy is Strategy.PRECOPY:
            yield from config.write(handover.name)  # of the dump's, a pre-dump takes not even the network lock
        else:
            yield from config.for_dump(handover, tasks)

    def dump_argv(self, handover: Handover, facts: ContainerFacts, *more: str) -> tuple[str, ...]:
        return self.command("container checkpoint", handover.name, options=(*more, *criu_options(handover)))

    def persist(self, handover: Handover) -> Program[OnDisk]:
        """The ability `postcopies`."""
        facts = yield from self.located_here(handover)
        return (yield from persisting.write(handover, self.tasks_of(facts)))

    def under(self, facts: ContainerFacts) -> tuple[str, ...]:
        return self.shell("keep-shm", facts.userdata)

    def allow_restore_here(self, handover: Handover, facts: ContainerFacts) -> Program[None]:
        yield from config.allow_restore(handover.name, *(yield from config.for_restore(handover)))
