"""`watch --json`: how things stood when it ended."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reconciler.cli.views.output.base import Document, Part, UnknownHost
from reconciler.core.tending import Cause
from reconciler.watch.loop import Stand


class WaitingRow(Part):
    """A workload that is not as the specs want it, and is left so for now."""

    workload: str
    cause: Cause
    why: str


class WatchDocument(Document):
    """`reconcile watch --json`"""

    command: Literal["watch"] = "watch"
    converged: bool = Field(description="Whether all was as the specs wanted it")
    commit: str | None = Field(description="Of the specs; null outside git")
    waiting: tuple[WaitingRow, ...]
    unknown_hosts: tuple[UnknownHost, ...]


def watch_document(stand: Stand, exit_code: int) -> WatchDocument:
    return WatchDocument(
        exit_code=exit_code,
        converged=stand.converged,
        commit=stand.spec.commit if stand.spec else None,
        waiting=tuple(WaitingRow(workload=w.workload, cause=w.cause, why=w.why) for w in stand.waits),
        unknown_hosts=tuple(
            UnknownHost(host=name, code=code, reason=reason)
            for name, (code, reason) in sorted(stand.unknown.items())
        ),
    )
