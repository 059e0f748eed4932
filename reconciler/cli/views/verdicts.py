"""Verdicts as a table: can this workload go to that host?"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.cli.views.layout import labelled
from reconciler.cli.views.style import paint
from reconciler.core.rules import Answer, MoveVerdict

_STYLE = {Answer.YES: "green", Answer.YES_BUT: "yellow", Answer.NO: "red"}


def verdict_table(verdicts: Sequence[MoveVerdict], color: bool) -> list[str]:
    """One row for each workload and destination, with all reasons under it."""
    names = [f"{verdict.workload} -> {verdict.destination}" for verdict in verdicts]
    width = max(map(len, names), default=0)
    lines: list[str] = []
    for name, verdict in zip(names, verdicts, strict=True):
        lines.append(f"{name:<{width}}  {paint(_STYLE[verdict.answer], verdict.answer.value, color)}")
        for finding in sorted(verdict.findings, key=lambda f: f.severity):
            mark = "!" if finding.severity == "refuse" else "-"
            said = f"accepted by the policy: {finding.message}" if finding.accepted else finding.message
            lines.append(f"  {mark} {labelled(finding.rule, said, indent=0, column=23)}")
            if finding.accepted:
                continue
            lines.append(labelled("fix", finding.fix, indent=4, column=23))
    return lines
