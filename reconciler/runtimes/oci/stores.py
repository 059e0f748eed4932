"""Images, networks and volumes: shared things of a host. Only what carries our label is ever removed."""

from __future__ import annotations

import base64
import json

from reconciler.core import owned
from reconciler.errors import CommandFailed, Refused
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program, Seconds, Tree
from reconciler.model.labels import LABEL_EPOCH, LABEL_RUN, LABEL_WORKLOAD
from reconciler.model.network import NetworkDefinition
from reconciler.model.world import NetworkFacts, VolumeFacts
from reconciler.runtimes.base import Pull
from reconciler.runtimes.oci.engine import Engine

PULL_LIMIT: Seconds = 1800.0
SYNC_LIMIT: Seconds = 600.0


class EngineStores(Engine):
    """The abilities `networks` and `volumes`, and of `images` what does not depend on their formats."""

    def pull_image(self, image: str, how: Pull = Pull()) -> Program[str]:  # noqa: B008  it is frozen
        found = yield from self.image_id(image)
        if found is None or how.newest:
            options = (f"--platform={how.platform}",) if how.platform else ()
            if how.login is None:
                argv = self.command("pull", image, options=("--quiet", *options))
                yield Command(argv, timeout=PULL_LIMIT, changes=True)
            else:
                yield self.pull_as(image, *how.login, options)
            found = yield from self.image_id(image)
        if found is None:
            raise CommandFailed(f"{image} was pulled but is not there")
        return found

    def has_image(self, image_id: str) -> Program[bool]:
        return (yield from self.image_id(image_id)) is not None

    def create_network(self, name: str, network: NetworkDefinition) -> Program[None]:
        """Make a network as defined; one with the same driver and subnets is fine, another is refused."""
        there = yield from self.network(name)
        if there is not None:
            _check_same(there, network)
            return
        options = [f"--driver={network.driver}"]
        if network.parent:
            options.append(f"--opt=parent={network.parent}")
        if network.mtu:
            options.append(f"--opt={self.mtu(network.mtu)}")
        options += ["--ipv6"] if network.ipam6 else []
        for ipam in network.ipams:
            options.append(f"--subnet={ipam.subnet}")
            options += [f"--gateway={ipam.gateway}"] if ipam.gateway else []
            options += [f"--ip-range={ipam.ip_range}"] if ipam.ip_range else []
        yield Command(self.command("network create", name, options=options), changes=True)

    def check_free(self, name: str, fence: Fence, run: str) -> Program[bool]:
        """Whether there is no volume of that name yet; one that this run has made is fine, any other refused."""
        found = yield from self.volume(name)
        if found is None:
            return True
        self._check_owner(found, fence.workload)
        owned.check_made_by(found, fence, run, self.save_and_remove(found))
        return False

    def create_volume(self, name: str, fence: Fence, run: str) -> Program[None]:
        if not (yield from self.check_free(name, fence, run)):
            return
        labels = {LABEL_WORKLOAD: fence.workload, LABEL_EPOCH: str(fence.epoch), LABEL_RUN: run}
        options = [f"--label={key}={value}" for key, value in labels.items()]
        yield from guard.run(fence, guard.ANY, self.command("volume create", name, options=options))

    def locate_volume(self, name: str, workload: str) -> Program[Tree]:
        found = yield from self.volume(name)
        if found is None or not found.mountpoint:
            raise CommandFailed(f"the volume {name} of {workload} is not there, or not a folder", code="C350")
        self._check_owner(found, workload)
        return Tree("volume", found.mountpoint, name=name)

    def keep_volume(self, tree: Tree) -> Program[None]:
        yield Command(("sync", "-f", "--", tree.path), timeout=SYNC_LIMIT, changes=True)

    def remove_volume(self, name: str, fence: Fence, made_by: str = "") -> Program[None]:
        found = yield from self.volume(name)
        if found is None or (made_by and found.labels.get(LABEL_RUN) != made_by):
            return
        self._check_owner(found, fence.workload)
        yield from guard.run(fence, guard.ANY, self.command("volume rm", name))

    def drop_volume(self, name: str, fence: Fence) -> Program[None]:
        """Remove a volume of the workload's at the end of a hand-over; one of that name that is a stranger's
        stays."""
        found = yield from self.volume(name)
        if found is not None and found.labels.get(LABEL_WORKLOAD) == fence.workload:
            yield from self.remove_volume(name, fence)

    def _check_owner(self, volume: VolumeFacts, workload: str) -> None:
        owned.check_owner(volume, workload, self.look_into(volume))


def _check_same(there: NetworkFacts, wanted: NetworkDefinition) -> None:
    subnets = tuple(one.subnet for one in wanted.ipams) or there.subnets
    if (there.driver, there.subnets, there.parent) != (wanted.driver, subnets, wanted.parent):
        raise Refused(
            f"a network named {there.name} is there already, and it is another one",
            code="P433",
            why=f"it is {there.driver} {', '.join(there.subnets)} {there.parent or ''}".strip(),
            fix="change the spec, or remove the network by hand",
        )


def login(image: str, user: str, password: bytes, hub: str) -> bytes:
    """What an engine's `login` would write, for the registry of one image. `hub`: what it calls the one of Docker,
    which names of images need not say."""
    first, slash, _ = image.partition("/")
    own = slash and ("." in first or ":" in first or first == "localhost") and first != "docker.io"
    auth = base64.b64encode(user.encode() + b":" + password).decode()
    return json.dumps({"auths": {first if own else hub: {"auth": auth}}}).encode()
