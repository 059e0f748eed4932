"""Changing what can change while a container runs (`reconciler.model.inplace`).

Podman's labels cannot change, so what a container has since is noted beside its workload's marker: its ID, what it
has now, and what it had before for the way back. The note is written last; one of another container means nothing.
"""

from __future__ import annotations

from pydantic import ValidationError

from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.command import Fence, Program
from reconciler.model.container import Container
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.spec import Workload
from reconciler.model.world import ContainerFacts
from reconciler.runtimes.oci.options import limits, spec_label
from reconciler.runtimes.podman.engine import PodmanEngine
from reconciler.runtimes.podman.noted import Note, notes, write


class PodmanUpdates(PodmanEngine):
    """The ability `updates`."""

    def update(self, workload: Workload, fence: Fence, run: str) -> Program[None]:
        name, wanted = workload.metadata.name, workload.container
        facts = yield from self._running(name)
        had = (yield from notes((name,))).get(facts.id)
        now = spec_label(wanted)
        if had is not None and (had.now, had.run) == (now, run):
            return
        before = had.now if had else facts.labels.get(LABEL_SPEC, "")
        yield from guard.run(fence, guard.LIVE, update_argv(wanted, facts.id))
        yield from write(name, Note(facts.id, now, before, run))

    def update_back(self, workload: str, fence: Fence, run: str) -> Program[None]:
        facts = yield from self._running(workload)
        had = (yield from notes((workload,))).get(facts.id)
        text = facts.labels.get(LABEL_SPEC, "")
        if had is not None:
            text = had.before if had.run == run else had.now
        try:
            wanted = Container.model_validate_json(text)
        except ValidationError:
            raise CommandFailed(f"what {workload} was made from cannot be read", code="C351") from None
        yield from guard.run(fence, guard.LIVE, update_argv(wanted, facts.id))
        yield from write(workload, Note(facts.id, text))

    def _running(self, workload: str) -> Program[ContainerFacts]:
        facts = yield from self.ours(workload, workload)
        if facts is None:
            raise CommandFailed(f"{workload} cannot be changed: its container is not there", code="C351")
        return facts


def update_argv(container: Container, container_id: str) -> tuple[str, ...]:
    values = (f"--restart={container.restart_option}", *limits(container.limits))
    return ("podman", "update", *values, "--", container_id)
