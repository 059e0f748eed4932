"""The ordinary way to make, start, stop and remove, for runtimes that are little more than a few command lines.

A runtime made from `SmallRuntime` says what it sees and which commands do things; looking first, epochs, markers,
the guard, and an order in which every command may be repeated are here. It has the ability `lifecycle`; others are
added by their methods. Its instances can be renamed, also while they run.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.base import canonical_json
from reconciler.model.command import Fence, Program
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.plan import Phase
from reconciler.model.spec import Workload
from reconciler.model.world import HostFacts, Instance, RuntimeFacts
from reconciler.runtimes.base import Alive

RAN, DID_NOT = "_aside", "_aside-stopped"
"""Ends of the name of what was set aside: whether it ran is remembered so."""

Argv = tuple[str, ...]


class SmallRuntime:
    """To be given: `NAME`, `look` and the commands. An instance is addressed by its `id`."""

    NAME = ""

    def look(self) -> Program[tuple[str, tuple[Instance, ...]] | None]:
        """Its version and all its instances on a host, with the labels of workload and spec; None where it is not
        installed."""
        raise NotImplementedError

    def making(self, name: str, workload: Workload, secrets: Mapping[str, bytes]) -> tuple[Argv, bytes]:
        """What makes an instance, not started, with both labels; and its stdin."""
        raise NotImplementedError

    def starting(self, instance: str) -> Argv:
        raise NotImplementedError

    def stopping(self, instance: str) -> Argv:
        """Done when it has stopped."""
        raise NotImplementedError

    def removing(self, instance: str) -> Argv:
        """Only what does not run."""
        raise NotImplementedError

    def renaming(self, instance: str, name: str) -> Argv:
        raise NotImplementedError

    # --- every runtime ---

    def observe(self, host: HostFacts) -> Program[RuntimeFacts]:
        seen = yield from self.look()
        if seen is None:
            return RuntimeFacts()
        version, instances = seen
        return RuntimeFacts(version=version, instances=instances)

    def alive(self, workload: str) -> Program[Alive]:
        found = yield from self._find(workload)
        return Alive(found is not None, found is not None and found.state.has_processes)

    def prepare_host(self) -> Program[None]:
        yield from guard.install()

    # --- lifecycle ---

    def create(
        self, workload: Workload, fence: Fence, *, oci_runtime: str, secrets: Mapping[str, bytes]
    ) -> Program[str]:
        name = workload.metadata.name
        found = yield from self._find(name)
        if found is not None:
            wanted = canonical_json(workload.spec.payload)
            if found.state.has_processes or found.labels.get(LABEL_SPEC) == wanted:
                return found.id
            yield from self._remove(name, fence)
        yield from guard.mark(fence, Phase.RUNNING, "owner")
        argv, stdin = self.making(name, workload, secrets)
        yield from guard.run(fence, guard.LIVE, argv, stdin=stdin, secret=bool(secrets))
        return (yield from self._there(name)).id

    def start(self, workload: Workload, fence: Fence) -> Program[None]:
        found = yield from self._there(workload.metadata.name)
        if not found.state.has_processes:
            yield from guard.mark(fence, Phase.RUNNING, "owner")
            yield from guard.run(fence, guard.LIVE, self.starting(found.id))

    def stop(self, workload: str, fence: Fence) -> Program[None]:
        found = yield from self._find(workload)
        if found is not None and found.state.has_processes:
            yield from guard.run(fence, guard.SETTLED, self.stopping(found.id))

    def remove(self, workload: str, fence: Fence) -> Program[None]:
        yield from self._remove(workload, fence)

    def set_aside(self, workload: str, fence: Fence) -> Program[None]:
        found = yield from self._find(workload)
        if found is not None and (yield from self._aside(workload)) is None:
            end = RAN if found.state.has_processes else DID_NOT
            yield from guard.run(fence, guard.SETTLED, self.renaming(found.id, workload + end))
        yield from self.stop(workload + RAN, fence)

    def bring_back(self, workload: str, fence: Fence) -> Program[None]:
        found = yield from self._aside(workload)
        if found is None:
            return
        yield from self._remove(workload, fence)
        if found.name == workload + RAN and not found.state.has_processes:
            yield from guard.run(fence, guard.LIVE, self.starting(found.id))
        yield from guard.run(fence, guard.SETTLED, self.renaming(found.id, workload))

    def remove_aside(self, workload: str, fence: Fence) -> Program[None]:
        for end in (RAN, DID_NOT):
            yield from self._remove(workload + end, fence)

    # --- looking ---

    def _find(self, name: str) -> Program[Instance | None]:
        seen = yield from self.look()
        return next((one for one in (seen[1] if seen else ()) if one.name == name), None)

    def _there(self, name: str) -> Program[Instance]:
        found = yield from self._find(name)
        if found is None:
            raise CommandFailed(f"{name} is not there", code="C315", why=f"{self.NAME} knows no instance of it")
        return found

    def _aside(self, workload: str) -> Program[Instance | None]:
        return (yield from self._find(workload + RAN)) or (yield from self._find(workload + DID_NOT))

    def _remove(self, name: str, fence: Fence) -> Program[None]:
        yield from self.stop(name, fence)
        if found := (yield from self._find(name)):
            yield from guard.run(fence, guard.SETTLED, self.removing(found.id))
