"""Hosts that are made sure to be off by a command: what that proves, and when a watch may do it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from reconciler.model.spec import Host, Spec
from reconciler.model.world import HostUnknown


def unproven(spec: Spec, unknown: Mapping[str, HostUnknown]) -> tuple[str, ...]:
    """Hosts that are declared failed and do not answer at all, of which only their fencing can say whether they
    are off."""
    silent = {name for name, host in unknown.items() if host.silent}
    return tuple(
        name
        for name, host in sorted(spec.hosts.items())
        if name in silent and host.spec.failed and host.spec.fencing and not host.spec.evidence
    )


def with_evidence(spec: Spec, found: Mapping[str, str]) -> Spec:
    """The specs, with how it is known of these hosts that they are off."""
    return _with(spec, {name: {"evidence": text} for name, text in found.items()})


def declared_failed(spec: Spec, hosts: Collection[str]) -> Spec:
    """The specs, with these hosts declared failed: nothing is known of them by that yet."""
    return _with(spec, {name: {"state": "failed"} for name in hosts if name in spec.hosts})


def _with(spec: Spec, more: Mapping[str, Mapping[str, str]]) -> Spec:
    if not more:
        return spec
    changed: dict[str, Host] = {}
    for name, update in more.items():
        host = spec.hosts[name]
        changed[name] = host.model_copy(update={"spec": host.spec.model_copy(update=dict(update))})
    return spec.model_copy(update={"hosts": {**spec.hosts, **changed}})


def quorum(spec: Spec, unknown: Collection[str]) -> bool:
    """Whether more than half of the hosts were seen. Who sees fewer may be the one that is cut off."""
    return 2 * _seen(spec, unknown) > len(spec.hosts)


def _seen(spec: Spec, unknown: Collection[str]) -> int:
    return sum(name not in unknown for name in spec.hosts)


def no_quorum(host: str, spec: Spec, unknown: Collection[str]) -> str:
    seen = _seen(spec, unknown)
    return (
        f"{host} is not fenced: {seen} of {len(spec.hosts)} hosts are seen, and more than half are needed, for"
        " this machine may be the one that is cut off"
    )
