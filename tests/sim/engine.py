"""A runtime that moves what runs by itself, in memory. Real: all of `SmallRuntime` and of the guard's commands."""

import json

from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.base import canonical_json
from reconciler.model.command import Command
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.plan import Phase
from reconciler.model.world import Instance, InstanceState
from reconciler.runtimes.base import Underway
from reconciler.runtimes.small import DID_NOT, RAN, SmallRuntime


class SimEngine(SmallRuntime):
    NAME = "engine"
    CALLED = "engine."

    def look(self):
        result = yield Command(("memrt", "observe"))
        listed = json.loads(result.stdout)["containers"]
        return "1.0", tuple(_facts(one) for one in listed if one["name"].startswith(self.CALLED))

    def making(self, name, workload, secrets):
        argv = ("memrt", "create", self.CALLED + name, name, "app", "no")
        return argv, canonical_json(workload.spec.payload).encode()

    def starting(self, instance):
        return "memrt", "start", instance

    def stopping(self, instance):
        return "memrt", "stop", instance

    def removing(self, instance):
        return "memrt", "rm", instance

    def renaming(self, instance, name):
        return "memrt", "rename", instance, self.CALLED + name

    def health(self, workload, check, address):
        yield Command(("memrt", "health", self.CALLED + workload))

    # --- it moves by itself ---

    def receive(self, handover):
        name, text = handover.name, canonical_json(handover.workload.spec.payload)
        argv = ("memrt", "receive", self.CALLED + name, name)
        yield from guard.run(handover.fence, (Phase.RESERVED,), argv, stdin=text.encode())

    def begin(self, handover):
        argv = ("memrt", "migrate", self.CALLED + handover.name, handover.move.destination)
        yield from guard.run(handover.fence, (Phase.RESERVED,), argv)

    def progress(self, handover):
        result = yield Command(("memrt", "migration", self.CALLED + handover.name))
        return Underway(**json.loads(result.stdout)) if result.stdout else Underway(False)

    def cancel(self, handover):
        yield from guard.run(handover.after, (Phase.RESERVED,), ("memrt", "cancel", self.CALLED + handover.name))

    def keep(self, handover, fence):
        if (yield from self._find(handover.name)) is None:
            raise CommandFailed(f"{handover.name} is not there")

    def drop(self, handover, fence):
        found = yield from self._find(handover.name)
        if found and found.state.has_processes:
            raise CommandFailed(f"{handover.name} runs")
        if found:
            yield from guard.run(fence, (Phase.RETIRED, Phase.FENCED), self.removing(found.id))


def _facts(one):
    name = one["name"].removeprefix(SimEngine.CALLED)
    workload = name.removesuffix(DID_NOT).removesuffix(RAN)
    return Instance(
        id=one["id"],
        name=name,
        state=InstanceState(one["state"]),
        memory_bytes=64 * 2**20,
        labels={LABEL_WORKLOAD: workload, LABEL_SPEC: one["spec"]},
    )
