"""Copies beside their workload: what a container is made from that nobody takes for it."""

from __future__ import annotations

from reconciler.errors import Refused
from reconciler.model.container import Container, RestartPolicy, VolumeMount
from reconciler.model.spec import Workload
from reconciler.runtimes.oci.engine import Engine

SHARED = {"network_mode": "networkMode", "pid": "pid", "ipc": "ipc"}
"""What it may have in common with its host, by fields."""


class EngineSecludes(Engine):
    """The ability `secludes`."""

    def secluded(self, workload: Workload, name: str) -> Workload:
        return secluded(workload, name)


def secluded(workload: Workload, name: str) -> Workload:
    """What `reconciler.runtimes.base.Secludes` says, of a container."""
    container = workload.container
    for field, called in SHARED.items():
        if getattr(container, field) == "host":
            raise Refused(
                f"{workload.metadata.name} cannot have a copy beside it",
                code="P458",
                why=f"`{called}: host`: the copy would be in the host's own, too",
                fix="look into the checkpoint: reconcile checkpoints show",
            )
    spec = workload.spec.model_copy(
        update={
            "container": alone(workload, name),
            "migration": None,
            "update": None,
            "checkpoints": None,
        }
    )
    metadata = workload.metadata.model_copy(update={"name": name, "renamed_from": None, "labels": {}})
    return workload.model_copy(update={"metadata": metadata, "spec": spec})


def alone(workload: Workload, name: str) -> Container:
    """Its own volumes in the places of the workload's, also of folders that go along with that; other folders of
    the host to read only. Without `networkMode: none` the runtime gives it a network of nothing but lo, which is
    no network of the images'."""
    container = workload.container
    kept = [(one.target, one.read_only) for one in container.volumes]
    kept += [(one.target, one.read_only) for one in container.mounts if one.move]
    volumes = [
        VolumeMount(name=f"{name}.{number}", target=target, read_only=read_only)
        for number, (target, read_only) in enumerate(kept, 1)
    ]
    hostname = None if container.uts else container.hostname or workload.identity
    return container.model_copy(
        update={
            "hostname": hostname,
            "labels": {},
            "volumes": volumes,
            "mounts": [m.model_copy(update={"read_only": True}) for m in container.mounts if not m.move],
            "networks": [],
            "ports": [],
            "dns": [],
            "dns_search": [],
            "dns_options": [],
            "restart": RestartPolicy.NO,
            "restart_retries": None,
            "stop_timeout": "1s",
        }
    )
