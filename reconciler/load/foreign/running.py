"""Containers that run, as `podman inspect` shows them, in compose's words; then the same way. What comes from the
image is left out: it comes from there again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from reconciler.load.foreign import mounts, service
from reconciler.load.foreign.base import Import, Remark, Section, Service, listed, name_of
from reconciler.model.labels import LABEL_WORKLOAD

Inspected = Mapping[str, Any]
OURS = ("io.podman.", "io.container.", "PODMAN_SYSTEMD_UNIT", "io.kubernetes.", "org.opencontainers.image.")
OWN_ENV = {"PATH", "HOME", "HOSTNAME", "TERM", "container"}
LIMITS = {"CpuShares": "cpu_shares", "CpusetCpus": "cpuset"}
SIZES = {"Memory": "mem_limit", "MemoryReservation": "mem_reservation"}
LISTS = {"Dns": "dns", "DnsSearch": "dns_search", "DnsOptions": "dns_opt", "GroupAdd": "group_add"}
LISTS |= {"CapAdd": "cap_add", "CapDrop": "cap_drop", "ExtraHosts": "extra_hosts"}
NAMESPACES = (("IpcMode", "ipc"), ("PidMode", "pid"), ("UTSMode", "uts"))
SHM = 65_536_000
"""Podman's default."""


def read_running(
    containers: Sequence[Inspected], images: Sequence[Inspected], segments: Collection[str]
) -> Import:
    """A workload for each container that nobody keeps with Reconciler already. `segments`: networks on which an
    address is a container's own."""
    made = Import()
    by_id = {str(image.get("Id", "")).removeprefix("sha256:"): _part(image, "Config") for image in images}
    names = {str(one.get("Id")): str(one.get("Name")) for one in containers}
    for found in sorted(containers, key=lambda one: str(one.get("Name"))):
        name = str(found.get("Name") or found.get("Id"))
        labels = _part(_part(found, "Config"), "Labels")
        if labels.get(LABEL_WORKLOAD):
            made.notes.append(Remark(name, "it is Reconciler's already", lost=False))
        elif found.get("IsInfra"):
            made.notes.append(Remark(name, "it only holds the namespaces of a pod"))
        else:
            image = by_id.get(str(found.get("Image", "")).removeprefix("sha256:"), {})
            made.services.append(_service(_by_name(found, names), image, segments))
    return made


def _by_name(found: Inspected, names: Mapping[str, str]) -> Inspected:
    """With the names of containers whose namespaces it is in, where Podman tells their IDs."""
    host = dict(_part(found, "HostConfig"))
    for key in ("NetworkMode", *(key for key, _ in NAMESPACES)):
        kind, _, other = str(host.get(key) or "").partition(":")
        if kind == "container":
            host[key] = f"container:{names.get(other, other[:12])}"
    return {**found, "HostConfig": host}


def _service(found: Inspected, image: Inspected, segments: Collection[str]) -> Service:
    one = Service(name_of(str(found.get("Name"))))
    host = _part(found, "HostConfig")
    if one.name != found.get("Name"):
        one.tell(f"name: {found.get('Name')}", f"specs take {one.name}")
    section = {key: value for key, value in _said(found, image) if value not in (None, "", [], {}, False)}
    service.environment(one, section.pop("environment", None), None)
    _mounts(one, found)
    for key, value in section.items():
        service.SAYS[key](one, value)
    service.security(one, listed(host.get("SecurityOpt")), "/")
    _networks(one, found, segments)
    for key, field in NAMESPACES:
        if (mode := str(host.get(key) or "")) not in ("", "private", "shareable"):
            service.namespaces(one, field, mode)
    if found.get("Pod"):
        one.lose("pod", "a pod's containers would have to move together")
    if host.get("AutoRemove"):
        one.tell("--rm", "a container that vanishes when it ends cannot be moved; it is not made so")
    return one


