"""Pure parsers of what Podman, CRIU and /proc print. Tested with recorded output in `tests/drivers/data`."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from reconciler.drivers.podman.hostconfig import options_of
from reconciler.model.world import (
    ContainerFacts,
    ContainerMount,
    ContainerNetwork,
    ContainerState,
    ImageFacts,
    NetworkFacts,
    TcpConnection,
    VolumeFacts,
)

SECTION = "@@ "
"""Starts a line that names the next section in the output of the observation scripts."""

_TCP_ESTABLISHED = "01"
_STATES = {
    "configured": ContainerState.CREATED,
    "created": ContainerState.CREATED,
    "initialized": ContainerState.CREATED,
    "running": ContainerState.RUNNING,
    "paused": ContainerState.PAUSED,
    "exited": ContainerState.EXITED,
    "stopped": ContainerState.EXITED,
}
_VERSION = re.compile(r"\d+(?:\.\d+)+")


def sections(text: str) -> dict[str, str]:
    """The parts of a script's output by the name after `@@ `; what comes before the first is dropped."""
    parts: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if line.startswith(SECTION):
            current = parts.setdefault(line[len(SECTION) :].strip(), [])
        else:
            current.append(line)
    return {name: "\n".join(lines) for name, lines in parts.items()}


def version(text: str) -> str:
    """The first version number in a program's `--version`; empty when there is none."""
    match = _VERSION.search(text)
    return match[0] if match else ""


