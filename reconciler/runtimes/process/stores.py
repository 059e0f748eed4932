"""Networks and volumes of trees. Only what carries our label is ever removed."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping

from reconciler.errors import Refused
from reconciler.model.command import Command, Program
from reconciler.model.network import NetworkDefinition
from reconciler.model.world import VolumeFacts
from reconciler.runtimes.process import observing, places
from reconciler.runtimes.volumes import LabelledVolumes


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


class ProcessVolumes(LabelledVolumes):
    def volume(self, name: str) -> Program[VolumeFacts | None]:
        return observing.volume(name)

    def making_volume(self, name: str, labels: Mapping[str, str]) -> tuple[tuple[str, ...], bytes]:
        return places.shell("volume", name), observing.labels_text(labels)

    def removing_volume(self, name: str) -> tuple[str, ...]:
        return ("rm", "-rf", "--", places.volume_data(name).rpartition("/")[0])

    def look_into(self, volume: VolumeFacts) -> str:
        return volume.mountpoint

    def save_and_remove(self, volume: VolumeFacts) -> str:
        return f", move {volume.mountpoint} away"


VOLUMES = ProcessVolumes()
