"""Images, networks and volumes: shared things of a host. Only what carries our label is ever removed."""

from __future__ import annotations

import base64
import json

from reconciler.core import owned
from reconciler.errors import CommandFailed, Refused
from reconciler.guard import guard
from reconciler.model.command import Archive, Command, Fence, Program, Seconds, Tree
from reconciler.model.labels import LABEL_EPOCH, LABEL_RUN, LABEL_WORKLOAD
from reconciler.model.network import NetworkDefinition
from reconciler.model.world import ImageFacts, NetworkFacts, VolumeFacts
from reconciler.resources import host_script
from reconciler.runtimes.base import Pull
from reconciler.runtimes.docker import parse, places

PULL_LIMIT: Seconds = 1800.0
SYNC_LIMIT: Seconds = 600.0
_HUB = "https://index.docker.io/v1/"


def _asked(kind: str, name: str) -> Program[str]:
    """One object, inspected; empty where there is none. Docker says that it found none by its exit code, and so
    does one that does not answer, which is asked again."""
    found = yield Command(("docker", kind, "inspect", "--", name), ok=(0, 1))
    if found.status == 0:
        return found.stdout
    yield Command(("docker", "version", "--format", "{{.Server.Version}}"))
    return ""


def _image(image: str) -> Program[ImageFacts | None]:
    return next(iter(parse.images((yield from _asked("image", image)))), None)


def image_id(image: str) -> Program[str | None]:
    """The ID of an image by name, digest or ID; None when it is not there."""
    found = yield from _image(image)
    return found.id if found else None


def pull_image(image: str, how: Pull) -> Program[str]:
    found = yield from image_id(image)
    if found is None or how.newest:
        options = (f"--platform={how.platform}",) if how.platform else ()
        if how.login is None:
            argv = ("docker", "pull", "--quiet", *options, "--", image)
            yield Command(argv, timeout=PULL_LIMIT, changes=True)
        else:
            argv = places.shell("pull", image, *options)
            login = _auth_file(image, *how.login)
            yield Command(argv, stdin=login, timeout=PULL_LIMIT, changes=True, secret=True)
        found = yield from image_id(image)
    if found is None:
        raise CommandFailed(f"{image} was pulled but is not there")
    return found


def _auth_file(image: str, user: str, password: bytes) -> bytes:
    """What `docker login` would write, for one registry."""
    first, slash, _ = image.partition("/")
    own = slash and ("." in first or ":" in first or first == "localhost") and first != "docker.io"
    login = base64.b64encode(user.encode() + b":" + password).decode()
    return json.dumps({"auths": {first if own else _HUB: {"auth": login}}}).encode()


def pack_image(image: str) -> Program[Archive]:
    found = yield from _image(image)
    if found is None:
        raise CommandFailed(f"image {image[:12]} is not there", code="C325")
    return Archive(found.id, found.names, ("docker", "save", found.id), host_script("docker", "unpack"))


def take_image(archive: Archive, known_as: str) -> Program[None]:
    there = yield from _image(archive.id)
    if there is None:
        raise CommandFailed(
            f"image {archive.id[:12]} has another ID here than where it came from",
            code="C325",
            why="its format does not survive saving and loading",
            fix="pull it on this host by its digest, or build it there",
        )
    meant = {parse.familiar(name) for name in archive.names} & {parse.familiar(known_as)}
    if meant and "@" not in known_as and (yield from image_id(known_as)) is None:
        yield Command(("docker", "tag", archive.id, known_as), changes=True)


def network(name: str) -> Program[NetworkFacts | None]:
    """A network by its very name: Docker takes the beginning of an ID for one, too."""
    found = parse.networks((yield from _asked("network", name)))
    return next((facts for facts in found if facts.name == name), None)


def create_network(name: str, wanted: NetworkDefinition) -> Program[None]:
    """Make a network as defined; one with the same driver and subnets is fine, another is refused."""
    there = yield from network(name)
    if there is not None:
        subnets = tuple(one.subnet for one in wanted.ipams) or there.subnets
        if (there.driver, there.subnets, there.parent) == (wanted.driver, subnets, wanted.parent):
            return
        raise Refused(
            f"a network named {name} is there already, and it is another one",
            code="P433",
            why=f"it is {there.driver} {', '.join(there.subnets)} {there.parent or ''}".strip(),
            fix="change the spec, or remove the network by hand",
        )
    options = [f"--driver={wanted.driver}"]
    if wanted.parent:
        options.append(f"--opt=parent={wanted.parent}")
    if wanted.mtu:
        options.append(f"--opt=com.docker.network.driver.mtu={wanted.mtu}")
    options += ["--ipv6"] if wanted.ipam6 else []
    for ipam in wanted.ipams:
        options.append(f"--subnet={ipam.subnet}")
        options += [f"--gateway={ipam.gateway}"] if ipam.gateway else []
        options += [f"--ip-range={ipam.ip_range}"] if ipam.ip_range else []
    yield Command(("docker", "network", "create", *options, "--", name), changes=True)


def _volume(name: str) -> Program[VolumeFacts | None]:
    return next(iter(parse.volumes((yield from _asked("volume", name)))), None)


def _check_owner(volume: VolumeFacts, workload: str) -> None:
    owned.check_owner(volume, workload, f"it is at {volume.mountpoint or '(no folder)'}")


def check_free(name: str, fence: Fence, run: str) -> Program[bool]:
    """Whether there is no volume of that name yet; one that this run has made is fine, any other refused."""
    found = yield from _volume(name)
    if found is None:
        return True
    _check_owner(found, fence.workload)
    owned.check_made_by(found, fence, run, f", look into {found.mountpoint}, then: docker volume rm {name}")
    return False


def create_volume(name: str, fence: Fence, run: str) -> Program[None]:
    if not (yield from check_free(name, fence, run)):
        return
    labels = {LABEL_WORKLOAD: fence.workload, LABEL_EPOCH: str(fence.epoch), LABEL_RUN: run}
    options = (f"--label={key}={value}" for key, value in labels.items())
    yield from guard.run(fence, guard.ANY, ("docker", "volume", "create", *options, "--", name))


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
    yield from guard.run(fence, guard.ANY, ("docker", "volume", "rm", "--", name))


def drop_volume(name: str, fence: Fence) -> Program[None]:
    """Remove a volume of the workload's at the end of a hand-over; one of that name that is a stranger's stays."""
    found = yield from _volume(name)
    if found is not None and found.labels.get(LABEL_WORKLOAD) == fence.workload:
        yield from remove_volume(name, fence)
