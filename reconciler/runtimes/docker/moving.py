"""What is Docker's own of a move.

CRIU's config names the folder of ours for images, at a dump and at a restore. So the images are never in what
Docker and containerd copy (three times at each), memory may follow a restore, and the way back finds them where
they are. A container that Docker has made and never started is all that a restore needs: it has an ID, a file
system that is not mounted, and addresses that appear nowhere before it starts.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core import answers
from reconciler.criu import arriving, config, rooms
from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program
from reconciler.model.plan import Phase
from reconciler.model.spec import TcpHandling
from reconciler.model.world import ContainerFacts, InstanceState
from reconciler.runtimes.base import Handover, Located
from reconciler.runtimes.docker import places
from reconciler.runtimes.docker.engine import DockerEngine
from reconciler.runtimes.oci.containers import NO_RESTART
from reconciler.runtimes.oci.driver import OciDriver
from reconciler.runtimes.oci.leaving import noting_descriptors
from reconciler.runtimes.oci.moving import home_of

_RUNC = "/run/docker/runtime-runc/moby"


class DockerMoves(DockerEngine, OciDriver):
    def keep(self, facts: ContainerFacts, inspected: str) -> Program[None]:
        """Our folder of it, which knows where Docker keeps the container."""
        root = answers.whole(inspected, "what Docker says").get("engine", "").strip().partition(" ")[2]
        kept = f"{answers.path(root, 'the folder of Docker')}/containers/{facts.id}"
        yield Command(self.shell("room", facts.userdata, kept), changes=True)

    # --- leaving ---

    def prepare_dump(self, handover: Handover, facts: ContainerFacts) -> Program[None]:
        tasks = self.tasks_of(facts)
        yield from rooms.make(handover, tasks)
        yield from config.for_dump(handover, tasks, *_lines(handover, facts.userdata))

    def dump_argv(self, handover: Handover, facts: ContainerFacts) -> tuple[str, ...]:
        return self.shell("dump", facts.userdata, facts.id, f"epoch-{handover.move.epoch}")

    def under(self, facts: ContainerFacts) -> tuple[str, ...]:
        return noting_descriptors(facts.userdata, f"{_RUNC}/{facts.id}/state.json")

    def allow_restore_here(self, handover: Handover, facts: ContainerFacts) -> Program[None]:
        yield from _allow_restore(handover, facts.userdata)

    # --- coming ---

    def is_restorable(self, facts: ContainerFacts) -> bool:
        return facts.state is InstanceState.CREATED

    def make_restorable(self, handover: Handover, image: str, secrets: Mapping[str, bytes]) -> Program[None]:
        how = self.making_from(handover.workload, image, NO_RESTART, secrets)
        yield from self.make(how, handover.workload, handover.fence, arriving.RESERVED)

    def ready(self, handover: Handover) -> Program[Located]:
        name, move = handover.name, handover.move
        facts = yield from self.save(name)
        if facts is None or not self.is_restorable(facts) or not facts.upper_dir:
            state = facts.state.value if facts else "gone"
            what = f"{name} could not be prepared on {move.destination}: it is {state}"
            raise CommandFailed(what, code="C313")
        located = self.located(handover, facts, move.memory_bytes)
        if filled := [tree.path for tree in located.trees if tree.kind == "volume"]:
            yield from guard.run(handover.fence, arriving.RESERVED, self.shell("empty", *filled))
        yield from rooms.make(handover, self.tasks_of(facts))
        lazy = ("lazy-pages",) if move.follows else ()
        yield from _allow_restore(handover, facts.userdata, *lazy)
        yield from config.forbid_restore(name)
        return located

    def restore_argv(self, handover: Handover, staged: Located) -> tuple[str, ...]:
        return self.shell("restore", home_of(staged), staged.container_id)

    def bar(self, fence: Fence, facts: ContainerFacts) -> Program[None]:
        """Before its tasks run CRIU's script asks whether it is fenced off; a restore that begins only now is
        refused by the marker."""
        yield from guard.run(fence, (Phase.FENCED,), self.shell("fence", facts.userdata))


def _lines(handover: Handover, home: str) -> tuple[str, ...]:
    """Of CRIU's config at a dump and at a restore: Docker's commands have no options of CRIU's."""
    established = handover.policy.tcp is TcpHandling.ESTABLISHED
    return (
        "file-locks",
        *(("tcp-established",) if established else ()),
        f"images-dir {places.tasks(home).images}",
        f"work-dir {home}",
    )


def _allow_restore(handover: Handover, home: str, *more: str) -> Program[None]:
    """CRIU puts tasks back into the control group they were dumped in, which bears the source container's ID,
    unless told; by version 2 alone, for of others it would restore the freezer too, in which they were dumped."""
    group = f"cgroup-root :{places.cgroup_path(home)}"
    own = (*_lines(handover, home), group, *more)
    yield from config.allow_restore(handover.name, *(yield from config.for_restore(handover)), *own)
