"""Pure parsers of what Podman, CRIU and /proc print. Tested with recorded output in `tests/drivers/data`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from reconciler.core import answers
from reconciler.core.connections import endpoint as endpoint
from reconciler.core.connections import tcp_established as tcp_established
from reconciler.core.lines import numbers as numbers
from reconciler.core.lines import sections as sections
from reconciler.core.lines import version as version
from reconciler.model.world import (
    ContainerFacts,
    ImageFacts,
    InstanceNetwork,
    InstanceState,
    NetworkFacts,
    VolumeFacts,
)
from reconciler.runtimes.oci.inspected import MOST_PID as MOST_PID
from reconciler.runtimes.oci.inspected import folder, mount, options_of, texts
from reconciler.runtimes.oci.inspected import json_list as json_list
from reconciler.runtimes.oci.stamps import timestamp as timestamp

_STATES = {
    "configured": InstanceState.CREATED,
    "created": InstanceState.CREATED,
    "initialized": InstanceState.CREATED,
    "running": InstanceState.RUNNING,
    "paused": InstanceState.PAUSED,
    "exited": InstanceState.EXITED,
    "stopped": InstanceState.EXITED,
}
KEEPS_UPDATES = (5, 1)
"""From this release on what `podman update` changes survives a restart of the container, and it can change the
restart policy."""
UNIT_LABEL = "PODMAN_SYSTEMD_UNIT"
"""Set by Podman and Quadlet on containers that a systemd unit runs."""
CARRIED_LOG = "k8s-file"
"""The driver whose log goes along."""
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_CGROUP = re.compile(r"[A-Za-z0-9_.:/@-]{1,1000}")
"""A path in CRIU's configuration file, where a line end would begin another option."""


def version_tuple(text: str) -> tuple[int, ...]:
    """`5.4.2` as numbers, for comparing; empty for an empty text."""
    return tuple(int(part) for part in text.split(".") if _NUMBER.fullmatch(part))


def keeps_updates(version: str) -> bool:
    """Whether a release does."""
    return version_tuple(version) >= KEEPS_UPDATES


def state_of(inspected: Mapping[str, Any]) -> InstanceState:
    """Podman sets CheckpointedAt on a container it ended by a checkpoint, and clears it when restored."""
    state = answers.mapping(inspected.get("State"), "the state of a container")
    known = _STATES.get(str(state.get("Status", "")).lower(), InstanceState.OTHER)
    if known is InstanceState.EXITED and timestamp(str(state.get("CheckpointedAt") or "")):
        return InstanceState.CHECKPOINTED
    return known


def container(inspected: Mapping[str, Any]) -> ContainerFacts:
    """One element of `podman container inspect`. Nothing that is measured (memory, sizes, TCP) is set."""
    name = answers.name(inspected.get("Name"), "the name of a container")
    what = f"of container {name}"

    def part(section: Mapping[str, Any], key: str) -> dict[str, Any]:
        return answers.mapping(section.get(key), f"{key} {what}")

    state, config, host_config = (part(inspected, key) for key in ("State", "Config", "HostConfig"))
    networks = part(part(inspected, "NetworkSettings"), "Networks")
    upper = part(part(inspected, "GraphDriver"), "Data").get("UpperDir")
    labels, options = answers.labels(config.get("Labels"), f"the labels {what}"), options_of(inspected)
    return ContainerFacts(
        id=answers.full_id(inspected.get("Id"), f"the ID {what}"),
        name=name,
        image_id=answers.image_id(inspected.get("Image"), f"the image {what}"),
        image_name=answers.shown(inspected.get("ImageName"), f"the image {what}"),
        state=state_of(inspected),
        labels=labels,
        annotations=answers.labels(config.get("Annotations"), f"the annotations {what}"),
        oci_runtime=answers.word(inspected.get("OCIRuntime"), f"the OCI runtime {what}").rsplit("/", 1)[-1],
        pid=answers.number(state.get("Pid"), f"the process {what}", most=MOST_PID),
        exit_code=answers.number(state.get("ExitCode"), f"the exit code {what}", least=-(2**31), most=2**32),
        started_at=timestamp(answers.string(state.get("StartedAt"), f"the start {what}")),
        networks=tuple(_network(key, facts, what) for key, facts in sorted(networks.items())),
        mounts=tuple(mount(one, what) for one in answers.items(inspected.get("Mounts"), f"the mounts {what}")),
        auto_remove=bool(host_config.get("AutoRemove")),
        restart=answers.word(part(host_config, "RestartPolicy").get("Name") or "no", f"the restart policy {what}"),
        userdata=folder(inspected.get("StaticDir"), f"the folder {what}"),
        upper_dir=folder(upper, f"the upper directory {what}"),
        unit=labels.get(UNIT_LABEL, ""),
        options=options.model_copy(update={"log_goes_along": options.log_driver == CARRIED_LOG}),
    )


