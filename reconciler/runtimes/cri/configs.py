"""What CRI is told of a workload: its pod, and the pod's one container. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.criu.tasks import config_file
from reconciler.model.base import canonical_json, parse_size
from reconciler.model.container import Container
from reconciler.model.labels import ANNOTATION_CRIU, LABEL_SPEC, LABEL_WORKLOAD
from reconciler.runtimes.cri.messages import pairs

NAMESPACE = "reconciler"
"""Of all pods that are made here; no namespace of a cluster, for there is none."""
LOG = "0.log"
_POD, _CONTAINER, _NODE = 0, 1, 2
"""Whose a namespace of Linux is, in CRI's numbers."""
_DEFAULT, _UNCONFINED, _PROFILE = 0, 1, 2
_CPU_PERIOD = 100_000
_MICROSECONDS = 100_000


def folder(workload: str, uid: str) -> str:
    """Of a pod's logs, as kubelets name it."""
    return f"/var/log/pods/{NAMESPACE}_{workload}_{uid}"


def pod(workload: str, container: Container, uid: str) -> dict[str, Any]:
    """`uid`: another one for each pod, so that one that is set aside does not stand in its successor's way."""
    security: dict[str, Any] = {
        "namespace_options": _namespaces(container),
        "privileged": int(container.privileged),
        "seccomp": {"profile_type": _DEFAULT},
    }
    config: dict[str, Any] = {
        "metadata": {"name": workload, "uid": uid, "namespace": NAMESPACE},
        "log_directory": folder(workload, uid),
        "labels": pairs({LABEL_WORKLOAD: workload}),
        # Not a label: containerd takes labels of 4096 bytes only.
        "annotations": pairs({LABEL_SPEC: canonical_json(container)}),
        "linux": {"security_context": security, "sysctls": pairs(container.sysctls)},
    }
    if container.network_mode != "host":
        config["hostname"] = container.hostname or workload
    if container.dns or container.dns_search or container.dns_options:
        config["dns_config"] = {
            "servers": [str(address) for address in container.dns],
            "searches": list(container.dns_search),
            "options": list(container.dns_options),
        }
    return config


def container(workload: str, wanted: Container, image: str) -> dict[str, Any]:
    """`image`: its ID on this host."""
    command, args = list(wanted.entrypoint or ()), list(wanted.command)
    if wanted.entrypoint == []:  # without the image's
        command, args = args, []
    return {
        "metadata": {"name": workload},
        "image": {"image": image},
        "command": command,
        "args": args,
        "working_dir": wanted.workdir or "",
        "envs": pairs(wanted.env),
        "mounts": [
            {
                "container_path": mount.target,
                "host_path": mount.source,
                "readonly": int(mount.read_only),
                "selinux_relabel": int(mount.relabel is not None),
            }
            for mount in wanted.mounts
        ],
        "devices": [
            {"container_path": device.inside, "host_path": device.path, "permissions": device.permissions}
            for device in wanted.devices
        ],
        "labels": pairs({**wanted.labels, LABEL_WORKLOAD: workload}),
        "annotations": pairs({**wanted.annotations, ANNOTATION_CRIU: config_file(workload)}),
        "log_path": LOG,
        "stdin": int(wanted.stdin_open),
        "tty": int(wanted.tty),
        "linux": {"resources": _resources(wanted), "security_context": _security(wanted)},
    }


def _namespaces(container: Container) -> dict[str, int]:
    return {
        "network": _NODE if container.network_mode == "host" else _POD,
        "pid": _NODE if container.pid == "host" else _CONTAINER,
        "ipc": _NODE if container.ipc == "host" else _POD,
    }


def _resources(container: Container) -> dict[str, Any]:
    limits, found = container.limits, {}
    if limits.memory is not None:
        found["memory_limit_in_bytes"] = parse_size(limits.memory)
    if limits.cpus is not None:
        found |= {"cpu_period": _CPU_PERIOD, "cpu_quota": round(limits.cpus * _MICROSECONDS)}
    if limits.cpu_shares is not None:
        found["cpu_shares"] = limits.cpu_shares
    return {**found, "cpuset_cpus": limits.cpuset or ""}


def _security(container: Container) -> dict[str, Any]:
    options = container.security_opt
    found: dict[str, Any] = {
        "capabilities": {"add_capabilities": container.cap_add, "drop_capabilities": container.cap_drop},
        "privileged": int(container.privileged),
        "namespace_options": _namespaces(container),
        "readonly_rootfs": int(container.read_only),
        "supplemental_groups": [int(group) for group in container.group_add],
        "no_new_privs": int(options.no_new_privileges),
        "seccomp": _profile(options.seccomp),
    }
    if options.apparmor is not None:
        found["apparmor"] = _profile(options.apparmor)
    return found | _user(container.user or "")


def _profile(wanted: str | None) -> Mapping[str, Any]:
    if wanted is None:
        return {"profile_type": _DEFAULT}
    return (
        {"profile_type": _UNCONFINED}
        if wanted == "unconfined"
        else {
            "profile_type": _PROFILE,
            "localhost_ref": wanted,
        }
    )


def _user(wanted: str) -> dict[str, Any]:
    user, _, group = wanted.partition(":")
    found: dict[str, Any] = {"run_as_group": {"value": int(group)}} if group else {}
    if user.isdecimal():
        found["run_as_user"] = {"value": int(user)}
    elif user:
        found["run_as_username"] = user
    return found
