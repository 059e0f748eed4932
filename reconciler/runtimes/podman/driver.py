"""The Podman driver: what engines share, what is Podman's own, and what only it can do. Holds no state."""

from __future__ import annotations

from reconciler.guard import guard
from reconciler.model.command import Archive, Command, Program
from reconciler.model.question import Question
from reconciler.model.world import HostFacts, RuntimeFacts
from reconciler.runtimes.base import Running
from reconciler.runtimes.oci.driver import OciDriver
from reconciler.runtimes.oci.secluding import EngineSecludes
from reconciler.runtimes.podman import archives, inspecting, observing, paths, probes
from reconciler.runtimes.podman.capturing import PodmanCaptures
from reconciler.runtimes.podman.destination import PodmanDestination
from reconciler.runtimes.podman.precopy import PodmanRounds
from reconciler.runtimes.podman.updating import PodmanUpdates


class PodmanDriver(PodmanCaptures, PodmanDestination, PodmanRounds, PodmanUpdates, EngineSecludes, OciDriver):
    """Podman with CRIU, as root. See `reconciler.runtimes.base.Driver` for what each method promises."""

    PROGRAMS = ("podman",)

    def observe(self, host: HostFacts) -> Program[RuntimeFacts]:
        return observing.observe(host)

    def preflight(self, host: HostFacts, question: Question) -> Program[HostFacts]:
        return probes.preflight(host, question)

    def running(self) -> Program[Running]:
        return inspecting.running()

    def prepare_host(self) -> Program[None]:
        yield from guard.install()
        where = (f"{guard.ROOT}/bin", paths.DRY_START_HOOKS, guard.guard_path())
        yield Command(paths.shell("prepare", *where), changes=True)

    def pack_image(self, image_id: str) -> Program[Archive]:
        return archives.pack_image(image_id)

    def take_image(self, archive: Archive, known_as: str) -> Program[None]:
        return archives.take_image(archive, known_as)
