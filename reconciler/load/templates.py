"""Whether a spec file is a template, and what can be wrong with one. What renders them is loaded for them only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RenderFault(StrEnum):
    UNDEFINED = "undefined"
    SYNTAX = "syntax"
    LIMIT = "limit"
    REFUSED = "refused"


class TemplateFault(Exception):
    """A user's template cannot be rendered. `line` counts from 1; `subject` is the name it is about."""

    def __init__(
        self, fault: RenderFault, message: str, line: int = 0, *, subject: str = "", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message
        self.line = line
        self.subject = subject
        self.hint = hint


@dataclass(frozen=True)
class Rendered:
    """`lines[i]` is the line of the template that wrote line `i + 1` of `text`."""

    text: str
    lines: tuple[int, ...]


def is_template(text: str) -> bool:
    """Whether a spec file is a template: it holds `{{` or `{%`."""
    return "{{" in text or "{%" in text
