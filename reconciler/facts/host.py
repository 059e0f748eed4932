"""A host by itself, looked at once for all runtimes; each of them adds what it has there."""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.core import answers
from reconciler.core.lines import numbers, sections, version
from reconciler.errors import HostError
from reconciler.guard import guard
from reconciler.model.command import Command, Program, Seconds
from reconciler.model.world import HostFacts
from reconciler.resources import host_script

LIMIT: Seconds = 60.0
MOST_WORDS = 200
_FROZEN_HOOKS = ("starting", "held")


def look(host: str) -> Program[HostFacts]:
    """A host without what runtimes have on it. Changes nothing. HostError where nobody is root there."""
    listed = yield Command(("/bin/sh", "-c", host_script("host", "facts"), "facts"), timeout=LIMIT)
    parts = sections(listed.stdout)
    if parts.get("uid", "").strip() != "0":
        raise HostError(
            "checkpoints need root",
            code="H211",
            where=host,
            why=f"logged in as uid {answers.shown(parts.get('uid', '?').strip(), 'the user')}",
            fix="set the Host's spec.user to root, or spec.sudo: true",
        )
    if "end" not in parts:
        raise answers.refused("", "what it says of itself", "an answer to its end")
    shown = yield from guard.show()
    return HostFacts(
        name=host,
        machine=answers.word("/".join(parts.get("machine", "").split()), "its identity"),
        arch=answers.word(parts.get("arch", "").strip(), "its architecture"),
        cpu_flags=cpu_flags(parts.get("cpu", "")),
        versions={
            "criu": version(parts.get("version criu", "")),
            "kernel": answers.word(parts.get("kernel", "").strip(), "its kernel"),
        },
        features=_words(parts, "features"),
        tools=_words(parts, "tools"),
        memory_free_bytes=numbers(parts.get("memory", ""), ("available",))["available"] * 1024,
        disk_free_bytes=answers.number(parts.get("disk", "").strip(), "its free disk"),
        clock_s=answers.real(parts.get("clock", "").strip(), "its clock"),
        cgroup_version=answers.number(parts.get("cgroup", "").strip(), "its version of cgroups", most=2),
        markers=tuple(row.marker for row in shown if row.marker is not None),
        holds=tuple(
            row.workload for row in shown if row.hook.state in _FROZEN_HOOKS and row.hook.verdict != "resume"
        ),
    )


def _words(parts: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(answers.word(word, f"its {name}") for word in parts.get(name, "").split()[:MOST_WORDS])


def cpu_flags(text: str) -> tuple[str, ...]:
    """The flags of the first CPU in /proc/cpuinfo."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return tuple(sorted(set(re.findall(r"[\w.]+", value, re.ASCII))))
    return ()
