"""`tend ... --json`: what watches were told, and what they remember."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from reconciler.cli.views.output.base import Document, Part, moment
from reconciler.model.notes import Notes, Word


class SaidOf(Part):
    """What a person said of a target."""

    target: str = Field(description="`workload/NAME`, `host/NAME`, `host/CLUSTER/NODE` or `all`")
    reason: str
    by: str
    since: str
    until: str | None = Field(description="null: until it is taken back")


class PutBackRow(Part):
    """A change that was put back, and is not tried again until its specs change."""

    workload: str
    at: str
    run: str
    why: str
    commit: str | None


class FencedRow(Part):
    """A host that a watch has cut off by itself, until it answers again."""

    host: str
    since: str


class TendDocument(Document):
    """`reconcile tend ... --json`"""

    command: Literal["tend suspend", "tend resume", "tend retry", "tend open", "tend show"]
    suspended: tuple[SaidOf, ...]
    opened: tuple[SaidOf, ...] = Field(description="What windows do not keep from being changed")
    put_back: tuple[PutBackRow, ...]
    fenced: tuple[FencedRow, ...]


def tend_document(
    command: Literal["tend suspend", "tend resume", "tend retry", "tend open", "tend show"], notes: Notes
) -> TendDocument:
    return TendDocument(
        exit_code=0,
        command=command,
        suspended=_said(notes.suspended),
        opened=_said(notes.opened),
        put_back=tuple(
            PutBackRow(workload=n, at=moment(p.at) or "", run=p.run, why=p.why, commit=p.commit)
            for n, p in sorted(notes.put_back.items())
        ),
        fenced=tuple(FencedRow(host=n, since=moment(at) or "") for n, at in sorted(notes.fenced.items())),
    )


def _said(words: Mapping[str, Word]) -> tuple[SaidOf, ...]:
    return tuple(
        SaidOf(target=t, reason=w.reason, by=w.by, since=moment(w.since) or "", until=moment(w.until))
        for t, w in sorted(words.items())
    )
