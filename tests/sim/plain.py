"""The runtime in memory, but for moves: the order of guard operations is the Podman driver's, the commands are
`memrt`'s."""

from __future__ import annotations

import json
from collections.abc import Mapping

from reconciler.errors import CommandFailed, Refused
from reconciler.guard import guard
from reconciler.model.base import canonical_json
from reconciler.model.command import Archive, Fence, Program, Tree
from reconciler.model.health import HealthCheck
from reconciler.model.network import NetworkDefinition
from reconciler.model.plan import Phase
from reconciler.model.spec import Workload
from reconciler.model.world import HostFacts, ImageFacts, NetworkFacts, RuntimeFacts
from reconciler.runtimes.base import Alive, Pull
from tests.sim.memrt import (
    LIVE,
    SETTLED,
    Phases,
    Shown,
    container_facts,
    fenced,
    image_name,
    memrt,
    seen,
    show,
    volume_facts,
)


class Plain:
    """Observing, images, networks, volumes, and containers that do not move."""

    NAME = "podman"

    def observe(self, host: HostFacts) -> Program[RuntimeFacts]:
        had = yield from seen()
        return RuntimeFacts(
            version="5.4.2",
            versions={"runc": "1.1.15", "crun": "1.28"},
            instances=tuple(container_facts(c) for c in had["containers"]),
            images=tuple(
                ImageFacts(id=i, names=(f"localhost/{i}:1",), size_bytes=s) for i, s in had["images"].items()
            ),
            networks=tuple(NetworkFacts(name=n, driver=d) for n, d in had["networks"].items()),
            volumes=tuple(volume_facts(n, v) for n, v in had["volumes"].items()),
        )

    def alive(self, workload: str) -> Program[Alive]:
        shown = yield from guard.show(workload)
        if shown and shown[0].hook.state == "starting":
            return Alive(True, True, detail="being dumped")
        found = yield from show(workload)
        container = found["container"]
        running = bool(container) and container["state"] == "running"
        frozen = bool(container) and container["state"] == "frozen"
        return Alive(container is not None, running, frozen=frozen, restorable=found["restorable"])

    def prepare_host(self) -> Program[None]:
        yield from guard.install()

    def pull_image(self, image: str, how: Pull = Pull()) -> Program[str]:  # noqa: B008  it is frozen
        result = yield memrt("pull", image_name(image))
        return result.stdout

    def has_image(self, image_id: str) -> Program[bool]:
        result = yield memrt("observe", changes=False)
        return image_id in json.loads(result.stdout)["images"]

    def pack_image(self, image_id: str) -> Program[Archive]:
        yield from ()
        return Archive(image_id, (), ("pack",), "unpack")

    def take_image(self, archive: Archive, known_as: str) -> Program[None]:
        if not (yield from self.has_image(archive.id)):
            raise CommandFailed("the image did not arrive", code="C325")

    def create_network(self, name: str, network: NetworkDefinition) -> Program[None]:
        yield memrt("network", name, network.driver)

    def _find_volume(self, name: str, workload: str) -> Program[Shown | None]:
        found: Shown | None = (yield from seen())["volumes"].get(name)
        if found and found["workload"] != workload:
            raise Refused(f"the volume {name} belongs to {found['workload']}")
        return found

    def check_free(self, name: str, fence: Fence, run: str) -> Program[bool]:
        found = yield from self._find_volume(name, fence.workload)
        if found and found["run"] != run:
            raise Refused(f"a volume {name} is there already")
        return not found

    def create_volume(self, name: str, fence: Fence, run: str) -> Program[None]:
        if (yield from self.check_free(name, fence, run)):
            yield from fenced(fence, guard.ANY, "volume", name, fence.workload, str(fence.epoch), run)

    def locate_volume(self, name: str, workload: str) -> Program[Tree]:
        if (yield from self._find_volume(name, workload)) is None:
            raise CommandFailed(f"the volume {name} is not there")
        return Tree("volume", f"/volumes/{name}", name)

    def keep_volume(self, tree: Tree) -> Program[None]:
        yield memrt("keep-volume", tree.name)

    def remove_volume(self, name: str, fence: Fence, made_by: str = "") -> Program[None]:
        found = yield from self._find_volume(name, fence.workload)
        if found and made_by in ("", found["run"]):
            yield from fenced(fence, guard.ANY, "volume-rm", name)

    # --- plain containers ---

    def create(
        self, workload: Workload, fence: Fence, *, oci_runtime: str, secrets: Mapping[str, bytes]
    ) -> Program[str]:
        name, wanted = workload.metadata.name, workload.container
        found = (yield from show(name))["container"]
        text = canonical_json(wanted)
        if found:
            if found["state"] in ("running", "frozen"):
                return str(found["id"])
            if found["spec"] == text:
                yield from self._mounts_its_own(workload)
                return str(found["id"])
            yield from fenced(fence, SETTLED, "rm", found["id"])
        yield from self._mounts_its_own(workload)
        yield from guard.mark(fence, Phase.RUNNING, "owner")
        argv = ("create", name, name, image_name(wanted.image), wanted.restart.value, name)
        result = yield from fenced(fence, LIVE, *argv, stdin=text.encode())
        return result.stdout

    def _mounts_its_own(self, workload: Workload) -> Program[None]:
        for volume in workload.container.volumes:
            yield from self.locate_volume(volume.name, workload.metadata.name)

    def start(self, workload: Workload, fence: Fence) -> Program[None]:
        name = workload.metadata.name
        found = (yield from show(name))["container"]
        if found is None:
            raise CommandFailed(f"{name} cannot be started: its container is not there")
        if found["state"] != "running":
            if found["state"] == "created":
                yield from self._mounts_its_own(workload)
            yield from guard.mark(fence, Phase.RUNNING, "owner")
            yield from fenced(fence, LIVE, "start", found["id"])

    def update(self, workload: Workload, fence: Fence, run: str) -> Program[None]:
        name, wanted = workload.metadata.name, workload.container
        found = (yield from show(name))["container"]
        if found is None:
            raise CommandFailed(f"{name} is not there")
        text = canonical_json(wanted)
        if found["spec"] != text:
            argv = ("update", found["id"], wanted.restart.value)
            yield from fenced(fence, LIVE, *argv, stdin=text.encode())

    def update_back(self, workload: str, fence: Fence, run: str) -> Program[None]:
        if found := (yield from show(workload))["container"]:
            yield from fenced(fence, LIVE, "update-back", found["id"])

    def stop(self, workload: str, fence: Fence) -> Program[None]:
        found = (yield from show(workload))["container"]
        if found and found["state"] in ("running", "frozen"):
            yield from fenced(fence, SETTLED, "stop", found["id"])

    def remove(self, workload: str, fence: Fence) -> Program[None]:
        yield from self.remove_in(workload, fence, SETTLED)

    def remove_in(self, name: str, fence: Fence, phases: Phases) -> Program[None]:
        """By ID: a late command must not hit a successor of the same name."""
        if found := (yield from show(name))["container"]:
            yield from fenced(fence, phases, "rm", found["id"], ok=(0, 125))
            if (yield from show(name))["container"]:
                raise CommandFailed(f"{name} could not be removed")

    def set_aside(self, workload: str, fence: Fence) -> Program[None]:
        aside = f"{workload}_aside"
        old, shown = (yield from show(aside))["container"], (yield from show(workload))
        found = shown["container"]
        if found is None or (old and found["state"] not in ("running", "frozen")):
            return
        if old:
            yield from self.remove_aside(workload, fence)
        ran = found["state"] in ("running", "frozen")
        if ran or shown["note"] != found["id"]:
            yield memrt("write", workload, found["id"] if ran else "")
        yield from fenced(fence, SETTLED, "restart", found["id"], "no")
        yield from fenced(fence, SETTLED, "stop", found["id"])
        yield from fenced(fence, SETTLED, "rename", found["id"], aside)

    def bring_back(self, workload: str, fence: Fence) -> Program[None]:
        aside = f"{workload}_aside"
        old = (yield from show(aside))["container"]
        if old:
            yield from self.remove(workload, fence)
            yield from fenced(fence, SETTLED, "rename", old["id"], workload)
        found = yield from show(workload)
        here = found["container"]
        if here is None:
            return
        policy = json.loads(here["spec"]).get("restart", "no")
        yield from fenced(fence, SETTLED, "restart", here["id"], policy)
        if here["state"] != "running" and found["note"] == here["id"]:
            yield from fenced(fence, LIVE, "start", here["id"])
        yield memrt("write", workload, "")

    def remove_aside(self, workload: str, fence: Fence) -> Program[None]:
        yield from self.remove_in(f"{workload}_aside", fence, SETTLED)

    def health(self, workload: str, check: HealthCheck, address: str) -> Program[None]:
        yield memrt("health", workload, changes=False)
