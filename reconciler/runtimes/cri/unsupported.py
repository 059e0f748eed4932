"""What of a `container` section CRI has no place for, or this driver does not do: refused, never dropped. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.container import Container, Limits

Unsupported = tuple[tuple[str | int, ...], str, str]
"""Where in the section (as users write it), what is wrong, and the way out."""

TAKEN = frozenset(
    [
        "image",
        "pull",
        "registry",
        "command",
        "entrypoint",
        "env",
        "env_files",
        "user",
        "group_add",
        "workdir",
        "hostname",
        "labels",
        "mounts",
        "devices",
        "networks",
        "network_mode",
        "dns",
        "dns_search",
        "dns_options",
        "limits",
        "sysctls",
        "stop_timeout",
        "tty",
        "stdin_open",
        "annotations",
        "read_only",
        "cap_add",
        "cap_drop",
        "privileged",
        "security_opt",
        "ipc",
        "pid",
    ]
)
"""Fields that are given to CRI, but for what is refused below."""
_OTHERWISE = {
    "restart": ("on a host without a kubelet nothing starts containers again", "leave it out"),
    "restart_retries": ("on a host without a kubelet nothing starts containers again", "leave it out"),
    "volumes": ("CRI has no named volumes", "mount a folder of the host (`mounts`)"),
    "secret_env": ("a container that is started again is made again, without secrets at hand", "use `mounts`"),
    "secret_files": ("CRI has no secrets", "mount a file of the host (`mounts`)"),
    "healthcheck": ("CRI has no checks of containers", "use spec.health"),
    "oom_score_adj": ("containerd adds its own to it", "leave it out"),
    "stop_signal": ("containerd uses what the image names", "name it in the image"),
}
_LIMITS = ("memory_reservation", "memory_swap", "pids")


def unsupported(container: Container) -> Iterator[Unsupported]:
    plain = Container(image=container.image)
    for name, field in Container.model_fields.items():
        if name not in TAKEN and getattr(container, name) != getattr(plain, name):
            why, hint = _OTHERWISE.get(name, ("CRI has no place for it", "leave it out"))
            yield (field.alias or name,), why, hint
    yield from _of_files(container)
    yield from _of_networks(container)
    yield from _of_rights(container)
    if container.network_mode == "none":
        yield ("networkMode",), "CNI gives every pod a network", "leave it out, or use `host`"
    for name, field in Limits.model_fields.items():
        if name in _LIMITS and getattr(container.limits, name) is not None:
            yield ("limits", field.alias or name), "CRI has no such limit", "leave it out"


def _of_files(container: Container) -> Iterator[Unsupported]:
    for number, device in enumerate(container.devices):
        if device.cdi:
            yield ("devices", number, "cdi"), "CDI devices are not given yet", "give the device by `path`"


def _of_networks(container: Container) -> Iterator[Unsupported]:
    if len(container.networks) > 1:
        yield ("networks", 1), "CRI gives a pod one network", "name the one that CNI's configuration makes"
    for number, network in enumerate(container.networks):
        if network.aliases:
            yield ("networks", number, "aliases"), "CNI knows no names of containers", "leave it out"


def _of_rights(container: Container) -> Iterator[Unsupported]:
    if container.ipc == "none":
        yield ("ipc",), "CRI has no such mode", "leave it out"
    if container.security_opt.label is not None:
        yield ("securityOpt", "label"), "labels of SELinux are not given yet", "leave it out"
    if container.user and ":" in container.user and not container.user.partition(":")[2].isdecimal():
        yield ("user",), "CRI takes a group as a number", "write the group's number"
    for number, group in enumerate(container.group_add):
        if not str(group).isdecimal():
            yield ("groupAdd", number), "CRI takes groups as numbers", "write the group's number"
