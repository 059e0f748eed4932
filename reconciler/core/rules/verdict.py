"""The answer a reader wants first: can it go there?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.plan import Finding


class Answer(StrEnum):
    YES = "yes"
    YES_BUT = "yes-but"
    NO = "no"


@dataclass(frozen=True)
class MoveVerdict:
    """Whether a workload can go to a host, with everything that was found: all at once."""

    workload: str
    destination: str
    findings: tuple[Finding, ...] = ()

    @property
    def answer(self) -> Answer:
        return verdict(self.findings)


def verdict(findings: Iterable[Finding]) -> Answer:
    """`no` when anything refuses, `yes-but` when anything warns that nobody has accepted, else `yes`."""
    severities = {finding.severity for finding in findings if not finding.accepted}
    if "refuse" in severities:
        return Answer.NO
    return Answer.YES_BUT if severities else Answer.YES
