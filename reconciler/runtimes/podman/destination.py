"""What is Podman's own of the side a workload comes to.

Staging makes a container that is restorable without any of its code having run, and without its addresses having
appeared on the network, where they still belong to the source: a network namespace that answers for them before
anything listens in it resets the clients' connections.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.criu import arriving, restoring, rooms
from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.command import Bytes, Command, Program
from reconciler.model.container import RestartPolicy
from reconciler.model.world import ContainerFacts, InstanceState
from reconciler.runtimes.base import Handover, Located
from reconciler.runtimes.oci.coming import EngineDestination
from reconciler.runtimes.oci.engine import Making
from reconciler.runtimes.podman import options, parse, paths
from reconciler.runtimes.podman.engine import PodmanEngine, init_path, store_secrets
from reconciler.runtimes.podman.secluding import make_network, remove_network


class PodmanDestination(PodmanEngine, EngineDestination):
    def is_restorable(self, facts: ContainerFacts) -> bool:
        return facts.state is InstanceState.EXITED and facts.exit_code != 0 and facts.started_at > 0

    def make_restorable(self, handover: Handover, image: str, secrets: Mapping[str, bytes]) -> Program[None]:
        yield from store_secrets(handover.name, secrets)
        yield from make_network(handover.workload)
        argv = options.create_argv(
            handover.workload,
            image=image,
            oci_runtime=handover.move.oci_runtime,
            restart=RestartPolicy.NO.value,
            attach=False,
            init_path=(yield from init_path(handover.workload)),
        )
        yield from self.make(Making(argv), handover.workload, handover.fence, arriving.RESERVED)
        yield from self._dry_start(handover)

    def _dry_start(self, handover: Handover) -> Program[None]:
        """Start it with a hook that ends it right before its first instruction.

        That leaves what a restore needs (an OCI config and a start time, which Podman otherwise never sets) in a
        container that has exited. Only this one Podman command sees the hook.
        """
        name, fence = handover.name, handover.fence
        start = ("podman", f"--hooks-dir={paths.DRY_START_HOOKS}", "start", "--", name)
        yield from guard.run(fence, arriving.RESERVED, start, ok=(0, 1, 125, 126, 127))
        yield from guard.run(fence, arriving.RESERVED, self.command("wait", name))
        yield from guard.run(fence, arriving.RESERVED, self.command("container cleanup", name))
        facts = yield from self.inspect(name)
        if facts is None or not self.is_restorable(facts):
            raise CommandFailed(
                f"{name} could not be prepared on {handover.move.destination}",
                code="C313",
                why=f"after the dry start it is {facts.state.value if facts else 'gone'}",
            )
        mounted = yield Command(("grep", "-F", f"upperdir={facts.upper_dir},", "/proc/mounts"), ok=(0, 1))
        if mounted.status == 0:
            raise CommandFailed(f"the file system of {name} is still mounted", code="C313")

    def unstage(self, handover: Handover) -> Program[None]:
        yield from super().unstage(handover)
        yield from remove_network(handover.name)

    def missing(self, handover: Handover) -> Program[Bytes]:
        """The ability `postcopies`. What has ended misses nothing any more; `verify` says that it has."""
        facts = yield from self.ours(handover.name, handover.name)
        if facts is None or not facts.state.has_processes:
            return 0
        return (yield from restoring.missing(handover, self.tasks_of(facts)))

    def ready(self, handover: Handover) -> Program[Located]:
        facts = yield from self._attach(handover)
        yield from rooms.make(handover, self.tasks_of(facts))
        yield from arriving.be_ready(handover, *(yield from _cgroup_config(handover, facts)))
        return self.located(handover, facts, expected_bytes=arriving.expected(handover))

    def _attach(self, handover: Handover) -> Program[ContainerFacts]:
        """Give it its networks. It does not run, so nothing appears on them before the restore."""
        name, fence = handover.name, handover.fence
        attachments = handover.workload.container.networks
        if attachments:
            # All anew, in the spec's order: that numbers the interfaces as on the source.
            facts = yield from self.inspect(name)
            for present in facts.networks if facts else ():
                argv = self.command("network disconnect", present.name, name)
                yield from guard.run(fence, arriving.RESERVED, argv)
            for attachment in attachments:
                yield from guard.run(fence, arriving.RESERVED, options.connect_argv(name, attachment))
        facts = yield from self.save(name)
        if facts is None:
            raise CommandFailed(
                f"{name} could not be prepared on {handover.move.destination}: it is gone", code="C313"
            )
        return facts


def _cgroup_config(handover: Handover, facts: ContainerFacts) -> Program[tuple[str, ...]]:
    """CRIU puts tasks back into the cgroup they were dumped in, which bears the source container's ID.

    On cgroup v2 runc does not correct that (crun does): the copy would be out of reach of its limits, its freezer
    and the next checkpoint."""
    if handover.move.oci_runtime == "crun":
        return ()
    result = yield Command(("cat", "--", f"{facts.userdata}/config.json"), secret=True)
    path = parse.cgroup_path(result.stdout)
    return (f"cgroup-root :{path}",) if path else ()
