"""Pure parsers of what Docker prints. Tested with recorded output in `tests/drivers/data`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.core import answers
from reconciler.core.lines import version
from reconciler.model.world import (
    ContainerFacts,
    ContainerOptions,
    ImageFacts,
    InstanceNetwork,
    InstanceState,
    NetworkFacts,
    VolumeFacts,
)
from reconciler.runtimes.docker import places
from reconciler.runtimes.oci.inspected import MOST_PID, folder, json_list, mount, options_of, texts
from reconciler.runtimes.oci.stamps import timestamp

NAME = "docker"
HUB = ("docker.io/library/", "docker.io/")
"""What Docker leaves out of the names of images."""
_STATES = {
    "created": InstanceState.CREATED,
    "running": InstanceState.RUNNING,
    "paused": InstanceState.PAUSED,
    "exited": InstanceState.EXITED,
    "dead": InstanceState.EXITED,
}
_FOLDER_DRIVER = "local"


def engine_version(text: str) -> str:
    """Of `docker version`, from its list of components; empty where it is another program's imitation."""
    what = "the version of Docker"
    server = answers.mapping(answers.parsed(text or "null", what), what)
    for item in answers.items(server.get("Components"), what):
        component = answers.mapping(item, what)
        if component.get("Name") == "Engine":
            return version(answers.string(component.get("Version"), what, 200))
    return ""


def component(text: str, name: str) -> str:
    """The version of another component, such as runc."""
    what = f"the version of {name}"
    server = answers.mapping(answers.parsed(text or "null", what), what)
    found = (answers.mapping(item, what) for item in answers.items(server.get("Components"), what))
    return next(
        (version(answers.string(one.get("Version"), what, 200)) for one in found if one.get("Name") == name), ""
    )


def settings(info: Mapping[str, Any]) -> tuple[str, ...]:
    """What rules ask of `docker info`, in words."""
    swarm = answers.mapping(info.get("Swarm"), "the swarm of Docker").get("LocalNodeState")
    options = [str(word) for word in answers.items(info.get("SecurityOptions"), "the security options of Docker")]
    has = {
        "experimental": info.get("ExperimentalBuild") is True,
        "live-restore": info.get("LiveRestoreEnabled") is True,
        "swarm": swarm not in (None, "", "inactive"),
        "rootless": any(word.startswith("name=rootless") for word in options),
        "userns-remap": any(word.startswith("name=userns") for word in options),
        "desktop": str(info.get("OperatingSystem", "")).startswith("Docker Desktop"),
    }
    storage = answers.word(info.get("Driver"), "the storage driver of Docker")
    runtime = answers.word(info.get("DefaultRuntime"), "the OCI runtime of Docker")
    return (*(word for word, yes in has.items() if yes), f"storage={storage}", f"runtime={runtime}")


def image_id(value: object, field: str) -> str:
    return answers.image_id(value, field).removeprefix("sha256:")


def container(inspected: Mapping[str, Any], cgroup_driver: str) -> ContainerFacts:
    """One element of `docker container inspect`. Nothing that is measured (memory, sizes, TCP) is set."""
    name = answers.name(str(inspected.get("Name") or "").removeprefix("/"), "the name of a container")
    what = f"of container {name}"

    def part(section: Mapping[str, Any], key: str) -> dict[str, Any]:
        return answers.mapping(section.get(key), f"{key} {what}")

    state, config, host = (part(inspected, key) for key in ("State", "Config", "HostConfig"))
    networks = part(part(inspected, "NetworkSettings"), "Networks")
    upper = part(part(inspected, "GraphDriver"), "Data").get("UpperDir")
    container_id = answers.full_id(inspected.get("Id"), f"the ID {what}")
    mounts = answers.items(inspected.get("Mounts"), f"the mounts {what}")
    return ContainerFacts(
        id=container_id,
        name=name,
        runtime=NAME,
        image_id=image_id(inspected.get("Image"), f"the image {what}"),
        image_name=answers.shown(config.get("Image"), f"the image {what}"),
        state=_STATES.get(str(state.get("Status", "")).lower(), InstanceState.OTHER),
        labels=answers.labels(config.get("Labels"), f"the labels {what}"),
        annotations=answers.labels(host.get("Annotations"), f"the annotations {what}"),
        oci_runtime=answers.word(host.get("Runtime"), f"the OCI runtime {what}").rsplit("/", 1)[-1],
        pid=answers.number(state.get("Pid"), f"the process {what}", most=MOST_PID),
        exit_code=answers.number(state.get("ExitCode"), f"the exit code {what}", least=-(2**31), most=2**32),
        started_at=timestamp(answers.string(state.get("StartedAt"), f"the start {what}")),
        networks=tuple(_network(key, facts, what) for key, facts in sorted(networks.items())),
        mounts=tuple(mount(one, what) for one in mounts),
        auto_remove=bool(host.get("AutoRemove")),
        restart=answers.word(part(host, "RestartPolicy").get("Name") or "no", f"the restart policy {what}"),
        userdata=places.home(container_id, cgroup_driver),
        upper_dir=folder(upper, f"the upper directory {what}"),
        options=_options(inspected),
    )


