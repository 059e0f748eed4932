"""Networks that CNI gives pods on a host, and addresses of a pod's own in them.

containerd hands on nothing by which a pod could ask CNI for an address. So CNI configures the pod's card as it
does for any, and what the spec says is put there in the place of what CNI gave: on a macvlan network nobody but
the card itself needs to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.core import answers
from reconciler.guard import guard
from reconciler.model.command import Command, Fence, Program
from reconciler.model.container import Container
from reconciler.model.world import InstanceNetwork, NetworkFacts
from reconciler.runtimes.cri import calls

UNKNOWN = "cni"
"""The name of a pod's network where its spec names none."""
_FIELD = "CNI's configuration"
Phases = tuple[Any, ...]


def of_host(info: Mapping[str, str]) -> tuple[NetworkFacts, ...]:
    """From what CRI says of its status, in detail."""
    config = answers.mapping(answers.parsed(info.get("cniconfig") or "{}", _FIELD), _FIELD)
    listed = answers.items(config.get("Networks"), _FIELD)
    return tuple(found for one in listed if (found := _network(answers.mapping(one, _FIELD))))


def _network(listed: Mapping[str, Any]) -> NetworkFacts | None:
    config = answers.mapping(listed.get("Config"), _FIELD)
    plugins = answers.items(config.get("Plugins"), _FIELD)
    if not plugins:
        return None
    source = answers.string(answers.mapping(plugins[0], _FIELD).get("Source"), _FIELD, 100_000)
    plugin = answers.mapping(answers.parsed(source, _FIELD), _FIELD)
    driver = answers.word(plugin.get("type"), "the plugin of a network of CNI")
    if driver == "loopback":
        return None
    return NetworkFacts(
        name=answers.name(config.get("Name"), "the name of a network of CNI"),
        driver=driver,
        subnets=tuple(_subnets(answers.mapping(plugin.get("ipam"), _FIELD))),
        parent=answers.word(plugin.get("master"), "the card of a network of CNI") or None,
        runtime="cri",
    )


def _subnets(ipam: Mapping[str, Any]) -> Iterator[str]:
    ranges = [row for rows in answers.items(ipam.get("ranges"), _FIELD) for row in answers.items(rows, _FIELD)]
    for row in (ipam, *(answers.mapping(one, _FIELD) for one in ranges)):
        if row.get("subnet"):
            yield answers.subnet(row["subnet"], "a subnet of CNI")


def of_pod(wanted: Container | None, given: tuple[str | None, str | None]) -> tuple[InstanceNetwork, ...]:
    """`given`: the addresses that CRI says it has, which are CNI's."""
    for own in wanted.networks if wanted else ():
        return (InstanceNetwork(name=own.name, ip=own.ip or given[0], ip6=own.ip6, mac=own.mac),)
    return (InstanceNetwork(name=UNKNOWN, ip=given[0], ip6=given[1]),) if given[0] else ()


def is_own(wanted: Container) -> bool:
    """Whether its card gets something that CNI does not give it."""
    return any(own.ips or own.mac for own in wanted.networks)


def give(wanted: Container, pid: int, note: str, fence: Fence, phases: Phases, *, up: bool) -> Program[None]:
    """Give the card of a pod, whose first process this is, what its spec says. Not `up`: it stays down, and `note`
    is how it is raised."""
    for own in wanted.networks if is_own(wanted) else ():
        four = own.ip if own.ip and ":" not in own.ip else ""
        six = own.ip6 or (own.ip if own.ip and not four else "")
        how = "up" if up else "down"
        yield from guard.run(
            fence, phases, calls.shell("address", str(pid), note, how, four, six or "", own.mac or "")
        )


def unlike(wanted: Container, pid: int) -> Program[list[str]]:
    """What of its addresses is not as its spec says, in words; asked the kernel."""
    if not is_own(wanted):
        return []
    said = yield Command(("nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-o", "addr", "show", "dev", "eth0"))
    have = {word.partition("/")[0] for word in said.stdout.split()}
    missing = [ip for own in wanted.networks for ip in own.ips if ip not in have]
    return [f"it does not have its address {ip}" for ip in missing]
