"""How a container was made, from `podman container inspect`: what rules about moving it want to know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model.world import ContainerOptions

_OWN = ("private", "shareable", "bridge", "none", "default")
"""Namespace modes in which nothing is shared with the host or another container."""


def options_of(inspected: Mapping[str, Any]) -> ContainerOptions:
    """How a container was made, from one element of `podman container inspect`."""
    host = inspected.get("HostConfig") or {}
    config = inspected.get("Config") or {}

    def mode(name: str) -> str:
        value = str(host.get(name) or "")
        return "" if value in _OWN else value

    return ContainerOptions(
        privileged=bool(host.get("Privileged")),
        terminal=bool(config.get("Tty")),
        pid_mode=mode("PidMode"),
        ipc_mode=mode("IpcMode"),
        uts_mode=mode("UTSMode"),
        user_mode=mode("UsernsMode"),
        network_mode=mode("NetworkMode"),
        devices=tuple(str(d.get("PathOnHost") or "") for d in host.get("Devices") or ())
        if not host.get("Privileged")
        else (),
        pod=str(inspected.get("Pod") or ""),
    )
