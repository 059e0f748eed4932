"""Images, networks and volumes: shared things of a host. Only what carries our label is ever removed."""

from __future__ import annotations

from reconciler.drivers.podman import containers, parse
from reconciler.errors import CommandFailed, Refused
from reconciler.model.command import Command, Program, Seconds
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.spec import NetworkDefinition
from reconciler.model.world import VolumeFacts

PULL_LIMIT: Seconds = 1800.0


def pull_image(image: str) -> Program[str]:
    found = yield from containers.image_id(image)
    if found is None:
        yield Command(("podman", "pull", "--quiet", "--", image), timeout=PULL_LIMIT, changes=True)
        found = yield from containers.image_id(image)
    if found is None:
        raise CommandFailed(f"{image} was pulled but is not there")
    return found


def create_network(name: str, network: NetworkDefinition) -> Program[None]:
    """Make a network as defined; one with the same driver and subnets is fine, another is refused."""
    listed = yield Command(("podman", "network", "ls", "--format", "json"))
    for facts in parse.networks(listed.stdout):
        if facts.name != name:
            continue
        wanted = (network.ipam.subnet,) if network.ipam else facts.subnets
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
    if network.ipam:
        options.append(f"--subnet={network.ipam.subnet}")
        options += [f"--gateway={network.ipam.gateway}"] if network.ipam.gateway else []
        options += [f"--ip-range={network.ipam.ip_range}"] if network.ipam.ip_range else []
    yield Command(("podman", "network", "create", *options, "--", name), changes=True)


def _volume(name: str) -> Program[VolumeFacts | None]:
    listed = yield Command(("podman", "volume", "ls", "--format", "json"))
    return next((v for v in parse.volumes(listed.stdout) if v.name == name), None)


def _check_owner(volume: VolumeFacts, workload: str) -> None:
    owner = volume.labels.get(LABEL_WORKLOAD)
    if owner != workload:
        raise Refused(
            f"the volume {volume.name} belongs to {owner or 'something else than Reconciler'}, not to {workload}",
            code="P434",
            fix=f"use another volume name, or move its data away: podman volume export {volume.name}",
        )


def create_volume(name: str, workload: str) -> Program[None]:
    found = yield from _volume(name)
    if found is not None:
        _check_owner(found, workload)
        return
    argv = ("podman", "volume", "create", f"--label={LABEL_WORKLOAD}={workload}", "--", name)
    yield Command(argv, changes=True)


def remove_volume(name: str, workload: str) -> Program[None]:
    found = yield from _volume(name)
    if found is not None:
        _check_owner(found, workload)
        yield Command(("podman", "volume", "rm", "--", name), changes=True)
