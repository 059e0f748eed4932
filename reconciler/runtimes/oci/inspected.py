"""Parts of what engines answer that read the same. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.core import answers
from reconciler.model.world import ContainerMount, ContainerOptions

MOST_PID = 2**22
DEFAULT_PIDS = 2048
"""An engine's limit of processes where nobody has said another."""
_OWN = ("private", "shareable", "bridge", "none", "default")
"""Namespace modes in which nothing is shared with the host or another container."""


def json_list(text: str, field: str) -> list[dict[str, Any]]:
    """A JSON list of objects; empty for no output."""
    return [answers.mapping(item, field) for item in answers.items(answers.parsed(text or "[]", field), field)]


def folder(value: object, field: str) -> str:
    return answers.path(value, field) if value else ""


def texts(item: Mapping[str, Any], key: str) -> list[str]:
    """The names or digests of an image."""
    return [answers.string(value, f"{key} of an image", 1000) for value in answers.items(item.get(key), key)]


def mount(value: object, what: str) -> ContainerMount:
    """Volumes of ours are copied, so their folder must be one; of other mounts nothing is used but to be shown."""
    found = answers.mapping(value, f"a mount {what}")
    kind = answers.word(found.get("Type"), f"the kind of a mount {what}")
    source = found.get("Source")
    is_volume = kind == "volume"
    return ContainerMount(
        kind=kind,
        name=answers.name(found["Name"], f"a volume {what}") if is_volume and found.get("Name") else None,
        source=folder(source, f"a volume {what}") if is_volume else answers.shown(source, f"a mount {what}", 4096),
        target=answers.shown(found.get("Destination"), f"a mount {what}", 4096),
    )


def _pids(value: object) -> int:
    """A limit of processes that somebody has set: the engine's own default, and none, are 0."""
    limit = answers.number(value or 0, "the limit of processes of a container", least=-1)
    return 0 if limit in (-1, DEFAULT_PIDS) else limit


def options_of(inspected: Mapping[str, Any]) -> ContainerOptions:
    """How a container was made, from one element of an engine's `container inspect`: what rules about moving it
    want to know."""
    what = "the options of a container"
    host, config = (
        answers.mapping(inspected.get("HostConfig"), what),
        answers.mapping(inspected.get("Config"), what),
    )
    health = answers.mapping(config.get("Healthcheck") or {}, what)
    log = answers.mapping(host.get("LogConfig") or {}, what)
    devices = [answers.mapping(device, what) for device in answers.items(host.get("Devices"), what)]

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
        devices=tuple(answers.shown(device.get("PathOnHost"), "a device") for device in devices)
        if not host.get("Privileged")
        else (),
        pod=answers.shown(inspected.get("Pod"), "the pod of a container"),
        log_driver=answers.shown(log.get("Type"), "the log driver of a container"),
        memory=answers.number(host.get("Memory") or 0, "the memory limit of a container"),
        cpus=answers.number(host.get("NanoCpus") or 0, "the processors of a container") / 10**9,
        cpu_shares=answers.number(host.get("CpuShares") or 0, "the share of a container"),
        cpuset=answers.shown(host.get("CpusetCpus"), "the processors of a container"),
        pids=_pids(host.get("PidsLimit")),
        health=tuple(
            answers.shown(word, "a health check", 4096)
            for word in answers.items(health.get("Test"), "a health check")
        ),
    )