def _said(found: Inspected, image: Inspected) -> Iterator[tuple[str, Any]]:
    """What it was made with beyond its image, by compose's keys."""
    config, host = _part(found, "Config"), _part(found, "HostConfig")
    yield "image", found.get("ImageName")
    for key, ours in (("Cmd", "command"), ("Entrypoint", "entrypoint")):
        if listed(config.get(key)) != listed(image.get(key)):
            yield ours, listed(config.get(key))
    usual = {"WorkingDir": "/", "StopSignal": "SIGTERM"}
    for key, ours in (("WorkingDir", "working_dir"), ("User", "user"), ("StopSignal", "stop_signal")):
        if config.get(key) and config[key] != (image.get(key) or usual.get(key)):
            yield ours, config[key]
    hostname, shared = str(config.get("Hostname") or ""), "host" in (host.get("UTSMode"), host.get("NetworkMode"))
    if hostname and not shared and not str(found.get("Id", "")).startswith(hostname):
        yield "hostname", hostname
    had = set(listed(image.get("Env")))
    given = [
        text for text in listed(config.get("Env")) if text not in had and text.partition("=")[0] not in OWN_ENV
    ]
    yield "environment", given
    old = _part(image, "Labels")
    labels = _part(config, "Labels")
    yield "labels", {k: v for k, v in labels.items() if old.get(k) != v and not k.startswith(OURS)}
    yield "tty", bool(config.get("Tty"))
    yield "stdin_open", bool(config.get("OpenStdin"))
    yield "init", bool(host.get("Init"))
    yield "read_only", bool(host.get("ReadonlyRootfs"))
    yield "privileged", bool(host.get("Privileged"))
    yield "restart", _restart(_part(host, "RestartPolicy"))
    for key, ours in (LISTS | LIMITS).items():
        yield ours, host.get(key) or None
    for key, ours in SIZES.items():
        yield ours, _size(host.get(key))
    yield "cpus", (host.get("NanoCpus") or 0) / 1e9
    yield "shm_size", _size(host.get("ShmSize")) if host.get("ShmSize") != SHM else None
    yield "tmpfs", [f"{path}:{_tmpfs(str(options))}" for path, options in _part(host, "Tmpfs").items()]
    yield "ports", list(_ports(_part(host, "PortBindings")))
    if not host.get("Privileged"):
        devices = [_part({"device": one}, "device") for one in listed(host.get("Devices"))]
        yield "devices", [f"{one.get('PathOnHost')}:{one.get('PathInContainer')}" for one in devices]
    if _part(config, "Healthcheck") != _part(image, "Healthcheck"):
        yield "healthcheck", _health(_part(config, "Healthcheck"))


def _size(count: Any) -> str | None:
    """As compose writes it."""
    if not isinstance(count, int) or count <= 0:
        return None
    return f"{count // 2**20}m" if count % 2**20 == 0 else f"{count}b"


def _tmpfs(options: str) -> str:
    """Without what Podman gives each of them."""
    usual = ("rw", "rprivate", "nosuid", "nodev", "tmpcopyup")
    return ",".join(one for one in options.split(",") if one not in usual)


def _restart(policy: Inspected) -> str:
    count = policy.get("MaximumRetryCount") or 0
    name = str(policy.get("Name") or "no")
    return f"{name}:{count}" if name == "on-failure" and count else "" if name == "no" else name


def _ports(bound: Inspected) -> Iterator[str]:
    for inside, places in sorted(bound.items()):
        for place in listed(places):
            address = f"{place['HostIp']}:" if place.get("HostIp") not in (None, "", "0.0.0.0") else ""  # noqa: S104
            number, _, protocol = inside.partition("/")
            yield f"{address}{place.get('HostPort')}:{number}/{protocol or 'tcp'}"


def _health(check: Inspected) -> Section:
    names = {"Interval": "interval", "Timeout": "timeout", "StartPeriod": "start_period"}
    times = {ours: f"{check[key] // 10**6}ms" for key, ours in names.items() if check.get(key)}
    return {"test": check.get("Test")} | times | ({"retries": check["Retries"]} if check.get("Retries") else {})


def _mounts(one: Service, found: Inspected) -> None:
    for mount in listed(found.get("Mounts")):
        target, more = mount.get("Destination"), ":ro" if mount.get("RW") is False else ""
        if mount.get("Type") == "volume" and mount.get("Name"):
            one.container.setdefault("volumes", []).append(
                {"name": mount["Name"], "target": target} | ({"readOnly": True} if more else {})
            )
        elif mount.get("Type") == "bind":
            mounts.volumes(one, [f"{mount.get('Source')}:{target}{more}"], "/", "", {})
        elif mount.get("Type") != "tmpfs":
            one.lose(f"mount {target}", f"mounts of type {mount.get('Type')} have no field")


def _networks(one: Service, found: Inspected, segments: Collection[str]) -> None:
    mode = str(_part(found, "HostConfig").get("NetworkMode") or "")
    if mode in ("host", "none"):
        one.container["networkMode"] = mode
        return
    if mode.startswith(("container:", "ns:")):
        service.namespaces(one, "network", mode)
        return
    joined: list[Section] = []
    for name, about in sorted(_part(_part(found, "NetworkSettings"), "Networks").items()):
        made: Section = {"name": name}
        if name in segments:
            made |= {"ip": about["IPAddress"]} if about.get("IPAddress") else {}
            made |= {"mac": about["MacAddress"]} if about.get("MacAddress") else {}
        joined.append(made)
    if [n["name"] for n in joined] not in ([], ["podman"]):
        one.container["networks"] = joined


def _part(section: Inspected, key: str) -> dict[str, Any]:
    found = section.get(key)
    return found if isinstance(found, dict) else {}
