"""Quadlet units (`NAME.container`) as specs: their keys in compose's words, and then the same way."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from reconciler.errors import InputError
from reconciler.load import files
from reconciler.load.foreign import mounts, service
from reconciler.load.foreign.base import Import, Section, Service, listed, name_of, text_of

LISTS = {
    "AddCapability": "cap_add",
    "AddDevice": "devices",
    "AddHost": "extra_hosts",
    "Annotation": "annotations",
    "DNS": "dns",
    "DNSOption": "dns_opt",
    "DNSSearch": "dns_search",
    "DropCapability": "cap_drop",
    "Environment": "environment",
    "EnvironmentFile": "env_file",
    "GroupAdd": "group_add",
    "Label": "labels",
    "PublishPort": "ports",
    "Sysctl": "sysctls",
    "Tmpfs": "tmpfs",
    "Volume": "volumes",
}
WORDS = {"Annotation", "Environment", "Label", "Sysctl", "AddCapability", "DropCapability"}
"""Keys of which one line holds several values, as a shell would split them."""
ONES = {
    "Entrypoint": "entrypoint",
    "Exec": "command",
    "HostName": "hostname",
    "Image": "image",
    "LogDriver": "log_driver",
    "Memory": "mem_limit",
    "PidsLimit": "pids_limit",
    "ReadOnly": "read_only",
    "RunInit": "init",
    "ShmSize": "shm_size",
    "StopSignal": "stop_signal",
    "StopTimeout": "stop_grace_period",
    "User": "user",
    "WorkingDir": "working_dir",
}
HEALTH = {
    "HealthCmd": "test",
    "HealthInterval": "interval",
    "HealthTimeout": "timeout",
    "HealthRetries": "retries",
}
HEALTH |= {"HealthStartPeriod": "start_period"}
RESTART = {"always": "always", "on-failure": "on-failure", "on-abnormal": "on-failure", "no": "no"}


def read_quadlet(path: Path, folder: str = "") -> Import:
    """The workload of a `.container` unit."""
    unit = _unit(path)
    given = unit.get("Container", {})
    if "Image" not in given:
        raise InputError(
            "not a Quadlet unit", code="E189", where=files.shown(path), why="[Container] has no Image"
        )
    one = Service(name_of(_last(given, "ContainerName") or path.stem))
    section: Section = {}
    for key, values in given.items():
        if key in LISTS:
            words = [word for value in values for word in (shlex.split(value) if key in WORDS else [value])]
            section[LISTS[key]] = words
        elif key in ONES:
            section[ONES[key]] = values[-1] == "true" if values[-1] in ("true", "false") else values[-1]
        else:
            _other(one, key, values)
    _rest(one, section, given, unit, folder or f"/srv/{one.name}")
    if one.container.get("image", "").endswith((".build", ".image")):
        one.lose(f"Image={one.container['image']}", "it names another unit: name the image itself")
    return Import([one])


def _rest(one: Service, section: Section, given: dict[str, list[str]], unit: Any, folder: str) -> None:
    service.environment(one, section.pop("environment", None), None)
    for name in section.pop("env_file", []):
        one.tell(f"EnvironmentFile={name}", "put it beside the specs and name it in envFiles")
    sources = [name.replace(".volume:", ":", 1) for name in section.pop("volumes", ())]
    mounts.volumes(one, sources, folder, "", {})
    _words(one, section, given, unit)
    for key, value in section.items():
        if key in service.SAYS:
            service.SAYS[key](one, value)
    _security(one, given)
    _networks(one, given)


def _words(one: Service, section: Section, given: dict[str, list[str]], unit: Any) -> None:
    """What compose says in another way."""
    if "stop_grace_period" in section:
        section["stop_grace_period"] = f"{section['stop_grace_period']}s"
    if driver := section.pop("log_driver", None):
        section["logging"] = {"driver": driver, "options": dict(o.split("=", 1) for o in given.get("LogOpt", ()))}
    if any(key in given for key in HEALTH):
        section["healthcheck"] = {name: _last(given, key) for key, name in HEALTH.items() if key in given}
    if "user" in section:
        group = f":{_last(given, 'Group')}" if "Group" in given else ""
        one.container["user"] = f"{section.pop('user')}{group}"
    if "Ulimit" in given:
        limits = dict(value.split("=", 1) for value in given["Ulimit"])
        pairs = {name: text.split(":") for name, text in limits.items()}
        section["ulimits"] = {name: {"soft": ends[0], "hard": ends[-1]} for name, ends in pairs.items()}
    restart = (unit.get("Service", {}).get("Restart") or ["no"])[-1]
    section["restart"] = RESTART.get(restart, "no")
    if restart not in RESTART:
        one.lose(f"Restart={restart}", "there is no such policy")


def _security(one: Service, given: dict[str, list[str]]) -> None:
    options = ["no-new-privileges"] if _last(given, "NoNewPrivileges") == "true" else []
    options += [f"seccomp={value}" for value in given.get("SeccompProfile", ())]
    options += [f"apparmor={value}" for value in given.get("AppArmor", ())]
    labels = {"SecurityLabelType": "type", "SecurityLabelLevel": "level"}
    options += [f"label={part}:{_last(given, key)}" for key, part in labels.items() if key in given]
    options += ["label=disable"] if _last(given, "SecurityLabelDisable") == "true" else []
    service.security(one, options, "/")


def _networks(one: Service, given: dict[str, list[str]]) -> None:
    names = [value.partition(":")[0].removesuffix(".network") for value in given.get("Network", ())]
    if names and names[0] in ("host", "none"):
        one.container["networkMode"] = names[0]
        return
    joined: dict[str, Section] = {name: {} for name in names if name not in ("bridge", "pasta", "slirp4netns")}
    if joined:
        first = joined[next(iter(joined))]
        first |= {"ipv4_address": _last(given, "IP")} if "IP" in given else {}
        first |= {"ipv6_address": _last(given, "IP6")} if "IP6" in given else {}
        first["aliases"] = given.get("NetworkAlias", [])
        service.networks(one, joined, {}, "")


SPECIAL = {"ContainerName", "Group", "IP", "IP6", "LogOpt", "Network", "NetworkAlias", "NoNewPrivileges", "Ulimit"}
SPECIAL |= {"SeccompProfile", "AppArmor", "SecurityLabelType", "SecurityLabelLevel", "SecurityLabelDisable"}
WHY = {
    "AutoUpdate": "what runs changes with its spec only",
    "Pod": "a pod's containers would have to move together",
    "PodmanArgs": "options of the command line are not read",
    "Rootfs": "a container is made of an image",
    "Secret": "say where its value is: secretEnv or secretFiles",
    "UserNS": "see userns",
    "Timezone": "set TZ in env",
    "Notify": "health says when it is ready",
}


def _other(one: Service, key: str, values: list[str]) -> None:
    if key == "Pull":
        service.SAYS["pull_policy"](one, values[-1])
    elif key not in (*SPECIAL, *HEALTH):
        one.lose(f"{key}={values[-1]}", WHY.get(key, "there is no field for it"))


def _last(given: dict[str, list[str]], key: str) -> str:
    return text_of(listed(given.get(key))[-1]) if given.get(key) else ""


def _unit(path: Path) -> dict[str, dict[str, list[str]]]:
    """Sections of a systemd unit: a key may come several times, an empty value forgets those before."""
    found: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in files.read_text(path).replace("\\\n", " ").split("\n"):
        text = line.strip()
        if text.startswith("[") and text.endswith("]"):
            section = found.setdefault(text[1:-1], {})
        elif text and text[0] not in "#;" and "=" in text:
            key, _, value = text.partition("=")
            if value.strip():
                section.setdefault(key.strip(), []).append(value.strip())
            else:
                section.pop(key.strip(), None)
    return found
