"""How a container was made, from `podman container inspect`: what rules about moving it want to know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.core import answers
from reconciler.model.world import ContainerOptions

_OWN = ("private", "shareable", "bridge", "none", "default")
"""Namespace modes in which nothing is shared with the host or another container."""


def options_of(inspected: Mapping[str, Any]) -> ContainerOptions:
    """How a container was made, from one element of `podman container inspect`."""
    host = answers.mapping(inspected.get("HostConfig"), "the options of a container")
    config = answers.mapping(inspected.get("Config"), "the options of a container")
    devices = [
        answers.mapping(d, "a device") for d in answers.items(host.get("Devices"), "devices of a container")
    ]

    def mode(name: str) -> str:
        value = answers.shown(host.get(name), f"the {name} of a container")
        return "" if value in _OWN else value

    return ContainerOptions(
        privileged=bool(host.get("Privileged")),
        terminal=bool(config.get("Tty")),
        pid_mode=mode("PidMode"),
        ipc_mode=mode("IpcMode"),
        uts_mode=mode("UTSMode"),
        user_mode=mode("UsernsMode"),
        network_mode=mode("NetworkMode"),
        devices=tuple(answers.shown(d.get("PathOnHost"), "a device") for d in devices)
        if not host.get("Privileged")
        else (),
        pod=answers.shown(inspected.get("Pod"), "the pod of a container"),
        memory=answers.number(host.get("Memory") or 0, "the memory limit of a container"),
    )
