"""One service of a compose file as a container section. Every key of the compose specification has its place
here: a function that says it, a reason why not, or that it means nothing here. One in none of them is unknown."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any

from reconciler.load.foreign import mounts
from reconciler.load.foreign.base import WRONG_KIND, Section, Service, listed, name_of, pairs, text_of
from reconciler.load.foreign.interpolate import ALONE
from reconciler.load.foreign.mounts import bind_source, size_of
from reconciler.load.objects import looks_secret

SAME = {
    "image": "image",
    "hostname": "hostname",
    "working_dir": "workdir",
    "init": "init",
    "read_only": "readOnly",
    "privileged": "privileged",
    "tty": "tty",
    "stdin_open": "stdinOpen",
    "platform": "platform",
    "oom_score_adj": "oomScoreAdj",
    "stop_signal": "stopSignal",
}
LISTS = {
    "cap_add": "capAdd",
    "cap_drop": "capDrop",
    "group_add": "groupAdd",
    "dns": "dns",
    "dns_search": "dnsSearch",
}
LISTS |= {"dns_opt": "dnsOptions"}
SIZES = {"mem_limit": "memory", "mem_reservation": "memoryReservation", "memswap_limit": "memorySwap"}
QUIET = {"container_name", "expose", "profiles", "develop", "attach", "version", "extends", "scale", "user"}
TOLD = {
    "depends_on": "workloads start by themselves, maybe on other hosts: programs have to try again",
    "links": "containers on one network find each other by name",
    "build": "the image has to be built and pushed before",
    "label_file": "put the labels into the spec",
    "pull_refresh_after": "images are pulled when a container is made",
}
LOST = {
    "volumes_from": "a volume belongs to one workload",
    "external_links": "containers of others are not looked for",
    "domainname": "there is no field for it",
    "device_cgroup_rules": "devices are given one by one",
    "blkio_config": "there is no field for it",
    "cgroup": "the cgroup namespace is the container's own",
    "cgroup_parent": "the runtime keeps the control groups",
    "cpu_count": "use cpus",
    "cpu_percent": "use cpus",
    "cpu_period": "use cpus",
    "cpu_quota": "use cpus",
    "cpu_rt_period": "there is no field for it",
    "cpu_rt_runtime": "there is no field for it",
    "credential_spec": "it is Windows'",
    "isolation": "it is Windows'",
    "mem_swappiness": "cgroup v2 has none",
    "oom_kill_disable": "cgroup v2 has none",
    "models": "there is no field for it",
    "post_start": "there is no field for it",
    "pre_stop": "there is no field for it",
    "provider": "it is no container",
    "runtime": "ociRuntime is runc or crun",
    "storage_opt": "there is no field for it",
    "use_api_socket": "mount the socket",
}
GATEWAY_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _words(service: Service, value: Any, field: str) -> None:
    if value is None:
        return
    try:
        words = shlex.split(value) if isinstance(value, str) else [text_of(word) for word in listed(value)]
    except ValueError as error:
        service.lose(field, f"its quotes cannot be read ({error})")
        return
    service.container[field] = words


def environment(service: Service, value: Any, raw: Any) -> None:
    """`raw`: before variables were filled in: a secret is asked of the variable that it came from."""
    before = pairs(raw)
    for name, given in pairs(value).items():
        if not GATEWAY_ENV.fullmatch(name):
            service.lose(f"environment: {name}", "it is no name of a variable")
            continue
        source = ALONE.fullmatch(text_of(before.get(name)).strip())
        if given is None or looks_secret(name, text_of(given)) or (source and looks_secret(name, "x")):
            variable = source[1] if source else name
            service.container.setdefault("secretEnv", {})[name] = {"fromEnv": variable}
            service.tell(f"environment: {name}", f"set {variable} where plans are applied")
        else:
            service.container.setdefault("env", {})[name] = text_of(given)


def ports(service: Service, value: Any) -> None:
    for item in listed(value):
        made: Section = {}
        if isinstance(item, dict):
            container, host = text_of(item.get("target")), text_of(item.get("published"))
            made = {"protocol": item["protocol"]} if item.get("protocol", "tcp") != "tcp" else {}
            made |= {"address": item["host_ip"]} if item.get("host_ip") else {}
        else:
            text, _, protocol = text_of(item).partition("/")
            address, _, rest = text.rpartition(":")
            container = rest
            address, _, host = address.rpartition(":")
            made = {"protocol": protocol} if protocol not in ("", "tcp") else {}
            made |= {"address": address.strip("[]")} if address else {}
        if not host:
            service.lose(
                f"ports: {text_of(item) if not isinstance(item, dict) else container}", "give a port of the host"
            )
            continue
        numbers = {key: int(v) if v.isdecimal() else v for key, v in (("container", container), ("host", host))}
        service.container.setdefault("ports", []).append(numbers | made)


def restart(service: Service, value: Any) -> None:
    word, _, count = ("no" if value is False else text_of(value)).partition(":")
    if word != "no":
        service.container["restart"] = word
    if count.isdecimal():
        service.container["restartRetries"] = int(count)


def security(service: Service, value: Any, folder: str) -> None:
    made: Section = {}
    for item in listed(value):
        key, _, rest = text_of(item).replace("=", ":", 1).partition(":")
        if key == "no-new-privileges":
            made["noNewPrivileges"] = rest != "false"
        elif key == "seccomp":
            made["seccomp"] = rest if rest == "unconfined" else bind_source(rest, folder)
        elif key == "apparmor":
            made["apparmor"] = rest
        elif key == "label":
            part, _, label = rest.partition(":")
            made.setdefault("label", {})[part] = label or True
        else:
            service.lose(f"security_opt: {item}", "there is no field for it")
    if made:
        service.container["securityOpt"] = made


def devices(service: Service, value: Any) -> None:
    for item in listed(value):
        if isinstance(item, dict):
            item = ":".join(
                filter(None, map(text_of, (item.get("source"), item.get("target"), item.get("permissions"))))
            )
        path, _, rest = text_of(item).partition(":")
        if "=" in path:
            made: Section = {"cdi": text_of(item)}
        else:
            target, _, rights = rest.partition(":")
            if target and not target.startswith("/"):
                target, rights = "", target
            made = {"path": path} | ({"target": target} if target else {})
            made |= {"permissions": rights} if rights not in ("", "rwm", "mrw") else {}
        service.container.setdefault("devices", []).append(made)


def healthcheck(service: Service, value: Any) -> None:
    test = value.get("test")
    if value.get("disable") or test in (["NONE"], "NONE"):
        service.container["healthcheck"] = {"disabled": True}
        return
    if isinstance(test, str):
        command = ["/bin/sh", "-c", test]
    elif test and test[0] == "CMD-SHELL":
        command = ["/bin/sh", "-c", text_of(test[1])]
    else:
        command = [text_of(word) for word in listed(test)[1:]]
    if not command:
        service.lose("healthcheck", "it has no test of its own, and changes that of the image")
        return
    made: Section = {"command": command}
    for key, name in (("interval", "interval"), ("timeout", "timeout"), ("start_period", "startPeriod")):
        if value.get(key) is not None:
            made[name] = text_of(value[key])
    if value.get("retries") is not None:
        made["retries"] = int(text_of(value["retries"]))
    if value.get("start_interval"):
        service.tell("healthcheck: start_interval", "the interval is the same from the start on")
    service.container["healthcheck"] = made


def logging(service: Service, value: Any) -> None:
    drivers = {
        "json-file": "k8s-file",
        "local": "k8s-file",
        "journald": "journald",
        "none": "none",
        "k8s-file": "k8s-file",
    }
    options = value.get("options") or {}
    driver = drivers.get(value.get("driver", "json-file"))
    if driver is None:
        service.lose("logging", f"Podman has no driver {value.get('driver')}")
        return
    made: Section = {"driver": driver}
    for key, given in options.items():
        if key == "max-size" and driver == "k8s-file":
            made["maxSize"] = size_of(given)
        elif key == "tag" and driver != "none" and "{{" not in text_of(given):
            made["tag"] = text_of(given)
        else:
            service.tell(f"logging: {key}", "Podman's driver has no such option")
    service.container["logging"] = made


def deploy(service: Service, value: Any) -> None:
    for key, about in value.items():
        if key == "resources":
            limits, kept = about.get("limits") or {}, about.get("reservations") or {}
            found = {"memory": limits.get("memory"), "memoryReservation": kept.get("memory")}
            made: Section = {name: size_of(size) for name, size in found.items() if size is not None}
            made |= {"cpus": float(text_of(limits["cpus"]))} if limits.get("cpus") else {}
            made |= {"pids": int(text_of(limits["pids"]))} if limits.get("pids") else {}
            service.container.setdefault("limits", {}).update(made)
            if kept.get("cpus"):
                service.tell("deploy: reservations.cpus", "nothing is reserved; see cpuShares")
            gpus(service, kept.get("devices"))
        elif key == "restart_policy":
            word = {"none": "no", "any": "always"}.get(about.get("condition", "any"), about.get("condition"))
            restart(
                service,
                f"{word}:{about['max_attempts']}" if about.get("max_attempts") and word == "on-failure" else word,
            )
        elif key == "replicas" and about in (0, 1, "1"):
            continue
        elif key == "replicas":
            service.lose("deploy: replicas", "a workload is one container: write one for each")
        else:
            service.tell(f"deploy: {key}", "it is for a cluster")


MOST_GPUS = 3
"""Digits of how many there are."""


def gpus(service: Service, value: Any) -> None:
    for item in listed(value):
        about = item if isinstance(item, dict) else {"count": item}
        ids = about.get("device_ids") or [text_of(about.get("count") or "all")]
        if about.get("driver", "nvidia") != "nvidia" or not ids[0]:
            service.lose("gpus", "only nvidia's are known by a name (CDI)")
            continue
        if not about.get("device_ids") and ids[0].isdecimal():
            if len(ids[0]) > MOST_GPUS:
                raise ValueError(f"no host has so many: {ids[0]:.20}")
            ids = [str(number) for number in range(int(ids[0]))]
        for one in ids:
            service.container.setdefault("devices", []).append({"cdi": f"nvidia.com/gpu={one}"})


def networks(service: Service, given: Any, known: dict[str, str], default: str) -> None:
    joined: list[Section] = []
    wanted = given if isinstance(given, dict) else {text_of(name): None for name in listed(given)}
    for name, about in (wanted or ({"default": None} if default else {})).items():
        about = about or {}
        made: Section = {"name": known.get(name, name_of(name))}
        if address := about.get("ipv4_address") or about.get("ipv6_address"):
            made["ip"] = text_of(address)
        if about.get("ipv4_address") and about.get("ipv6_address"):
            made["ip6"] = text_of(about["ipv6_address"])
        if about.get("mac_address"):
            made["mac"] = text_of(about["mac_address"])
        names = {service.name, *map(text_of, listed(about.get("aliases")))}
        made["aliases"] = sorted(names)
        joined.append(made)
        for key in about.keys() - {"ipv4_address", "ipv6_address", "mac_address", "aliases", "priority"}:
            service.lose(f"networks: {name}: {key}", "there is no field for it")
    if joined:
        service.container["networks"] = joined


SHARED = (
    "containers that share a namespace do not move together: it gets its own, so let it reach the other over a"
    " network"
)


def namespaces(service: Service, key: str, value: Any) -> None:
    """`host` and the like; another container's is a group's."""
    word = text_of(value)
    if word.startswith(("service:", "container:")):
        service.lose(f"{key}: {word}", SHARED)
    elif word.startswith("ns:"):
        service.lose(f"{key}: {word}", "a namespace that was made by hand is only on its host")
    elif key == "network_mode" and word not in ("host", "none", "bridge", "default", ""):
        service.lose(f"{key}: {word}", "use networks")
    elif word not in ("default", "") and not (key == "userns_mode" and word == "host"):
        service.container[{"network_mode": "networkMode", "userns_mode": "userns"}.get(key, key)] = word


def _mapping(field: str, by: str = "=") -> Callable[[Service, Any], None]:
    def add(service: Service, value: Any) -> None:
        found = {key: text_of(item) for key, item in pairs(value, by).items()}
        if found:
            service.container[field] = found

    return add


def _hosts(service: Service, value: Any) -> None:
    given = value if isinstance(value, dict) else {}
    for item in [] if given else listed(value):
        text = text_of(item)
        name, _, address = text.partition("=") if "=" in text else text.partition(":")
        given = given | {name: address}
    service.container["extraHosts"] = {name: text_of(a).strip("[]") for name, a in given.items()}


def _ulimits(service: Service, value: Any) -> None:
    service.container["ulimits"] = {
        name: {"soft": int(text_of(v["soft"])), "hard": int(text_of(v["hard"]))}
        if isinstance(v, dict)
        else int(text_of(v))
        for name, v in value.items()
    }


def _pull(service: Service, value: Any) -> None:
    word = {"if_not_present": "missing", "newer": "always"}.get(text_of(value), text_of(value))
    if word in ("missing", "always", "never"):
        service.container["pull"] = word
    else:
        service.tell(f"pull_policy: {word}", "images are pulled when a container is made")


def _limit(field: str, kind: Callable[[str], Any]) -> Callable[[Service, Any], None]:
    def add(service: Service, value: Any) -> None:
        if text_of(value) not in ("", "-1", "0"):
            service.container.setdefault("limits", {})[field] = kind(text_of(value))

    return add


def _field(field: str, kind: Callable[[Any], Any]) -> Callable[[Service, Any], None]:
    def add(service: Service, value: Any) -> None:
        service.container[field] = kind(value)

    return add


def _scalar(value: Any) -> Any:
    return value if isinstance(value, bool | int) else text_of(value)


SAYS: dict[str, Callable[[Service, Any], None]] = {
    "command": lambda service, value: _words(service, value, "command"),
    "entrypoint": lambda service, value: _words(service, value, "entrypoint"),
    "ports": ports,
    "restart": restart,
    "devices": devices,
    "gpus": gpus,
    "healthcheck": healthcheck,
    "logging": logging,
    "deploy": deploy,
    "tmpfs": mounts.tmpfs,
    "labels": _mapping("labels"),
    "annotations": _mapping("annotations"),
    "sysctls": _mapping("sysctls"),
    "extra_hosts": _hosts,
    "ulimits": _ulimits,
    "pull_policy": _pull,
    "shm_size": _field("shmSize", size_of),
    "stop_grace_period": _field("stopTimeout", text_of),
    "cpus": _limit("cpus", float),
    "cpu_shares": _limit("cpuShares", int),
    "cpuset": _limit("cpuset", str),
    "pids_limit": _limit("pids", int),
    **{key: _limit(field, size_of) for key, field in SIZES.items()},
    **{
        key: _field(field, lambda v: v if isinstance(v, bool | int) else text_of(v)) for key, field in SAME.items()
    },
    **{key: _field(field, lambda v: [text_of(item) for item in listed(v)]) for key, field in LISTS.items()},
}


def say(service: Service, key: str, value: Any) -> None:
    """ValueError: whose value is none of that key."""
    try:
        SAYS[key](service, value)
    except WRONG_KIND as error:
        raise ValueError(f"{key} of {service.name}: {error}") from None


NAMESPACES = ("network_mode", "userns_mode", "ipc", "pid", "uts")
ELSEWHERE = {"environment", "env_file", "volumes", "networks", "secrets", "configs", "security_opt", "mac_address"}
"""Keys that need more than their value."""
