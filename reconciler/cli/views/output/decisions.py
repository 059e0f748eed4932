"""`resolve --json`, `fence --json` and `forget --json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from reconciler.cli.views.output.base import Document, Finding, Part, known, untidied
from reconciler.commands.decided import Decided
from reconciler.commands.fencing import Fenced


class Decision(Part):
    """What was decided about a workload."""

    workload: str
    decided: bool = Field(description="false: only its files are left, and `next` is to be run")
    owner: str | None = Field(description="The host that it belongs to and runs on; null when it was given up")
    cold: bool = Field(description="Whether it was started anew, from its files")
    fenced: tuple[str, ...] = Field(description="Hosts that cannot have it any more")
    unasked: tuple[str, ...] = Field(description="Hosts that did not answer")
    kept: tuple[str, ...] = Field(description="Hosts where something is left of its container")
    evidence: str
    untidied: tuple[Finding, ...]
    next: str | None = Field(description="The command to run now, if there is one")


class ResolveDocument(Document):
    """`reconcile resolve --json`"""

    command: Literal["resolve"] = "resolve"
    decision: Decision


class ForgetDocument(Document):
    """`reconcile forget --json`"""

    command: Literal["forget"] = "forget"
    host: str
    decisions: tuple[Decision, ...] = Field(description="Empty when nothing was open with it")


class FenceDocument(Document):
    """`reconcile fence --json`"""

    command: Literal["fence"] = "fence"
    host: str
    said: str = Field(description="What `fencing.verify` printed")
    took_s: float = Field(description="What it took until that was confirmed")


def fence_document(done: Fenced) -> FenceDocument:
    return FenceDocument(exit_code=0, host=done.host, said=done.said, took_s=known(done.seconds))


def resolve_document(decided: Decided, exit_code: int) -> ResolveDocument:
    return ResolveDocument(exit_code=exit_code, decision=_decision(decided))


def forget_document(host: str, done: Sequence[Decided], exit_code: int) -> ForgetDocument:
    return ForgetDocument(exit_code=exit_code, host=host, decisions=tuple(_decision(one) for one in done))


def _decision(decided: Decided) -> Decision:
    return Decision(
        workload=decided.workload,
        decided=not decided.open,
        owner=decided.owner or None,
        cold=decided.cold,
        fenced=decided.fenced,
        unasked=decided.unasked,
        kept=decided.kept,
        evidence=decided.evidence,
        untidied=tuple(untidied(left) for left in decided.untidied),
        next=decided.next or None,
    )
