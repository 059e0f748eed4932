"""Quadlet units (`NAME.container`) as specs: their keys in compose's words, and then the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reconciler.errors import InputError
from reconciler.load import files
from reconciler.load.foreign import mounts, service, units
from reconciler.load.foreign.base import WRONG_KIND, Import, Section, Service, kind, listed, name_of, text_of

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
    "ShmSize": "shm_size",
    "StopSignal": "stop_signal",
    "StopTimeout": "stop_grace_period",
    "User": "user",
    "WorkingDir": "working_dir",
}
YES = {"ReadOnly": "read_only", "RunInit": "init"}
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
    text = files.read_text(path)
    try:
        return _read(text, path, folder)
    except WRONG_KIND as error:
        raise InputError("not a Quadlet unit", code="E189", where=files.shown(path), why=kind(error)) from None


def _read(text: str, path: Path, folder: str) -> Import:
    unit = units.sections(text)
    if "Image" not in unit.get("Container", {}):
        raise InputError(
            "not a Quadlet unit", code="E189", where=files.shown(path), why="[Container] has no Image"
        )
    one = Service(name_of(path.stem))
    given = units.plain(one, unit["Container"])
    one.name = name_of(_last(given, "ContainerName") or path.stem)
    if "Image" not in given:
        given["Image"] = [f"localhost/{one.name}:latest"]
    section: Section = {}
    for key, values in given.items():
        if key in LISTS:
            section[LISTS[key]] = [
                word for value in values for word in (units.words(key, value) if key in WORDS else [value])
            ]
        elif key in YES and (word := values[-1].lower()) in units.TRUE | units.FALSE:
            section[YES[key]] = word in units.TRUE
        elif key in YES:
            one.lose(f"{key}={values[-1]}", "it is neither true nor false")
        elif key in ONES:
            section[ONES[key]] = values[-1]
        else:
            _other(one, key, values)
    units.beside(one, unit)
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
            service.say(one, key, value)
    _security(one, given)
    _networks(one, given)


def _words(one: Service, section: Section, given: dict[str, list[str]], unit: Any) -> None:
    """What compose says in another way."""
    if "stop_grace_period" in section:
        section["stop_grace_period"] = f"{section['stop_grace_period']}s"
    if driver := section.pop("log_driver", None):
        options = [option.partition("=") for option in given.get("LogOpt", ())]
        section["logging"] = {"driver": driver, "options": {key: value for key, _, value in options}}
    elif "LogOpt" in given:
        one.lose(f"LogOpt={_last(given, 'LogOpt')}", "say the driver that it is for: LogDriver=")
    if any(key in given for key in HEALTH):
        section["healthcheck"] = {name: _last(given, key) for key, name in HEALTH.items() if key in given}
    if "user" in section:
        group = f":{_last(given, 'Group')}" if "Group" in given else ""
        one.container["user"] = f"{section.pop('user')}{group}"
    elif "Group" in given:
        one.lose(f"Group={_last(given, 'Group')}", "say the user, too: User=")
    for value in given.get("Ulimit", ()):
        name, sign, text = value.partition("=")
        ends = text.split(":")
        if sign and all(end.removeprefix("-").isdecimal() for end in ends) and len(ends) <= 2:
            section.setdefault("ulimits", {})[name] = {"soft": ends[0], "hard": ends[-1]}
        else:
            one.lose(
                f"Ulimit={value}", "a limit is NAME=SOFT:HARD, in numbers: those of a host are not known here"
            )
    restart = (unit.get("Service", {}).get("Restart") or ["no"])[-1]
    section["restart"] = RESTART.get(restart, "no")
    if restart not in RESTART:
        one.lose(f"Restart={restart}", "there is no such policy")


def _security(one: Service, given: dict[str, list[str]]) -> None:
    options = ["no-new-privileges"] if _last(given, "NoNewPrivileges").lower() in units.TRUE else []
    options += [f"seccomp={value}" for value in given.get("SeccompProfile", ())]
    options += [f"apparmor={value}" for value in given.get("AppArmor", ())]
    labels = {"SecurityLabelType": "type", "SecurityLabelLevel": "level"}
    options += [f"label={part}:{_last(given, key)}" for key, part in labels.items() if key in given]
    options += ["label=disable"] if _last(given, "SecurityLabelDisable").lower() in units.TRUE else []
    service.security(one, options, "/")


def _networks(one: Service, given: dict[str, list[str]]) -> None:
    joined: dict[str, Section] = {}
    for value in given.get("Network", ()):
        name, _, options = value.partition(":")
        if name in ("container", "service", "ns") or name.endswith(".container"):
            service.namespaces(one, "network_mode", value if options else f"container:{name}")
        elif name in ("host", "none"):
            one.container["networkMode"] = name
        elif name in OWN:
            if options:
                one.lose(f"Network={value}", "there is no field for its options")
        else:
            joined[name.removesuffix(".network")] = _joined(one, value, options)
    if one.container.get("networkMode"):
        joined = {}
    if joined:
        first = joined[next(iter(joined))]
        first |= {"ipv4_address": _last(given, "IP")} if "IP" in given else {}
        first |= {"ipv6_address": _last(given, "IP6")} if "IP6" in given else {}
        first["aliases"] = [*first.get("aliases", []), *given.get("NetworkAlias", [])]
        service.networks(one, joined, {}, "")
    else:
        for key in ("IP", "IP6", "NetworkAlias"):
            if key in given:
                one.lose(f"{key}={_last(given, key)}", "it is of a network: name that, Network=")


def _joined(one: Service, value: str, options: str) -> Section:
    made: Section = {}
    for option in filter(None, options.split(",")):
        key, _, given = option.partition("=")
        if key == "ip":
            made["ipv6_address" if ":" in given else "ipv4_address"] = given
        elif key == "mac":
            made["mac_address"] = given
        elif key == "alias":
            made.setdefault("aliases", []).append(given)
        else:
            one.lose(f"Network={value}", f"there is no field for {key}")
    return made


OWN = ("bridge", "pasta", "private", "slirp4netns")
"""Networks that are nobody else's."""
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
