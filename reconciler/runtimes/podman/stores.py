"""Images, networks and volumes: shared things of a host. Only what carries our label is ever removed."""

from __future__ import annotations

import base64
import json

from reconciler.core import owned
from reconciler.core.volumes import saved_and_removed
from reconciler.errors import CommandFailed, Refused
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program, Seconds, Tree
from reconciler.model.labels import LABEL_EPOCH, LABEL_RUN, LABEL_WORKLOAD
from reconciler.model.network import NetworkDefinition
from reconciler.model.world import VolumeFacts
from reconciler.runtimes.base import Pull
from reconciler.runtimes.podman import parse, paths

PULL_LIMIT: Seconds = 1800.0
SYNC_LIMIT: Seconds = 600.0
_NOT_FOUND = 125


def image_id(image: str) -> Program[str | None]:
    """The ID of an image by name, digest or ID; None when it is not there."""
    argv = ("podman", "image", "inspect", "--format", "{{.Id}}", "--", image)
    result = yield Command(argv, ok=(0, 1, _NOT_FOUND))
    return result.stdout.strip() or None


def pull_image(image: str, how: Pull) -> Program[str]:
    found = yield from image_id(image)
    if found is None or how.newest:
        options = (f"--platform={how.platform}",) if how.platform else ()
        if how.login is None:
            argv = ("podman", "pull", "--quiet", *options, "--", image)
            yield Command(argv, timeout=PULL_LIMIT, changes=True)
        else:
            argv = paths.shell("pull", image, *options)
            login = _auth_file(image, *how.login)
            yield Command(argv, stdin=login, timeout=PULL_LIMIT, changes=True, secret=True)
        found = yield from image_id(image)
    if found is None:
        raise CommandFailed(f"{image} was pulled but is not there")
    return found


def _auth_file(image: str, user: str, password: bytes) -> bytes:
    """What `podman login` would write, for one registry."""
    first, slash, _ = image.partition("/")
    registry = first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"
    login = base64.b64encode(user.encode() + b":" + password).decode()
    return json.dumps({"auths": {registry: {"auth": login}}}).encode()


def create_network(name: str, network: NetworkDefinition) -> Program[None]:
    """Make a network as defined; one with the same driver and subnets is fine, another is refused."""
    listed = yield Command(("podman", "network", "ls", "--format", "json"))
    for facts in parse.networks(listed.stdout):
        if facts.name != name:
            continue
        wanted = tuple(one.subnet for one in network.ipams) or facts.subnets
        if facts.driver == network.driver and facts.subnets == wanted and facts.parent == network.parent:
            return
        raise Refused(
            f"a network named {name} is there already, and it is another one",
            code="P433",
            why=f"it is {facts.driver} {', '.join(facts.subnets)} {facts.parent or ''}".strip(),
            fix="change the spec, or remove the network by hand",
        )
    options = [f"--driver={network.driver}"]
    if network.parent:
        options.append(f"--opt=parent={network.parent}")
    if network.mtu:
        options.append(f"--opt=mtu={network.mtu}")
    options += ["--ipv6"] if network.ipam6 else []
    for ipam in network.ipams:
        options.append(f"--subnet={ipam.subnet}")
        options += [f"--gateway={ipam.gateway}"] if ipam.gateway else []
        options += [f"--ip-range={ipam.ip_range}"] if ipam.ip_range else []
    yield Command(("podman", "network", "create", *options, "--", name), changes=True)


def _volume(name: str) -> Program[VolumeFacts | None]:
    listed = yield Command(("podman", "volume", "ls", "--format", "json"))
    return next((v for v in parse.volumes(listed.stdout) if v.name == name), None)


def _check_owner(volume: VolumeFacts, workload: str) -> None:
    owned.check_owner(volume, workload, f"podman volume export {volume.name}")


def check_free(name: str, fence: Fence, run: str) -> Program[bool]:
    """Whether there is no volume of that name yet; one that this run has made is fine, any other refused."""
    found = yield from _volume(name)
    if found is None:
        return True
    _check_owner(found, fence.workload)
    owned.check_made_by(found, fence, run, f": {saved_and_removed(name)}")
    return False


def create_volume(name: str, fence: Fence, run: str) -> Program[None]:
    if not (yield from check_free(name, fence, run)):
        return
    labels = {LABEL_WORKLOAD: fence.workload, LABEL_EPOCH: str(fence.epoch), LABEL_RUN: run}
    options = (f"--label={key}={value}" for key, value in labels.items())
    yield from guard.run(fence, guard.ANY, ("podman", "volume", "create", *options, "--", name))


def locate_volume(name: str, workload: str) -> Program[Tree]:
    found = yield from _volume(name)
    if found is None or not found.mountpoint:
        raise CommandFailed(f"the volume {name} of {workload} is not there, or not a folder", code="C350")
    _check_owner(found, workload)
    return Tree("volume", found.mountpoint, name=name)


def keep_volume(tree: Tree) -> Program[None]:
    yield Command(("sync", "-f", "--", tree.path), timeout=SYNC_LIMIT, changes=True)


def remove_volume(name: str, fence: Fence, made_by: str = "") -> Program[None]:
    found = yield from _volume(name)
    if found is None or (made_by and found.labels.get(LABEL_RUN) != made_by):
        return
    _check_owner(found, fence.workload)
    yield from guard.run(fence, guard.ANY, ("podman", "volume", "rm", "--", name))


def drop_volume(name: str, fence: Fence) -> Program[None]:
    """Remove a volume of the workload's at the end of a hand-over; one of that name that is a stranger's stays."""
    found = yield from _volume(name)
    if found is not None and found.labels.get(LABEL_WORKLOAD) == fence.workload:
        yield from remove_volume(name, fence)
