"""Images, networks and volumes: shared things of a host. Only what carries our label is ever removed."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from reconciler.errors import CommandFailed, Refused
from reconciler.model.command import Command, Program, Seconds
from reconciler.model.network import NetworkDefinition
from reconciler.model.world import NetworkFacts
from reconciler.runtimes.base import Pull
from reconciler.runtimes.oci.engine import Engine
from reconciler.runtimes.volumes import LabelledVolumes

PULL_LIMIT: Seconds = 1800.0


class EngineStores(Engine, LabelledVolumes):
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

    def making_volume(self, name: str, labels: Mapping[str, str]) -> tuple[tuple[str, ...], bytes]:
        options = [f"--label={key}={value}" for key, value in labels.items()]
        return self.command("volume create", name, options=options), b""

    def removing_volume(self, name: str) -> tuple[str, ...]:
        return self.command("volume rm", name)


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
