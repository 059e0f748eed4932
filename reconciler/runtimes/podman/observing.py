"""What Podman has on a host: its lists, then containers, then measurements of those that run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from reconciler.core import answers
from reconciler.errors import HostError
from reconciler.model.base import NAME_PATTERN
from reconciler.model.command import Command, Program, Seconds
from reconciler.model.inplace import LOSES_UPDATES
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.world import ContainerFacts, HostFacts, InstanceState, RuntimeFacts
from reconciler.runtimes.oci.engine import saved_inspection
from reconciler.runtimes.oci.measuring import measured
from reconciler.runtimes.podman import parse, paths
from reconciler.runtimes.podman.noted import as_noted, notes

OLDEST_PODMAN = (4, 0)
"""First release whose `--network` takes name, address and MAC in one value."""
LISTS_LIMIT: Seconds = 60.0


def observe(host: HostFacts) -> Program[RuntimeFacts]:
    listed = yield Command(paths.shell("observe"), timeout=LISTS_LIMIT)
    parts = parse.sections(listed.stdout)
    if "gone" in parts:
        return _gone(host.name, parts)
    version = parse.version(parts.get("version podman", ""))
    _check(host.name, version, parts)
    found = yield from _containers(parse.stored(parts.get("stored", "")), host.holds)
    names = {c.labels[LABEL_WORKLOAD] for c in found if LABEL_WORKLOAD in c.labels}
    noted = yield from notes(sorted(name for name in names if re.fullmatch(NAME_PATTERN, name)))
    found = tuple(as_noted(container, noted) for container in found)
    found = yield from measured(found, paths.shell("measure"), LISTS_LIMIT)
    return RuntimeFacts(
        version=version,
        versions={name: parse.version(parts.get(f"version {name}", "")) for name in ("runc", "crun")},
        settings=() if parse.keeps_updates(version) else (LOSES_UPDATES,),
        disk_free_bytes=answers.number(parts.get("disk", "").strip(), "the free disk of its storage"),
        instances=found,
        images=parse.images(parts.get("images", "")),
        networks=parse.networks(parts.get("networks", "")),
        volumes=parse.volumes(parts.get("volumes", "")),
    )


def _gone(host: str, parts: Mapping[str, str]) -> RuntimeFacts:
    """A host without Podman has none of its containers, unless it had it before: what is left may run, and nobody
    can be asked."""
    monitors = parts.get("monitors", "").split()
    if "end" in parts and not monitors and not parse.stored(parts["gone"]):
        return RuntimeFacts()
    why = "conmon runs" if monitors else "its storage has containers" if "end" in parts else "it stopped early"
    raise HostError(
        "Podman is not there, but was",
        code="H210",
        where=host,
        why=why,
        fix="apt-get install podman, or move its storage away: mv /var/lib/containers/storage /root/",
    )


def _check(host: str, version: str, parts: Mapping[str, str]) -> None:
    if parse.version_tuple(version) < OLDEST_PODMAN:
        raise HostError(
            f"Podman {version or '(unknown)'} is too old",
            code="H212",
            where=host,
            fix="upgrade to Podman 4.0 or later",
        )
    if "end" not in parts or parts.get("podman", "").strip():
        why = answers.shown(parts.get("podman", "").strip(), "what Podman says")
        raise HostError("Podman does not answer", code="H215", where=host, why=why or "it stopped early")


def _containers(stored: Mapping[str, tuple[str, str]], held: Sequence[str]) -> Program[tuple[ContainerFacts, ...]]:
    """All containers: held ones as they were located, locked ones by name and image only."""
    found: dict[str, ContainerFacts] = {}
    for workload in held:
        saved = yield Command(("cat", "--", saved_inspection(workload)), ok=(0, 1), secret=True)
        for facts in _parsed(saved.stdout):
            if facts.id in stored:
                found[facts.id] = facts.model_copy(update={"state": InstanceState.HELD})
    asked = sorted(stored.keys() - found.keys())
    if asked:
        inspected = yield Command(paths.shell("inspect", *asked), secret=True)
        for text in parse.sections(inspected.stdout).values():
            found.update((facts.id, facts) for facts in _parsed(text))
    for container_id in asked:
        if container_id not in found and container_id in _still_stored(asked, stored):
            name, image = stored[container_id]
            found[container_id] = ContainerFacts(
                id=container_id, name=name, image_id=image, state=InstanceState.OTHER
            )
    return tuple(sorted(found.values(), key=lambda facts: (facts.name, facts.id)))


def _still_stored(asked: Sequence[str], stored: Mapping[str, tuple[str, str]]) -> set[str]:
    return {container_id for container_id in asked if stored[container_id][0]}


def _parsed(text: str) -> tuple[ContainerFacts, ...]:
    try:
        return parse.containers(text)
    except answers.NotJson:  # nothing, or no more than a part of it: Podman waited for the container
        return ()
