"""`drain --json`: what was moved off a node, and what has to stay there."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reconciler.cli.views.output.apply import DoneRun, done_run
from reconciler.cli.views.output.base import Document, Finding, Part, untidied
from reconciler.commands.drain import Drained
from reconciler.model.ending import Ending


class StayingWorkload(Part):
    """A workload that no other node takes."""

    workload: str
    why: str


class DrainDocument(Document):
    """`reconcile drain --json`"""

    command: Literal["drain"] = "drain"
    place: str = Field(description="CLUSTER/NODE")
    cordoned: bool = Field(description="Whether it takes nothing new now")
    staying: tuple[StayingWorkload, ...]
    strangers: tuple[str, ...] = Field(description="Machines there that no spec names: NAMESPACE/NAME")
    state: Ending
    applied: DoneRun | None = Field(description="How the moves ended; null when nothing was begun")
    untidied: tuple[Finding, ...]


def drain_document(drained: Drained, ending: Ending) -> DrainDocument:
    staying = sorted(drained.draining.nowhere.items())
    return DrainDocument(
        exit_code=ending.exit_code,
        state=ending,
        place=drained.place,
        cordoned=drained.cordoned,
        staying=tuple(StayingWorkload(workload=name, why=why) for name, why in staying),
        strangers=drained.draining.strangers,
        applied=done_run(drained.applied, drained.applied.ending()) if drained.applied else None,
        untidied=tuple(map(untidied, drained.applied.untidied if drained.applied else ())),
    )


def given_back_document(place: str, cordoned: bool) -> DrainDocument:
    return DrainDocument(
        exit_code=0,
        place=place,
        cordoned=cordoned,
        staying=(),
        strangers=(),
        state=Ending.DONE,
        applied=None,
        untidied=(),
    )