def _options(inspected: Mapping[str, Any]) -> ContainerOptions:
    """Docker says there which network it joins first, too, which rules know by `networks`."""
    found = options_of(inspected)
    shared = found.network_mode == "host" or found.network_mode.startswith("container:")
    return found if shared else found.model_copy(update={"network_mode": ""})


def _network(name: str, value: object, what: str) -> InstanceNetwork:
    """Where it does not run, what it was made with."""
    facts = answers.mapping(value, f"a network {what}")
    asked = answers.mapping(facts.get("IPAMConfig"), f"a network {what}")
    v4 = facts.get("IPAddress") or asked.get("IPv4Address")
    v6 = facts.get("GlobalIPv6Address") or asked.get("IPv6Address")
    mac = facts.get("MacAddress")
    first, second = (v4, v6) if v4 else (v6, None)
    return InstanceNetwork(
        name=answers.name(name, f"a network {what}"),
        ip=answers.address(first, f"an address {what}") if first else None,
        ip6=answers.address(second, f"an address {what}") if second else None,
        mac=answers.mac(mac, f"a MAC address {what}") if mac else None,
    )


def containers(text: str, cgroup_driver: str) -> tuple[ContainerFacts, ...]:
    """`docker container inspect ID...`"""
    rows = json_list(text.strip(), "the inspection of a container")
    return tuple(container(item, cgroup_driver) for item in rows)


def images(text: str) -> tuple[ImageFacts, ...]:
    """`docker image inspect ID...`, with the names that specs may have for what Docker calls by a shorter one."""

    return tuple(
        ImageFacts(
            id=image_id(item.get("Id"), "the ID of an image"),
            names=tuple(full for name in texts(item, "RepoTags") for full in spellings(name)),
            digests=tuple(sorted(full for name in texts(item, "RepoDigests") for full in spellings(name))),
            size_bytes=answers.number(item.get("Size"), "the size of an image"),
            runtime=NAME,
        )
        for item in json_list(text.strip(), "the list of images")
    )


def familiar(name: str) -> str:
    """The name as Docker shows it."""
    for prefix in HUB:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def spellings(name: str) -> tuple[str, ...]:
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return (name,)
    return (name, f"{HUB[1] if slash else HUB[0]}{name}")


def networks(text: str) -> tuple[NetworkFacts, ...]:
    """`docker network inspect ID...`"""
    found = []
    for item in json_list(text.strip(), "the list of networks"):
        name = answers.name(item.get("Name"), "the name of a network")
        what = f"of network {name}"
        ipam = answers.mapping(item.get("IPAM"), f"the subnets {what}")
        rows = [
            answers.mapping(s, f"a subnet {what}") for s in answers.items(ipam.get("Config"), f"a subnet {what}")
        ]
        options = answers.mapping(item.get("Options"), f"the options {what}")
        found.append(
            NetworkFacts(
                name=name,
                driver=answers.word(item.get("Driver"), f"the driver {what}"),
                subnets=tuple(answers.subnet(r["Subnet"], f"a subnet {what}") for r in rows if r.get("Subnet")),
                parent=answers.word(options.get("parent"), f"the parent {what}") or None,
                runtime=NAME,
            )
        )
    return tuple(found)


def volumes(text: str) -> tuple[VolumeFacts, ...]:
    """`docker volume inspect NAME...`. Those that are no plain folder have no place."""
    found = []
    for item in json_list(text.strip(), "the list of volumes"):
        plain = item.get("Driver") == _FOLDER_DRIVER and not item.get("Options")
        found.append(
            VolumeFacts(
                name=answers.name(item.get("Name"), "the name of a volume"),
                mountpoint=folder(item.get("Mountpoint"), "the folder of a volume") if plain else "",
                labels=answers.labels(item.get("Labels"), "the labels of a volume"),
            )
        )
    return tuple(found)
