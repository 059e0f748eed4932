"""The payload of a workload that is a virtual machine of KubeVirt, in a cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, JsonValue, model_validator

from reconciler.model.base import Model, canonical_json
from reconciler.model.cluster import Namespace
from reconciler.model.health import HealthCheck

OBJECT_NAME = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
MOST_STORED = 192 * 2**10
"""Bytes that a manifest takes in annotations, of which a cluster takes 256 KiB for an object. The rest is for
markers, for what others write there, and for an old manifest that takes them otherwise than the new one."""
OURS = ("apiVersion", "kind", "status")
RUNNING = ("running", "runStrategy")


class ClusterMachine(Model):
    """A VirtualMachine object. Without a manifest only where it runs, and whether, is declared."""

    namespace: Namespace | None = Field(None, description="Unset: the cluster's")
    name: Annotated[str, Field(pattern=OBJECT_NAME, max_length=253)]
    manifest: dict[str, JsonValue] | None = Field(
        None,
        description="Labels and annotations under `metadata`, and the VirtualMachine's `spec`, without `running`"
        " and `runStrategy`: it is made from this, and kept so",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.manifest is None:
            return self
        wanted = self.manifest
        if unknown := sorted(wanted.keys() - {"metadata", "spec"}):
            raise ValueError(f"`manifest` holds `metadata` and `spec`, not `{unknown[0]}`")
        spec, metadata = wanted.get("spec"), wanted.get("metadata", {})
        if not isinstance(spec, dict) or not isinstance(spec.get("template"), dict):
            raise ValueError("`manifest.spec` needs a `template`")
        if found := [key for key in RUNNING if key in spec]:
            raise ValueError(f"`manifest.spec.{found[0]}` is what `state` says")
        if not isinstance(metadata, dict) or metadata.keys() - {"labels", "annotations"}:
            raise ValueError("`manifest.metadata` holds `labels` and `annotations` only")
        if (bytes_there := stored(wanted)) > MOST_STORED:
            raise ValueError(
                f"`manifest` would take {bytes_there} bytes of annotations, where it is kept for drift, for the"
                f" way back and for moves, and at most {MOST_STORED} fit: have long texts (cloud-init) in a Secret"
            )
        return self

    @property
    def address(self) -> None:
        """Where it answers is the cluster's affair."""
        return None

    @property
    def files(self) -> tuple[str, ...]:
        """Nothing of it has to be on a node before it comes: volumes are the cluster's."""
        return ()

    @property
    def bridges(self) -> tuple[str, ...]:
        return ()

    def can_be_asked(self, check: HealthCheck) -> None:
        """ValueError: its readiness is KubeVirt's own to ask."""
        raise ValueError("`health` is not asked of KubeVirt's machines: give the manifest a `readinessProbe`")


def stored(manifest: Mapping[str, Any]) -> int:
    """Bytes of all that is kept of it in annotations at once: what it was made from, now and before an update, the
    dossier of a move as text in text, and its own annotations."""
    note = len(canonical_json(manifest).encode())
    dossier = len(json.dumps(json.dumps(manifest)))
    own = manifest.get("metadata") or {}
    return 2 * note + dossier + len(json.dumps(own.get("annotations") or {}, ensure_ascii=False).encode())


def kind_of(value: Any) -> str:
    """Which of the two kinds of virtual machine a section `virtualMachine` is about: libvirt's has a domain."""
    if isinstance(value, dict):
        return "kubevirt" if "name" in value and "domain" not in value else "libvirt"
    return "kubevirt" if isinstance(value, ClusterMachine) else "libvirt"
