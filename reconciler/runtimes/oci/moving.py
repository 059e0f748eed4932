"""What both sides of a move need: trees, what was noted of a container, its restart policy, restoring it."""

from __future__ import annotations

from abc import abstractmethod

from reconciler.criu import config, folders, restoring
from reconciler.errors import CommandFailed
from reconciler.guard import guard, notes
from reconciler.model.command import Bytes, Command, Fence, Program, Seconds, Tree
from reconciler.model.container import RestartPolicy
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.plan import Phase
from reconciler.model.world import ContainerFacts
from reconciler.runtimes.base import Handover, Located
from reconciler.runtimes.oci.containers import EngineContainers
from reconciler.runtimes.oci.engine import INSPECTION, saved_inspection


class EngineMoves(EngineContainers):
    """Of an engine whose containers CRIU dumps and restores by the engine's own commands."""

    # --- the engine's own ---

    def check_movable(self, handover: Handover) -> Program[None]:
        """Refused where this engine cannot do on this host what a move needs."""
        yield from ()

    def keep(self, facts: ContainerFacts, inspected: str) -> Program[None]:
        """What else has to be on the host once a container was noted."""
        yield from ()

    @abstractmethod
    def restore_argv(self, handover: Handover, staged: Located) -> tuple[str, ...]:
        """The command that restores a container from its images."""

    # --- shared ---

    def located(self, handover: Handover, facts: ContainerFacts, expected_bytes: Bytes = 0) -> Located:
        """Where a container's state is. Volumes pair up by where they are mounted, anonymous ones included, and so
        do folders that go along. `expected_bytes`: of memory that its images will have."""
        volumes = sorted((m for m in facts.mounts if m.kind == "volume"), key=lambda m: m.target)
        images, later = self.tasks_of(facts).images, handover.move.drains
        trees = (
            Tree("images", images, expected_bytes=expected_bytes, later=later),
            Tree("rootfs", facts.upper_dir),
            *(Tree("volume", m.source, name=m.target) for m in volumes),
            *(Tree("volume", m.source, name=m.target) for m in folders.of(handover)),
        )
        return Located(facts.id, trees)

    def save(self, workload: str) -> Program[ContainerFacts | None]:
        """Write down what the engine says of a container now, for when it is held, clients wait, or the engine
        does not answer."""
        text = yield from self.looked(workload, self.LOOK_LIMIT)
        facts = self.read(text)
        if facts is not None:
            yield from notes.write(workload, INSPECTION, text.encode(), secret=True)
            yield from self.keep(facts, text)
        return facts

    def saved(self, workload: str) -> Program[ContainerFacts | None]:
        """What `save` wrote; None when it did not, or `forget` was called since."""
        result = yield Command(("cat", "--", saved_inspection(workload)), ok=(0, 1), secret=True)
        return self.read(result.stdout) if result.status == 0 else None

    def forget(self, workload: str) -> Program[None]:
        yield from config.forget(workload, saved_inspection(workload))

    def copy_here(self, workload: str, within: Seconds = 0) -> Program[ContainerFacts | None]:
        """What a hand-over has of the workload on this host, also when somebody has renamed it meanwhile. A
        stranger's container of that name is none of it."""
        noted = yield from self.saved(workload)
        for known_as in (*((noted.id,) if noted else ()), workload):
            found = yield from self.inspect(known_as, within)
            if found is not None and found.labels.get(LABEL_WORKLOAD) == workload:
                return found
        return None

    def located_here(self, handover: Handover) -> Program[ContainerFacts]:
        """The source as it was located for this move."""
        facts = yield from self.saved(handover.name)
        if facts is None or facts.id != handover.move.container_id:
            raise CommandFailed(
                f"{handover.name} was not located for this move on {handover.move.source}", code="C312"
            )
        return facts

    def set_restart(self, handover: Handover, fence: Fence, phase: Phase, *, on: bool) -> Program[None]:
        """Engines start a container anew that ends by a checkpoint."""
        section = handover.workload.container
        if section.restart is not RestartPolicy.NO:
            policy = section.restart_option if on else RestartPolicy.NO.value
            argv = self.command("update", handover.name, options=(f"--restart={policy}",))
            yield from guard.run(fence, (phase,), argv)

    def restore_here(
        self, handover: Handover, fence: Fence, phase: Phase, staged: Located, *, lazy: str = ""
    ) -> Program[None]:
        """Restore a container from its images; `lazy`: the folder from which memory follows."""

        def runs() -> Program[bool]:
            now = yield from self.inspect(staged.container_id)
            return now is not None and now.state.has_processes

        yield from restoring.restore(
            handover,
            fence,
            phase,
            self.tasks(staged.container_id, home_of(staged)),
            self.restore_argv(handover, staged),
            addresses=[ip for n in handover.workload.container.networks for ip in n.ips],
            runs=runs,
            lazy=lazy,
            hangs=self.RESTORERS,
        )


def home_of(located: Located) -> str:
    """The folder of a container that its images are in."""
    return located.trees[0].path.rpartition("/")[0]
