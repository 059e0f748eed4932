"""The lab's segment: a bridge in a network namespace of its own, a veth pair to each host and one to this machine.

Interfaces of a lab are named after its identity, at most 15 characters. A host's card lives in the host's network
namespace, which has no name: when the host's last process ends, the kernel removes both.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path

from reconciler.errors import LabError
from reconciler.lab.spec import POOL, LabSpec, subnet
from reconciler.lab.tools import locked, run

BRIDGE = "br0"
CONTROLLER_PORT = "ctl"
HOST_CARD = "e0"
ALLOCATION_LOCK = Path("/run/lock/reconciler-lab.lock")
"""Held from choosing a subnet until this machine has an address in it; shared by all users' labs."""
_BURST_BYTES = 256 * 1024
"""More than the largest packet a veth carries, else `tbf` drops it."""
_QUEUE_LATENCY = "50ms"


def fabric(identity: str) -> str:
    """Name of the network namespace that holds the bridge."""
    return f"{identity}-sw"


def exists(identity: str) -> bool:
    """Whether the segment is there and this machine connected to it."""
    links = run(["ip", "-n", fabric(identity), "link", "show", BRIDGE], check=False)
    return links.returncode == 0 and Path("/sys/class/net", identity).exists()


def ensure(identity: str, wanted_octet: int | None, taken: set[int]) -> int:
    """Make the segment if it is not there whole; see `create`."""
    if wanted_octet is not None and exists(identity):
        return wanted_octet
    return create(identity, wanted_octet, taken)


def create(identity: str, wanted_octet: int | None, taken: set[int]) -> int:
    """Make the segment; returns the third octet of its subnet: `wanted_octet`, or the first free one.

    `taken`: octets of other labs of this user which may be down at the moment.
    """
    remove(identity)
    with locked(ALLOCATION_LOCK):
        octet = _free_octet(wanted_octet, taken)
        namespace = fabric(identity)
        run(["ip", "netns", "add", namespace])
        ip = ["ip", "-n", namespace]
        run([*ip, "link", "set", "lo", "up"])
        bridge = ["type", "bridge", "forward_delay", "0", "mcast_snooping", "0"]
        run([*ip, "link", "add", BRIDGE, *bridge])
        run([*ip, "link", "set", BRIDGE, "up"])
        peer = ["type", "veth", "peer", "name", identity, "netns", str(os.getpid())]
        run([*ip, "link", "add", CONTROLLER_PORT, *peer])
        run([*ip, "link", "set", CONTROLLER_PORT, "master", BRIDGE, "up"])
        run(["ip", "addr", "add", f"{subnet(octet)[254]}/24", "dev", identity])
        run(["ip", "link", "set", identity, "up"])
    return octet


def sockets(identity: str) -> Path:
    """Folder of the sockets that lead to virtual machines; in /run, because a socket's path must be short."""
    return Path("/run", identity)


def remove(identity: str) -> None:
    """Remove the segment; what is missing already is no error."""
    shutil.rmtree(sockets(identity), ignore_errors=True)
    if Path("/sys/class/net", identity).exists():
        run(["ip", "link", "del", identity], check=False)
    if Path("/run/netns", fabric(identity)).exists():
        run(["ip", "netns", "del", fabric(identity)])


def plug(spec: LabSpec, identity: str, host: str, pid: int) -> None:
    """Put a card into the network namespace of the process `pid` and connect it."""
    ip = ["ip", "-n", fabric(identity)]
    unplug(identity, host)
    card = ["name", HOST_CARD, "address", spec.mac(host), "netns", str(pid)]
    run([*ip, "link", "add", host, "type", "veth", "peer", *card])
    run([*ip, "link", "set", host, "master", BRIDGE, "up"])
    run(inside(pid)(["ip", "addr", "add", f"{spec.address(host)}/24", "dev", HOST_CARD]))
    limit(spec, identity, host, inside(pid))
    run(inside(pid)(["ip", "link", "set", HOST_CARD, "up"]))
    # This machine may have asked for the address while the host was down: what it still waits for would end as
    # "no route to host" up to 3 s later, although the host answers now.
    run(["ip", "neigh", "flush", "to", str(spec.address(host)), "dev", identity])


def plug_tap(identity: str, host: str, pid: int | None) -> None:
    """Connect a virtual machine. `pid`: its process holds the tap in an older segment, which is gone."""
    ip = ["ip", "-n", fabric(identity)]
    if pid is None:
        unplug(identity, host)
        run(["ip", "netns", "exec", fabric(identity), "ip", "tuntap", "add", "dev", host, "mode", "tap"])
    elif not has_card(identity, host):
        run(inside(pid)(["ip", "link", "set", host, "netns", fabric(identity)]))
    run([*ip, "link", "set", host, "master", BRIDGE, "up"])


def unplug(identity: str, host: str) -> None:
    """Remove a host's card, as when the machine loses power: nothing it still sends gets out."""
    run(["ip", "-n", fabric(identity), "link", "del", host], check=False)


def has_card(identity: str, host: str) -> bool:
    """Whether the host is connected to the bridge."""
    return run(["ip", "-n", fabric(identity), "link", "show", host], check=False).returncode == 0


def set_link(identity: str, host: str, up: bool) -> None:
    """Pull or plug the cable at the bridge's end: the host sees its carrier go."""
    run(["ip", "-n", fabric(identity), "link", "set", host, "up" if up else "down"])


Enter = Callable[[list[str]], list[str]]
"""Makes of a host's command the command of this machine that runs it there."""


def limit(spec: LabSpec, identity: str, host: str, enter: Enter) -> None:
    """Apply the lab's rate in both directions, or take a limit away."""
    run(_tbf(["tc", "-n", fabric(identity)], host, spec.rate), check=spec.rate is not None)
    run(enter(_tbf(["tc"], HOST_CARD, spec.rate)), check=spec.rate is not None)


def inside(pid: int) -> Enter:
    """Commands of this machine in the network namespace of a process."""
    return lambda command: ["nsenter", "--target", str(pid), "--net", "--", *command]


def _tbf(tc: list[str], device: str, rate: str | None) -> list[str]:
    if rate is None:
        return [*tc, "qdisc", "del", "dev", device, "root"]
    shape = ["tbf", "rate", rate, "burst", str(_BURST_BYTES), "latency", _QUEUE_LATENCY]
    return [*tc, "qdisc", "replace", "dev", device, "root", *shape]


def _free_octet(wanted: int | None, taken: set[int]) -> int:
    routed = _routed_networks()

    def is_free(octet: int) -> bool:
        return not any(network.overlaps(subnet(octet)) for network in routed)

    if wanted is not None:
        if is_free(wanted):
            return wanted
        raise LabError(
            f"the lab's subnet {subnet(wanted)} is in use by something else on this machine",
            fix="take the lab down and up again: it gets another subnet",
        )
    for octet in range(256):
        if octet not in taken and is_free(octet):
            return octet
    raise LabError(f"no free subnet is left in {POOL}", fix="take labs down that are not used")


def _routed_networks() -> list[IPv4Network]:
    """Networks this machine reaches in some other way; wide ones (a VPN's 10.0.0.0/8) give way to a lab's /24."""
    routes = json.loads(run(["ip", "-j", "-4", "route", "show", "table", "all"]).stdout or "[]")
    targets = [route["dst"] for route in routes if route["dst"] != "default"]
    networks = [IPv4Network(target, strict=False) for target in targets]
    return [network for network in networks if network.prefixlen >= POOL.prefixlen]
