"""What the guard on a host says: the shapes of its answers, and reading them, each field by its type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from reconciler.core import answers
from reconciler.model.command import Result, Seconds
from reconciler.model.world import Marker

NONE = "none"
"""The phase of a workload that has no marker here."""
Role = Literal["source", "destination", "owner"]


@dataclass(frozen=True)
class Hook:
    """The state of a hold on a host.

    `state`: `none`, `starting` (being dumped), `held`, `ended` (the checkpoint command has; see `status`) or
    `lost` (reboot, killed). `verdict`: ``, `resume` or `commit`; `final`: ``, `resume` or `release`.
    """

    state: str = NONE
    held_s: Seconds = 0.0
    silent_s: Seconds = 0.0
    verdict: str = ""
    final: str = ""
    status: int | None = None


@dataclass(frozen=True)
class Shown:
    """What a host knows of a workload. `marker` is None where there is none; a broken one says why."""

    workload: str
    marker: Marker | None
    hook: Hook


@dataclass(frozen=True)
class HoldOutcome:
    """How a checkpoint command stands after `hold`, `release` or `resume`.

    `what`: hold answers `held` (frozen, images complete), `exited` (see `status`; 0: dumped and stopped) or
    `resumed` (the hook let go again); release answers `exited` or `gone`; resume answers `resumed` (it runs
    on), `running` (it never was held) or `gone` (nothing frozen is left: restore from the images).
    `tail`: the last lines the command printed.
    """

    what: str
    status: int | None
    waited_s: Seconds
    tail: str = ""


def row_of(line: str) -> dict[str, Any]:
    return answers.mapping(answers.parsed(line, "a line of the guard"), "a line of the guard")


def shown_of(line: str) -> Shown:
    row = row_of(line)
    name = answers.name(row.get("workload"), "a marker's workload")
    marker: Marker | None = None
    if row.get("broken") or row.get("phase") != NONE:
        marker = Marker(
            workload=name,
            epoch=answers.number(row.get("epoch"), f"the epoch of {name}"),
            phase=answers.word(row.get("phase"), f"the phase of {name}"),
            role=cast(Role, answers.one_of(row.get("role"), f"the role of {name}", get_args(Role))),
            run=answers.word(row.get("run"), f"the run of {name}"),
            peer=answers.word(row.get("peer"), f"the peer of {name}"),
            broken=answers.shown(row.get("broken"), f"the marker of {name}"),
            newer=answers.word(row.get("newer"), f"the marker's format of {name}"),
        )
    return Shown(name, marker, hook_of(row))


def hook_of(row: Mapping[str, Any]) -> Hook:
    return Hook(
        state=answers.word(row.get("hook"), "the state of a hold"),
        held_s=answers.real(row.get("held_cs"), "the time of a hold") / 100,
        silent_s=answers.real(row.get("silent_cs"), "the time of a hold") / 100,
        verdict=answers.word(row.get("verdict"), "the verdict on a hold"),
        final=answers.word(row.get("final"), "the verdict on a hold"),
        status=status_of(row.get("status")),
    )


def status_of(value: object) -> int | None:
    return None if value is None else answers.number(value, "an exit status", most=255)


def outcome_of(result: Result) -> HoldOutcome:
    first, _, tail = result.stdout.partition("\n")
    row = row_of(first)
    waited = answers.real(row.get("waited_ms"), "the time of a hold") / 1000
    what = answers.word(row.get("outcome"), "the outcome of a hold")
    return HoldOutcome(what, status_of(row.get("status")), waited, tail.strip())
