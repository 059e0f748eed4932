"""What Podman's archive of a checkpoint says of its container (`config.dump`, `spec.dump`): from the spec that
it was made from and the configuration that its OCI runtime had. Pure.

Podman keeps more in its own database; what it takes from an archive was found by restoring such archives (podman
5.4). Nothing in it says that the container is a workload of ours: what is restored from it is somebody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from reconciler.errors import Refused
from reconciler.model.base import parse_size
from reconciler.model.checkpoint import Manifest
from reconciler.model.container import Container
from reconciler.model.labels import ANNOTATION_CRIU

SHM_BYTES = 65_536_000
"""Podman's own default for /dev/shm."""
OURS = "io.reconciler."
ROOTFS = "rootfs-diff.tar"


def made_from(manifest: Manifest) -> Container:
    """The section that its container was made from; Refused where Podman did not run it, or cannot take it."""
    called = f"{manifest.workload}@{manifest.id}"
    if manifest.came_from.runtime != "podman":
        raise Refused(
            f"{called} is no checkpoint of Podman's",
            code="P454",
            why=f"{manifest.came_from.runtime} ran it",
            fix="only what Podman ran can be restored by it",
        )
    then = manifest.spec.get("spec")
    try:
        section = Container.model_validate(then.get("container") if isinstance(then, dict) else None)
    except ValidationError:
        why = "its manifest does not say what its container was made from"
        raise Refused(f"{called} cannot be exported", code="P454", why=why, fix="export another one") from None
    if lost := list(_lost(section)):
        raise Refused(
            f"{called} cannot be exported",
            code="P454",
            why=f"an archive of Podman's does not bring along: {', '.join(lost)}",
            fix="bring it back with reconcile restore",
        )
    return section


def _lost(section: Container) -> Iterator[str]:
    if section.secret_files:
        yield "`secretFiles`"
    if section.userns:
        yield "`userns`"


def archives(manifest: Manifest, section: Container) -> tuple[str, ...]:
    """What Podman calls the archive of each tree of the checkpoint."""
    names = {volume.target: volume.name for volume in section.volumes}
    return tuple(ROOTFS if t.kind == "rootfs" else f"volumes/{names[t.target]}.tar" for t in manifest.trees)


def config_dump(manifest: Manifest, section: Container, oci: dict[str, Any]) -> str:
    """One line of JSON."""
    come, process = manifest.came_from, oci.get("process", {})
    mode = section.network_mode or "bridge"
    networks = {
        one.name: {"static_ips": list(one.ips) or None, "static_mac": one.mac, "interface_name": f"eth{number}"}
        for number, one in enumerate(section.networks)
    }
    said: dict[str, Any] = {
        "id": come.container_id,
        "name": manifest.workload,
        "lockID": 0,
        "checkpointedTime": datetime.fromtimestamp(manifest.taken_at, UTC).isoformat(),
        "rootfsImageID": come.image_id,
        "rootfsImageName": come.image or section.image,
        "idMappingsOptions": {"HostUIDMapping": True, "HostGIDMapping": True},
        "shmSize": parse_size(section.shm_size) if section.shm_size else SHM_BYTES,
        "namedVolumes": [
            {"volumeName": v.name, "dest": v.target, "options": ["ro" if v.read_only else "rw", "rbind"]}
            for v in section.volumes
        ],
        "createNetNS": mode != "host",
        "networkMode": mode,
        "newNetworks": networks or ({"podman": {"interface_name": "eth0"}} if mode == "bridge" else None),
        "newPortMappings": [
            {
                "host_ip": port.address or "",
                "container_port": inside,
                "host_port": outside,
                "range": 1,
                "protocol": port.protocol,
            }
            for port in section.ports
            for outside, inside in port.pairs
        ],
        "command": process.get("args", []),
        "labels": section.labels,
        "stopSignal": 15,
        "stopTimeout": 10,
        "runtime": come.oci_runtime,
        "cgroupsMode": "enabled",
        "logDriver": "k8s-file",
    }
    return json.dumps({key: value for key, value in said.items() if value is not None})


def spec_dump(oci: dict[str, Any]) -> str:
    """One line of JSON: without what only our own dumps and hosts know."""
    notes = oci.get("annotations") or {}
    kept = {k: v for k, v in notes.items() if k != ANNOTATION_CRIU and not k.startswith(OURS)}
    return json.dumps({**oci, "annotations": kept})
