"""Manifests: the object that is applied, and whether what is there still is what was applied."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.core.quantity import quantity
from reconciler.errors import HostError
from reconciler.model.base import canonical_json
from reconciler.model.cluster_machine import ClusterMachine
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.resources import VM
from reconciler.model.spec import Workload
from reconciler.runtimes.kubevirt.objects import Reading

HALTED = "Halted"
MOST_DRIFT = 8


def machine_of(workload: Workload) -> ClusterMachine:
    found = workload.spec.virtual_machine
    assert isinstance(found, ClusterMachine), workload.metadata.name
    return found


def body(workload: Workload, namespace: str, strategy: str) -> str:
    return body_of(machine_of(workload), workload.metadata.name, namespace, strategy)


def body_of(wanted: ClusterMachine, workload: str, namespace: str, strategy: str) -> str:
    """What is applied: the manifest, with the marks by which we know it again. How it is kept running is what
    `state` says, and stays as it is."""
    manifest = wanted.manifest or {}
    metadata, spec = _mapping(manifest.get("metadata")), _mapping(manifest.get("spec"))
    labels = {**_mapping(metadata.get("labels")), LABEL_WORKLOAD: workload}
    annotations = {**_mapping(metadata.get("annotations")), LABEL_SPEC: canonical_json(wanted)}
    return json.dumps(
        {
            "apiVersion": VM.api_version,
            "kind": VM.kind,
            "metadata": {
                "name": wanted.name,
                "namespace": namespace,
                "labels": labels,
                "annotations": annotations,
            },
            "spec": {**spec, "runStrategy": strategy},
        }
    )


def as_it_is(made_from: str, vm: Reading) -> tuple[str, tuple[str, ...]]:
    """The section it was made from, with what somebody has changed since in it, so that it differs from any spec
    that wants it as it was; and the names of those fields."""
    try:
        section = json.loads(made_from)
        manifest = section.get("manifest") or {}
        found = list(_differing(_mapping(manifest.get("spec")), vm.part("spec"), "spec"))
        metadata = _mapping(manifest.get("metadata"))
        for part in ("labels", "annotations"):
            found += _differing(_mapping(metadata.get(part)), _mapping(vm.metadata.get(part)), f"metadata.{part}")
    except (ValueError, TypeError, AttributeError, RecursionError):
        return "", ("its annotation",)
    if not found:
        return made_from, ()
    return canonical_json({**section, "manifest": {**manifest, "drift": found[:MOST_DRIFT]}}), tuple(found)


def _differing(wanted: Any, have: Any, where: str) -> Iterator[str]:
    """Fields that we applied and that are otherwise now; what others have added is theirs. Lists are compared item
    by item, by name where they have names."""
    if isinstance(wanted, Mapping):
        if not isinstance(have, Mapping):
            yield where
            return
        for key, value in wanted.items():
            yield from _differing(value, have.get(key), f"{where}.{key}")
    elif isinstance(wanted, list):
        there = have if isinstance(have, list) else []
        if have is not None and have is not there:
            yield where
            return
        named = {name: one for one in there if (name := _name(one))}
        for number, one in enumerate(wanted):
            name = _name(one)
            other = named.get(name) if name else (there[number] if number < len(there) else None)
            yield from _differing(one, other, f"{where}[{name or number}]")
    elif wanted != have and not _same_quantity(wanted, have):
        yield where


def _name(one: object) -> str:
    name = one.get("name") if isinstance(one, Mapping) else None
    return name if isinstance(name, str) else ""


def _same_quantity(wanted: object, have: object) -> bool:
    """1024Mi and 1Gi are one: the API server writes quantities in its own way."""
    if not isinstance(wanted, str | int) or not isinstance(have, str | int) or isinstance(wanted, bool):
        return False
    try:
        return quantity(wanted, "a quantity") == quantity(have, "a quantity") != 0
    except HostError:  # plain text, and that differs
        return False


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