def version_tuple(text: str) -> tuple[int, ...]:
    """`5.4.2` as numbers, for comparing; empty for an empty text."""
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def timestamp(text: str) -> float:
    """Seconds since the epoch of a Go time stamp; 0 for its zero time and for what is not one."""
    match = re.match(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(\.\d+)?\s*(Z|[+-]\d\d:?\d\d)?", text)
    if not match or match[1].startswith("0001-"):
        return 0.0
    zone = (match[3] or "Z").replace("Z", "+00:00")
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(match[1] + zone).timestamp() + float(match[2] or 0)
    return 0.0


def json_list(text: str) -> list[dict[str, Any]]:
    """A JSON list of objects; empty for no output. ValueError when it is something else."""
    value = json.loads(text) if text.strip() else []
    if not isinstance(value, list):
        raise ValueError("expected a JSON list")
    return [item for item in value if isinstance(item, dict)]


def state_of(inspected: Mapping[str, Any]) -> ContainerState:
    """Podman sets CheckpointedAt on a container it ended by a checkpoint, and clears it when restored."""
    state = inspected.get("State") or {}
    known = _STATES.get(str(state.get("Status", "")).lower(), ContainerState.OTHER)
    if known is ContainerState.EXITED and timestamp(str(state.get("CheckpointedAt") or "")):
        return ContainerState.CHECKPOINTED
    return known


def container(inspected: Mapping[str, Any]) -> ContainerFacts:
    """One element of `podman container inspect`. Nothing that is measured (memory, sizes, TCP) is set."""
    state = inspected.get("State") or {}
    config = inspected.get("Config") or {}
    host_config = inspected.get("HostConfig") or {}
    networks = (inspected.get("NetworkSettings") or {}).get("Networks") or {}
    upper = ((inspected.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir") or ""
    pid = int(state.get("Pid") or 0)
    return ContainerFacts(
        id=inspected["Id"],
        name=inspected["Name"],
        image_id=inspected.get("Image") or "",
        image_name=inspected.get("ImageName") or "",
        state=state_of(inspected),
        labels=config.get("Labels") or {},
        annotations=config.get("Annotations") or {},
        oci_runtime=(inspected.get("OCIRuntime") or "").rsplit("/", 1)[-1],
        pid=pid,
        exit_code=int(state.get("ExitCode") or 0),
        started_at=timestamp(str(state.get("StartedAt") or "")),
        networks=tuple(
            ContainerNetwork(
                name=name,
                ip=(facts or {}).get("IPAddress") or (facts or {}).get("GlobalIPv6Address") or None,
                mac=(facts or {}).get("MacAddress") or None,
            )
            for name, facts in sorted(networks.items())
        ),
        mounts=tuple(
            ContainerMount(
                kind=mount.get("Type") or "",
                name=mount.get("Name") or None,
                source=mount.get("Source") or "",
                target=mount.get("Destination") or "",
            )
            for mount in inspected.get("Mounts") or ()
        ),
        auto_remove=bool(host_config.get("AutoRemove")),
        restart=(host_config.get("RestartPolicy") or {}).get("Name") or "no",
        userdata=inspected.get("StaticDir") or "",
        upper_dir=upper,
        options=options_of(inspected),
    )


def containers(text: str) -> tuple[ContainerFacts, ...]:
    """`podman container inspect ID...`"""
    return tuple(container(item) for item in json_list(text))


def stored(text: str) -> dict[str, tuple[str, str]]:
    """Container IDs with name and image ID, from the `containers.json` of the container storage.

    Unlike all of Podman's own lists, reading it does not wait for a container that is being checkpointed.
    """
    found: dict[str, tuple[str, str]] = {}
    for line in text.splitlines():
        for item in json_list(line):
            names = item.get("names") or [""]
            found[item["id"]] = (names[0], item.get("image") or "")
    return found


def images(text: str) -> tuple[ImageFacts, ...]:
    """`podman image ls --format json`"""
    return tuple(
        ImageFacts(
            id=item["Id"],
            names=tuple(item.get("Names") or ()),
            digests=tuple(sorted({*(item.get("RepoDigests") or ()), *filter(None, [item.get("Digest")])})),
            size_bytes=int(item.get("Size") or 0),
        )
        for item in json_list(text)
    )


def networks(text: str) -> tuple[NetworkFacts, ...]:
    """`podman network ls --format json`"""
    return tuple(
        NetworkFacts(
            name=item["name"],
            driver=item.get("driver") or "",
            subnets=tuple(s["subnet"] for s in item.get("subnets") or () if "subnet" in s),
            # For bridges this is the bridge that Podman makes itself.
            parent=(item.get("network_interface") or None) if item.get("driver") != "bridge" else None,
            mode=(item.get("options") or {}).get("mode") or "" if item.get("driver") == "bridge" else "",
        )
        for item in json_list(text)
    )


def volumes(text: str) -> tuple[VolumeFacts, ...]:
    """`podman volume ls --format json`"""
    return tuple(
        VolumeFacts(name=item["Name"], mountpoint=item.get("Mountpoint") or "", labels=item.get("Labels") or {})
        for item in json_list(text)
    )


def tcp_established(text: str) -> tuple[TcpConnection, ...]:
    """Established connections in `/proc/PID/net/tcp` and `tcp6`, without those within the container."""
    found = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 4 or fields[3] != _TCP_ESTABLISHED or ":" not in fields[1]:
            continue
        local, peer = _endpoint(fields[1]), _endpoint(fields[2])
        if local[0].is_loopback or local[0] == peer[0]:
            continue
        found.append(TcpConnection(local=_text(local), peer=_text(peer)))
    return tuple(found)


def endpoint(text: str) -> str:
    """`6401010A:2328` of /proc/net as `10.1.1.100:9000`."""
    return _text(_endpoint(text))


def _endpoint(text: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    """`6401010A:2328`: the kernel prints addresses as host-order 32-bit words (little-endian machines)."""
    address, _, port = text.partition(":")
    words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
    ip = ipaddress.ip_address(b"".join(words))
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip, int(port, 16)


def _text(endpoint: tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]) -> str:
    ip, port = endpoint
    return f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}"


def cpu_flags(text: str) -> tuple[str, ...]:
    """The flags of the first CPU in /proc/cpuinfo."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return tuple(sorted(set(value.split())))
    return ()


def numbers(text: str, names: Sequence[str]) -> dict[str, int]:
    """`name value` lines as numbers; names that are missing or not numbers become 0."""
    found = dict.fromkeys(names, 0)
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name in found and value.strip().isdigit():
            found[name] = int(value)
    return found


def cgroup_path(config: str) -> str:
    """The cgroup v2 path of a container from its OCI config: `/a/libpod-ID`, or systemd's `SLICE:PREFIX:NAME`."""
    try:
        text = str(json.loads(config)["linux"]["cgroupsPath"])
    except (ValueError, KeyError, TypeError):
        return ""
    if ":" not in text:
        return text
    unit, prefix, name = text.split(":", 2)
    parts = unit.removesuffix(".slice").split("-")
    slices = ["-".join(parts[: i + 1]) + ".slice" for i in range(len(parts))]
    return "/" + "/".join([*slices, f"{prefix}-{name}.scope"])
