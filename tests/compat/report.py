"""The results as people read them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from tests.compat.moving import Outcome, Verdict

BEGIN, END = "<!-- results -->", "<!-- end of results -->"


def summary(outcomes: Sequence[Outcome]) -> str:
    count = Counter(outcome.verdict for outcome in outcomes)
    lost = sum(outcome.lost for outcome in outcomes)
    verdicts = ", ".join(f"{count[verdict]} {verdict}" for verdict in get_args(Verdict))
    return f"{verdicts}; {lost} lost"


def table(outcomes: Sequence[Outcome]) -> str:
    rows = ["| program | verdict | what survived, or why not | longest wait |", "|---|---|---|---|"]
    for outcome in outcomes:
        what = short(outcome.reason) or outcome.survives
        wait = f"{outcome.longest_wait_ms / 1000:.1f} s" if outcome.longest_wait_ms is not None else ""
        rows.append(f"| {outcome.program} | {outcome.verdict} | {what.replace('|', '/')} | {wait} |")
    return "\n".join(rows)


def short(reason: str) -> str:
    """Without what only helps on the machine where it happened."""
    reason = re.sub(r"; the full log is kept there: [^ ;)]+", "", reason)
    return re.sub(r"\bput-back: [^ ]+: ", "", reason)


def write_docs(outcomes: Sequence[Outcome], path: Path) -> None:
    """Replace what is between the marks."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    body = f"{BEGIN}\n{summary(outcomes)}.\n\n{table(outcomes)}\n{END}"
    path.write_text(f"{before}{body}{after}", encoding="utf-8")
