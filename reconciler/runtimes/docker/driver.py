"""The runtime `docker`: what engines share, and what is Docker's own. Holds no state."""

from __future__ import annotations

from reconciler.guard import guard
from reconciler.model.command import Archive, Program
from reconciler.model.world import HostFacts, RuntimeFacts
from reconciler.runtimes.docker import images, observing
from reconciler.runtimes.docker.moving import DockerMoves


class DockerDriver(DockerMoves):
    """The Docker Engine with CRIU, as root. See `reconciler.runtimes.base` for what each method promises."""

    PROGRAMS = ("docker",)

    def observe(self, host: HostFacts) -> Program[RuntimeFacts]:
        return observing.observe(host)

    def prepare_host(self) -> Program[None]:
        yield from guard.install()

    def pack_image(self, image_id: str) -> Program[Archive]:
        return images.pack_image(image_id)

    def take_image(self, archive: Archive, known_as: str) -> Program[None]:
        return images.take_image(archive, known_as)
