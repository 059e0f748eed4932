"""Which domains a host has, and whether one of them runs here: a copy that only comes, or has gone, does not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree.ElementTree import Element

from reconciler.core import answers
from reconciler.core.lines import numbers
from reconciler.model import domain as xml
from reconciler.model.command import Command, Program, Seconds
from reconciler.model.world import Alive, HostFacts, InstanceState, MachineFacts, RuntimeFacts
from reconciler.runtimes.libvirt import domains, places

NAME = "libvirt"
LIMIT: Seconds = 60.0
ASIDE = "_aside"
"""Ends the name of one that waits for its successor to be healthy; workloads' names have no underscore."""
ELSEWHERE = ("migrating", "post-copy", "post-copy failed", "starting up")
"""Why a domain is paused that runs on another host, or is about to run on this one."""
_VERSION = re.compile(r"libvirt (\d{1,9}(?:\.\d{1,9})+)", re.ASCII)
_STATE = re.compile(r"([a-z ]+?)(?: \((.*)\))?", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_STATES = {
    "running": InstanceState.RUNNING,
    "idle": InstanceState.RUNNING,
    "in shutdown": InstanceState.RUNNING,
    "pmsuspended": InstanceState.PAUSED,
    "paused": InstanceState.PAUSED,
    "shut off": InstanceState.EXITED,
    "crashed": InstanceState.EXITED,
}


def observe(host: HostFacts) -> Program[RuntimeFacts]:
    parts = yield from _look()
    version = _VERSION.search(parts.get("version", ""))
    return RuntimeFacts(
        version=version[1] if version else None,
        instances=tuple(one for _, one in sorted(_machines(parts).items())),
    )


def machine(name: str) -> Program[MachineFacts | None]:
    """A domain by its name; None when there is none."""
    parts = yield from _look(name)
    return _machines(parts).get(name)


def alive(workload: str) -> Program[Alive]:
    found = yield from machine(workload)
    if found is None:
        return Alive(False, False)
    return Alive(True, found.state.has_processes, detail=found.reason)


def _look(*names: str) -> Program[dict[str, str]]:
    result = yield Command(places.shell("observe", places.NOTES, *names), timeout=LIMIT)
    return answers.whole(result.stdout, "what it says of its domains")


def _machines(parts: Mapping[str, str]) -> dict[str, MachineFacts]:
    found = {}
    for title, text in parts.items():
        kind, _, name = title.partition(" ")
        if kind == "domain" and _UUID.fullmatch(name):
            one = _running(name, _read(text), parts)
            found[one.name] = one
        elif kind == "aside":
            one = _aside(answers.name(name, "the name of what was set aside"), _read(text))
            found[one.name] = one
    return found


def _read(text: str) -> Element:
    try:
        return xml.read(text.strip())
    except ValueError as error:
        raise answers.refused(text, "a domain", f"libvirt's XML ({error})") from None


def _facts(name: str, domain: Element) -> MachineFacts:
    return MachineFacts(
        id=(domain.findtext("uuid") or "").strip(),
        name=name,
        runtime=NAME,
        state=InstanceState.EXITED,
        labels=domains.labels(domain),
        networks=domains.networks(domain),
    )


def _running(uuid: str, domain: Element, parts: Mapping[str, str]) -> MachineFacts:
    name = answers.string((domain.findtext("name") or "").strip(), "the name of a domain", 256)
    said = _STATE.fullmatch(parts.get(f"state {uuid}", "").strip())
    word, reason = (said[1], said[2] or "") if said else ("", "")
    state = _STATES.get(word, InstanceState.OTHER)
    if word == "paused" and reason in ELSEWHERE:
        state = InstanceState.OTHER
    held = numbers(parts.get(f"stats {uuid}", ""), ("rss",))["rss"] * 2**10
    info = parts.get(f"info {uuid}", "")
    return _facts(name, domain).model_copy(
        update={
            "id": uuid,
            "state": state,
            "reason": answers.shown(reason, f"the state of {name}"),
            "memory_bytes": domains.memory(domain) if state.has_processes else 0,
            "resident_bytes": held,
            "persistent": re.search(r"^Persistent: +yes$", info, re.MULTILINE) is not None,
        }
    )


def _aside(name: str, domain: Element) -> MachineFacts:
    return _facts(name, domain)
