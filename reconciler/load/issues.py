"""Issues of reading (YAML, templates) as diagnostics."""

from __future__ import annotations

import re
from typing import Final

from reconciler.errors import Diagnostic
from reconciler.load.compose import Issue, unpack
from reconciler.load.source import Source
from reconciler.load.templates import RenderFault, TemplateFault

_FAULT_CODES: Final = {
    RenderFault.UNDEFINED: "E130",
    RenderFault.SYNTAX: "E131",
    RenderFault.LIMIT: "E132",
    RenderFault.REFUSED: "E133",
}


def to_diagnostic(issue: Issue, source: Source) -> Diagnostic:
    """An issue of `compose` with its place in the file."""
    message = issue.message
    if issue.other is not None:
        line, _ = source.position(unpack(issue.other)[0])
        message = message.replace("{line}", str(line))
    return source.diagnostic(issue.code, message, *unpack(issue.place), hint=issue.hint)


def fault_diagnostic(fault: TemplateFault, source: Source) -> Diagnostic:
    """A template's fault at its line, with the caret under the name or the first expression."""
    text = source.line_text(fault.line)
    found = re.search(rf"\b{re.escape(fault.subject)}\b", text) if fault.subject else None
    found = found or re.search(r"\{[{%].*?[%}]\}", text) or re.search(r"\S.*", text)
    start, end = found.span() if found else (0, 1)
    hint = fault.hint
    if fault.fault is RenderFault.SYNTAX:
        hint = hint or "literal braces go inside {% raw %} ... {% endraw %}"
    return source.diagnostic(
        _FAULT_CODES[fault.fault], fault.message, source.index_of(fault.line, start), end - start, hint=hint
    )