def _network(name: str, value: object, what: str) -> InstanceNetwork:
    facts = answers.mapping(value, f"a network {what}")
    ip = facts.get("IPAddress") or facts.get("GlobalIPv6Address")
    ip6 = facts.get("GlobalIPv6Address") if facts.get("IPAddress") else None
    mac = facts.get("MacAddress")
    return InstanceNetwork(
        name=answers.name(name, f"a network {what}"),
        ip=answers.address(ip, f"an address {what}") if ip else None,
        ip6=answers.address(ip6, f"an address {what}") if ip6 else None,
        mac=answers.mac(mac, f"a MAC address {what}") if mac else None,
    )


def containers(text: str) -> tuple[ContainerFacts, ...]:
    """`podman container inspect ID...`"""
    return tuple(container(item) for item in json_list(text.strip(), "the inspection of a container"))


def stored(text: str) -> dict[str, tuple[str, str]]:
    """Container IDs with name and image ID, from the `containers.json` of the container storage.

    Unlike all of Podman's own lists, reading it does not wait for a container that is being checkpointed.
    """
    found: dict[str, tuple[str, str]] = {}
    for line in text.splitlines():
        for item in json_list(line.strip(), "the list of containers"):
            container_id = answers.full_id(item.get("id"), "the ID of a container")
            names = answers.items(item.get("names"), "the names of a container")
            name = answers.name(names[0], "the name of a container") if names else ""
            found[container_id] = (name, answers.image_id(item.get("image"), "the image of a container"))
    return found


def images(text: str) -> tuple[ImageFacts, ...]:
    """`podman image ls --format json`"""

    return tuple(
        ImageFacts(
            id=answers.image_id(item.get("Id"), "the ID of an image"),
            names=tuple(texts(item, "Names")),
            digests=tuple(
                sorted(
                    {*texts(item, "RepoDigests"), *filter(None, [answers.word(item.get("Digest"), "a digest")])}
                )
            ),
            size_bytes=answers.number(item.get("Size"), "the size of an image"),
        )
        for item in json_list(text.strip(), "the list of images")
    )


def networks(text: str) -> tuple[NetworkFacts, ...]:
    """`podman network ls --format json`"""
    return tuple(_network_facts(item) for item in json_list(text.strip(), "the list of networks"))


def _network_facts(item: Mapping[str, Any]) -> NetworkFacts:
    name = answers.name(item.get("name"), "the name of a network")
    what = f"of network {name}"
    driver = answers.word(item.get("driver"), f"the driver {what}")
    subnets = [
        answers.mapping(s, f"a subnet {what}") for s in answers.items(item.get("subnets"), f"the subnets {what}")
    ]
    return NetworkFacts(
        name=name,
        driver=driver,
        subnets=tuple(answers.subnet(s["subnet"], f"a subnet {what}") for s in subnets if "subnet" in s),
        # For bridges this is the bridge that Podman makes itself.
        parent=(answers.word(item.get("network_interface"), f"the parent {what}") or None)
        if driver != "bridge"
        else None,
        mode=answers.word(
            answers.mapping(item.get("options"), f"the options {what}").get("mode"), f"the mode {what}"
        )
        if driver == "bridge"
        else "",
    )


def volumes(text: str) -> tuple[VolumeFacts, ...]:
    """`podman volume ls --format json`"""
    return tuple(
        VolumeFacts(
            name=answers.name(item.get("Name"), "the name of a volume"),
            mountpoint=folder(item.get("Mountpoint"), "the folder of a volume"),
            labels=answers.labels(item.get("Labels"), "the labels of a volume"),
        )
        for item in json_list(text.strip(), "the list of volumes")
    )


def cgroup_path(config: str) -> str:
    """The cgroup v2 path of a container from its OCI config: `/a/libpod-ID`, or systemd's `SLICE:PREFIX:NAME`."""
    try:
        text = str(json.loads(config)["linux"]["cgroupsPath"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    if not _CGROUP.fullmatch(text):
        return ""
    if ":" not in text:
        return text
    unit, prefix, name = text.split(":", 2)
    parts = unit.removesuffix(".slice").split("-")
    slices = ["-".join(parts[: i + 1]) + ".slice" for i in range(len(parts))]
    return "/" + "/".join([*slices, f"{prefix}-{name}.scope"])
