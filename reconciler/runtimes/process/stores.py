"""Networks and volumes of trees. Only what carries our label is ever removed."""

from __future__ import annotations

import ipaddress
import json

from reconciler.core import owned
from reconciler.errors import CommandFailed, Refused
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program, Seconds, Tree
from reconciler.model.labels import LABEL_EPOCH, LABEL_RUN, LABEL_WORKLOAD
from reconciler.model.network import NetworkDefinition
from reconciler.model.world import VolumeFacts
from reconciler.runtimes.process import observing, places

SYNC_LIMIT: Seconds = 600.0


def create_network(name: str, network: NetworkDefinition) -> Program[None]:
    """Remember how trees join it: a card of their own on the host's."""
    if network.driver != "macvlan" or network.parent is None or network.ipam is None:
        raise Refused(
            f"processes cannot join the network {name}",
            code="P447",
            why=f"it is {network.driver} {'without a subnet' if network.ipam is None else ''}".strip(),
            fix="make it a macvlan network with `parent` and `ipam.subnet`, or give the process hostNetwork: true",
        )
    subnet = ipaddress.ip_network(network.ipam.subnet)
    made = {"name": name, "driver": network.driver, "subnet": str(subnet), "parent": network.parent}
    conf = f"{network.parent} {subnet.prefixlen} {network.ipam.gateway or '-'}"
    yield Command(places.shell("network", name, conf), stdin=json.dumps(made).encode(), changes=True)


def _check_owner(volume: VolumeFacts, workload: str) -> None:
    owned.check_owner(volume, workload, volume.mountpoint)


def check_free(name: str, fence: Fence, run: str) -> Program[bool]:
    """Whether there is no volume of that name yet; one that this run has made is fine, any other refused."""
    found = yield from observing.volume(name)
    if found is None:
        return True
    _check_owner(found, fence.workload)
    owned.check_made_by(found, fence, run, f", move {found.mountpoint} away")
    return False


def create_volume(name: str, fence: Fence, run: str) -> Program[None]:
    if not (yield from check_free(name, fence, run)):
        return
    labels = {LABEL_WORKLOAD: fence.workload, LABEL_EPOCH: str(fence.epoch), LABEL_RUN: run}
    argv = places.shell("volume", name)
    yield from guard.run(fence, guard.ANY, argv, stdin=observing.labels_text(labels))


def locate_volume(name: str, workload: str) -> Program[Tree]:
    found = yield from observing.volume(name)
    if found is None:
        raise CommandFailed(f"the volume {name} of {workload} is not there", code="C350")
    _check_owner(found, workload)
    return Tree("volume", found.mountpoint, name=name)


def keep_volume(tree: Tree) -> Program[None]:
    yield Command(("sync", "-f", "--", tree.path), timeout=SYNC_LIMIT, changes=True)


def remove_volume(name: str, fence: Fence, made_by: str = "") -> Program[None]:
    found = yield from observing.volume(name)
    if found is None or (made_by and found.labels.get(LABEL_RUN) != made_by):
        return
    _check_owner(found, fence.workload)
    folder = places.volume_data(name).rpartition("/")[0]
    yield from guard.run(fence, guard.ANY, ("rm", "-rf", "--", folder))


def drop_volume(name: str, fence: Fence) -> Program[None]:
    """Remove a volume of the workload's at the end of a hand-over; one of that name that is a stranger's stays."""
    found = yield from observing.volume(name)
    if found is not None and found.labels.get(LABEL_WORKLOAD) == fence.workload:
        yield from remove_volume(name, fence)
