"""What a host is and holds, in four commands: markers, host and lists, containers, measurements."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from reconciler.core import answers
from reconciler.errors import HostError
from reconciler.guard import guard
from reconciler.model.base import DEFAULT_RUNTIME, NAME_PATTERN
from reconciler.model.command import Command, Program, Seconds
from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.model.world import ContainerFacts, HostFacts, InstanceState, Versions
from reconciler.runtimes.podman import parse, paths
from reconciler.runtimes.podman.noted import as_noted, notes

OLDEST_PODMAN = (4, 0)
"""First release whose `--network` takes name, address and MAC in one value."""
LISTS_LIMIT: Seconds = 60.0
MOST_WORDS = 200
_FROZEN_HOOKS = ("starting", "held")


def observe(host: str) -> Program[HostFacts]:
    shown = yield from guard.show()
    listed = yield Command(paths.shell("observe"), timeout=LISTS_LIMIT)
    parts = parse.sections(listed.stdout)
    if _check(host, parts):
        found, clock = yield from _measure(())
        return _facts(host, parts, clock, shown)
    stored = parse.stored(parts.get("stored", ""))
    held = [row.workload for row in shown if row.hook.state in _FROZEN_HOOKS and row.hook.verdict != "resume"]
    found = yield from _containers(stored, held)
    names = {c.labels[LABEL_WORKLOAD] for c in found if LABEL_WORKLOAD in c.labels}
    noted = yield from notes(sorted(name for name in names if re.fullmatch(NAME_PATTERN, name)))
    found = tuple(as_noted(container, noted) for container in found)
    found, clock = yield from _measure(found)
    return _facts(host, parts, clock, shown).model_copy(
        update={
            "disk_free_bytes": answers.number(parts.get("disk", "").strip(), "its free disk"),
            "instances": found,
            "images": parse.images(parts.get("images", "")),
            "networks": parse.networks(parts.get("networks", "")),
            "volumes": parse.volumes(parts.get("volumes", "")),
        }
    )


def _facts(host: str, parts: Mapping[str, str], clock: float, shown: Sequence[guard.Shown]) -> HostFacts:
    """What is known of any host."""
    podman = parse.version(parts.get("version podman", ""))
    return HostFacts(
        name=host,
        machine=answers.word("/".join(parts.get("machine", "").split()), "its identity"),
        arch=answers.word(parts.get("arch", "").strip(), "its architecture"),
        cpu_flags=parse.cpu_flags(parts.get("cpu", "")),
        runtimes={DEFAULT_RUNTIME: podman} if podman else {},
        versions=Versions(
            podman=podman,
            runc=parse.version(parts.get("version runc", "")),
            crun=parse.version(parts.get("version crun", "")),
            criu=parse.version(parts.get("version criu", "")),
            kernel=answers.word(parts.get("kernel", "").strip(), "its kernel"),
        ),
        features=_words(parts, "features"),
        tools=_words(parts, "tools"),
        memory_free_bytes=parse.numbers(parts.get("memory", ""), ("available",))["available"] * 1024,
        clock_s=clock,
        cgroup_version=answers.number(parts.get("cgroup", "").strip(), "its version of cgroups", most=2),
        markers=tuple(row.marker for row in shown if row.marker is not None),
    )


def _words(parts: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(answers.word(word, f"its {name}") for word in parts.get(name, "").split()[:MOST_WORDS])


def _check(host: str, parts: Mapping[str, str]) -> bool:
    """Whether there is no Podman on the host, and never was; HostError where nothing may be concluded."""
    if parts.get("uid", "").strip() != "0":
        raise HostError(
            "checkpoints need root",
            code="H211",
            where=host,
            why=f"logged in as uid {parts.get('uid', '?').strip()}",
            fix="set the Host's spec.user to root, or spec.sudo: true",
        )
    if "podman" not in parts.get("tools", "").split():
        if left := parts.get("left", "").strip():
            why = f"{answers.shown(left.splitlines()[0], 'what Podman has left')} is still there"
            raise HostError(
                "Podman is not installed", code="H210", where=host, why=why, fix="install podman again"
            )
        return True
    have = parse.version(parts.get("version podman", ""))
    if parse.version_tuple(have) < OLDEST_PODMAN:
        raise HostError(
            f"Podman {have or '(unknown)'} is too old",
            code="H212",
            where=host,
            fix="upgrade to Podman 4.0 or later",
        )
    if "end" not in parts or parts.get("podman", "").strip():
        raise HostError(
            "Podman does not answer",
            code="H215",
            where=host,
            why=parts.get("podman", "").strip() or "it stopped early",
        )
    return False


def _containers(stored: Mapping[str, tuple[str, str]], held: Sequence[str]) -> Program[tuple[ContainerFacts, ...]]:
    """All containers: held ones as they were located, locked ones by name and image only."""
    found: dict[str, ContainerFacts] = {}
    for workload in held:
        saved = yield Command(("cat", "--", paths.saved_inspection(workload)), ok=(0, 1), secret=True)
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


def _measure(
    found: tuple[ContainerFacts, ...],
) -> Program[tuple[tuple[ContainerFacts, ...], float]]:
    ours = [c for c in found if LABEL_WORKLOAD in c.labels and c.state.has_processes and c.pid]
    arguments = [text for c in ours for text in (c.id, str(c.pid), c.upper_dir or "/nonexistent")]
    measured = yield Command(paths.shell("measure", *arguments), timeout=LISTS_LIMIT)
    parts = parse.sections(measured.stdout)
    updated = []
    for facts in found:
        use = parse.numbers(parts.get(f"use {facts.id}", ""), ("processes", "memory", "rootfs"))
        updated.append(
            facts.model_copy(
                update={
                    "tcp_established": parse.tcp_established(parts.get(f"tcp {facts.id}", "")),
                    "processes": use["processes"],
                    "memory_bytes": use["memory"],
                    "rootfs_bytes": use["rootfs"],
                }
            )
        )
    return tuple(updated), answers.real(parts.get("clock", "").strip(), "its clock")
