"""Objects of Kubernetes and KubeVirt as far as anybody here reads them, each value checked where it comes in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from reconciler.core import answers
from reconciler.model.command import Result, Seconds

Object = Mapping[str, Any]

UNFINISHED_PODS = ("Pending", "Running")
FINAL = ("Succeeded", "Failed")
LAUNCHER = "kubevirt.io=virt-launcher"
CREATED_BY = "kubevirt.io/created-by"
JOB_UID = "kubevirt.io/migrationJobUID"
HOSTNAME = "kubernetes.io/hostname"


@dataclass(frozen=True)
class Reading:
    """One object; its parts by name, and what it is called in errors."""

    raw: Object

    @classmethod
    def of(cls, result: Result, what: str) -> Reading:
        return cls(answers.mapping(answers.parsed(result.stdout, what), what))

    def part(self, *path: str) -> Object:
        here: Object = self.raw
        for name in path:
            here = answers.mapping(here.get(name), name)
        return here

    @cached_property
    def metadata(self) -> Object:
        return self.part("metadata")

    @property
    def name(self) -> str:
        return answers.name(self.metadata.get("name"), "a name")

    @property
    def namespace(self) -> str:
        return answers.word(self.metadata.get("namespace"), "a namespace")

    @property
    def uid(self) -> str:
        return answers.word(self.metadata.get("uid"), "a UID")

    @cached_property
    def labels(self) -> dict[str, str]:
        return answers.labels(self.metadata.get("labels"), "labels")

    @cached_property
    def annotations(self) -> dict[str, str]:
        return answers.labels(self.metadata.get("annotations"), "annotations")

    @property
    def deleting(self) -> bool:
        return bool(self.metadata.get("deletionTimestamp"))

    @property
    def phase(self) -> str:
        return answers.word(self.part("status").get("phase"), "a phase")

    def text(self, *path: str) -> str:
        """Text that goes into sentences only."""
        return answers.shown(self.part(*path[:-1]).get(path[-1]), path[-1])

    def word(self, *path: str) -> str:
        return answers.word(self.part(*path[:-1]).get(path[-1]), path[-1])

    def flag(self, *path: str) -> bool:
        return self.part(*path[:-1]).get(path[-1]) is True

    def time(self, *path: str) -> Seconds:
        return moment(self.part(*path[:-1]).get(path[-1]))

    def condition(self, kind: str) -> Reading:
        """The condition of that type; an empty one where there is none."""
        for one in answers.items(self.part("status").get("conditions"), "conditions"):
            found = answers.mapping(one, "a condition")
            if found.get("type") == kind:
                return Reading(found)
        return Reading({})


def readings(result: Result, what: str) -> list[Reading]:
    """The items of a list."""
    listed = answers.mapping(answers.parsed(result.stdout, what), what)
    return [Reading(answers.mapping(one, what)) for one in answers.items(listed.get("items"), what)]


def moment(value: object) -> Seconds:
    """A time in seconds since the epoch; 0 for none."""
    if not value:
        return 0.0
    try:
        return datetime.fromisoformat(str(value).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError, OSError):
        raise answers.refused(value, "a time", "one as RFC 3339 writes it") from None


@dataclass(frozen=True)
class Pod:
    """A launcher pod. `job`: the UID of the migration that it was made for. `unplaced`: why no node takes it, and
    since when. `killed`: when its kubelet kills what of it has not ended by itself; 0: nobody has deleted it."""

    name: str
    node: str
    phase: str
    job: str
    owner: str
    unplaced: str = ""
    since: Seconds = 0.0
    killed: Seconds = 0.0

    @property
    def active(self) -> bool:
        return self.phase in UNFINISHED_PODS

    @property
    def runs(self) -> bool:
        return self.phase == "Running"


def pod_of(found: Reading) -> Pod:
    placed = found.condition("PodScheduled")
    unplaced = placed.raw.get("status") == "False"
    return Pod(
        name=found.name,
        node=answers.word(found.part("spec").get("nodeName"), "a node"),
        phase=found.phase,
        job=answers.word(found.labels.get(JOB_UID), "a migration"),
        owner=answers.word(found.labels.get(CREATED_BY), "a machine"),
        unplaced=(placed.text("message") or placed.text("reason") or "no reason is given") if unplaced else "",
        since=placed.time("lastTransitionTime") if unplaced else 0.0,
        killed=found.time("metadata", "deletionTimestamp"),
    )
