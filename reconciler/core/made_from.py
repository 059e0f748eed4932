"""Whether an instance was made from what a spec says. Compared by meaning: its label may hold the spelling of a
user or of an earlier release, and no spelling is worth making what runs anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from reconciler.model.base import Model, canonical_json, parse_size
from reconciler.model.container import Container, PublishedPort
from reconciler.model.inplace import FIELDS, How
from reconciler.model.spec import Payload

UNORDERED = ("mounts", "volumes", "tmpfs", "devices", "groupAdd", "capAdd", "capDrop")
"""Lists whose order means nothing; nor does that of ports, which may be written as ranges."""


def changed_fields(wanted: Payload, label: str) -> list[str]:
    """Names of the fields of the section that differ from what the label says; empty ones when it cannot be
    read."""
    text = canonical_json(wanted)
    if label == text:
        return []
    try:
        made_from = json.loads(label)
    except (ValueError, RecursionError):
        return [""]
    if not isinstance(made_from, dict):
        return [""]
    desired, have = _ordered(json.loads(text)), _ordered(_normal(made_from, wanted))
    return sorted(key for key in desired.keys() | have.keys() if desired.get(key) != have.get(key))


def can_stay(wanted: Container, label: str, memory_in_use: int) -> bool:
    """Whether what differs can be changed while the container runs. A memory limit below what it holds cannot: the
    kernel would end it."""
    section = json.loads(canonical_json(wanted))
    try:
        have = _normal(json.loads(label), wanted)
    except (ValueError, RecursionError, AttributeError):
        return False
    for name in changed_fields(wanted, label):
        how = FIELDS.get(name, How.ANEW)
        if how is How.ANEW:
            return False
        if how is How.VALUE and (section.get(name) or {}).keys() != (have.get(name) or {}).keys():
            return False
    memory = wanted.limits.memory
    return memory is None or parse_size(memory) > memory_in_use


def _normal(raw: dict[str, Any], wanted: Payload) -> dict[str, Any]:
    """The section in its normal form; what this release no longer takes stays as it is. A runtime's own model is
    asked where specs are read."""
    if isinstance(wanted, dict):
        return raw
    model = type(wanted)
    try:
        return _section(raw, model)
    except ValidationError:
        pass
    found: dict[str, Any] = {}
    needed = {name: getattr(wanted, name) for name, field in model.model_fields.items() if field.is_required()}
    for key, value in raw.items():
        try:
            one = _section({**needed, key: value}, model)
        except ValidationError:
            one = {key: value}
        if key in one:
            found[key] = one[key]
    return found


def _section(raw: dict[str, Any], model: type[Model]) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(canonical_json(model.model_validate(raw)))
    return made


def _ordered(section: dict[str, Any]) -> dict[str, Any]:
    found = {
        key: sorted(value, key=canonical_json) if key in UNORDERED and isinstance(value, list) else value
        for key, value in section.items()
    }
    if isinstance(mounts := found.get("mounts"), list):
        # Whether a folder moves is about moves; the container is the same.
        without = [
            {k: v for k, v in m.items() if k not in ("move", "shared")} if isinstance(m, dict) else m
            for m in mounts
        ]
        found["mounts"] = sorted(without, key=canonical_json)
    with suppress(ValidationError, TypeError):  # what this release does not take stays as it is
        found["ports"] = sorted(_each_port(found["ports"])) if "ports" in found else []
    return found


def _each_port(ports: list[Any]) -> Iterator[tuple[str, str, int, int]]:
    for one in map(PublishedPort.model_validate, ports):
        for host, container in one.pairs:
            yield one.protocol, one.address or "", host, container
