"""What is Docker's own of an engine of OCI containers: its answers, and how a container is made and removed."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from reconciler.core import answers
from reconciler.core.causes import telling
from reconciler.criu import rooms
from reconciler.criu.tasks import Tasks
from reconciler.errors import CommandFailed
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program, Seconds
from reconciler.model.container import REGISTRY_PASSWORD
from reconciler.model.spec import Workload
from reconciler.model.world import ContainerFacts, NetworkFacts, VolumeFacts
from reconciler.runtimes.docker import images, options, parse, places
from reconciler.runtimes.oci.containers import STOP_LIMIT
from reconciler.runtimes.oci.engine import Making, Phases
from reconciler.runtimes.oci.moving import EngineMoves
from reconciler.runtimes.oci.stores import PULL_LIMIT, login

_SILENT = 3
SETTLE_LIMIT: Seconds = 60.0
_HUB = "https://index.docker.io/v1/"
_INSPECTED = "what Docker says of a container"


class DockerEngine(EngineMoves):
    NAME = parse.NAME
    TITLE = "Docker"
    LOOK_LIMIT: Seconds = 65.0
    WHEN_ENDED: Seconds = 65.0
    RESTORERS = "Docker, containerd or CRIU"
    FORCE_KILLS = True

    # --- looking ---

    def looked(self, name: str, within: Seconds) -> Program[str]:
        argv = self.shell("inspect", name)
        result = yield Command(argv, timeout=within, ok=(0, _SILENT), secret=True)
        if result.status == 0:
            return result.stdout
        raise CommandFailed(
            "Docker does not answer",
            argv=argv[3:],
            exit_code=result.status,
            stderr=result.stderr,
            code="C362",
            why=telling(result.stderr),
        )

    def read(self, text: str) -> ContainerFacts | None:
        parts = answers.whole(text, _INSPECTED)
        driver = parts.get("engine", "").strip().partition(" ")[0]
        driver = answers.word(driver, "who makes control groups for Docker")
        return next(iter(parse.containers(parts.get("inspected", ""), driver)), None)

    def tasks(self, container_id: str, home: str) -> Tasks:
        return places.tasks(home)

    def oci_config(self, facts: ContainerFacts) -> Program[str]:
        found = yield Command(self.shell("config", facts.id))
        return found.stdout.strip()

    def settle(self, facts: ContainerFacts, fence: Fence) -> Program[None]:
        # Fenced: a later dump has it paused, too.
        yield from guard.run(fence, guard.ANY, self.shell("settle", facts.id), timeout=SETTLE_LIMIT)

    # --- images, networks, volumes ---

    def image_id(self, image: str) -> Program[str | None]:
        found = yield from images.image(image)
        return found.id if found else None

    def pull_as(self, image: str, user: str, password: bytes, options: Sequence[str]) -> Command:
        argv = self.shell("pull", image, *options)
        stdin = login(image, user, password, _HUB)
        return Command(argv, stdin=stdin, timeout=PULL_LIMIT, changes=True, secret=True)

    def network(self, name: str) -> Program[NetworkFacts | None]:
        """By its very name: Docker takes the beginning of an ID for one, too."""
        found = parse.networks((yield from images.asked("network", name)))
        return next((facts for facts in found if facts.name == name), None)

    def mtu(self, size: int) -> str:
        return f"com.docker.network.driver.mtu={size}"

    def volume(self, name: str) -> Program[VolumeFacts | None]:
        return next(iter(parse.volumes((yield from images.asked("volume", name)))), None)

    def look_into(self, volume: VolumeFacts) -> str:
        return f"it is at {volume.mountpoint or '(no folder)'}"

    def save_and_remove(self, volume: VolumeFacts) -> str:
        return f", look into {volume.mountpoint}, then: docker volume rm {volume.name}"

    # --- containers ---

    def making(
        self, workload: Workload, *, oci_runtime: str, restart: str, secrets: Mapping[str, bytes]
    ) -> Program[Making]:
        yield from ()
        return self.making_from(workload, workload.container.image, restart, secrets)

    def making_from(self, workload: Workload, image: str, restart: str, secrets: Mapping[str, bytes]) -> Making:
        given = {name: value for name, value in secrets.items() if name != REGISTRY_PASSWORD}
        argv = options.create_argv(workload, image=image, restart=restart, secrets=given)
        lines = (name.encode() + b" " + base64.b64encode(value) + b"\n" for name, value in sorted(given.items()))
        return Making(self.shell("create", *argv), b"".join(lines), secret=bool(given))

    def discard(self, found: ContainerFacts, fence: Fence, phases: Phases, *, whole: bool) -> Program[None]:
        """With what is in our folder of it, and always with volumes without a name."""
        yield from rooms.free(self.tasks_of(found), fence, phases)
        argv = self.command("rm", found.id, options=("--force", "--volumes"))
        yield from guard.run(fence, phases, argv, timeout=STOP_LIMIT)
        yield from guard.run(fence, phases, self.shell("forget", found.userdata))
