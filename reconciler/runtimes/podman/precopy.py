"""Pre-copy: rounds of memory are dumped with the OCI runtime while the container runs, and copied; the dump under
the freeze builds on the last one. On the destination nothing is merged: pages of round 1 that are still current
are served from where they lie (`pagemaps`)."""

from __future__ import annotations

from reconciler.core.causes import criu_cause, telling
from reconciler.core.lines import numbers
from reconciler.criu import config, log, rooms
from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.command import Program, Seconds, Tree
from reconciler.model.plan import Phase
from reconciler.runtimes.base import Handover, Round
from reconciler.runtimes.podman.engine import PodmanEngine

PRE_DUMP_LIMIT: Seconds = 900.0


class PodmanRounds(PodmanEngine):
    """The ability `precopies`."""

    def pre_dump(self, handover: Handover, number: int) -> Program[Round]:
        facts = yield from self.located_here(handover)
        runtime, tasks = handover.move.oci_runtime or "runc", self.tasks_of(facts)
        argv = self.shell("pre-dump", facts.userdata, str(number), runtime, facts.id)
        try:
            done = yield from guard.run(handover.fence, (Phase.RESERVED,), argv, timeout=PRE_DUMP_LIMIT)
        except CommandFailed as error:
            said = yield from log.errors(handover.name, f"{tasks.rounds}/dump.log")
            raise CommandFailed(
                f"round {number} of the pre-copy of {handover.name} failed on {handover.move.source}; it runs on",
                argv=error.argv,
                exit_code=error.status,
                stderr=error.stderr,
                log_tail=said,
                where=error.where,
                code="C333",
                why=criu_cause(said) or telling(error.stderr),
            ) from error
        size = numbers(done.stdout, ("bytes",))["bytes"]
        return Round(size, rooms.round_tree(tasks, number))

    def take_round(self, handover: Handover, number: int) -> Program[Tree]:
        facts = yield from self.saved(handover.name)
        if facts is None:
            raise CommandFailed(f"{handover.name} was not staged on {handover.move.destination}", code="C313")
        return (yield from rooms.take_round(self.tasks_of(facts), number))

    def build_on(self, handover: Handover, number: int) -> Program[None]:
        facts = yield from self.located_here(handover)
        yield from config.build_on(handover, self.tasks_of(facts), number)
