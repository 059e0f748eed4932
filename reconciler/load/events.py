"""The only place that knows PyYAML: events from libyaml where it is there, else from the Python parser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

try:
    from yaml._yaml import CParser
except ImportError:  # PyYAML was built without libyaml: slower, same result
    CParser = None  # type: ignore[assignment,misc]

YamlError = yaml.YAMLError


class _PureParser(Reader, Scanner, Parser):
    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)


def event_reader(text: str, *, pure: bool = False) -> Callable[[], Any]:
    """A function that returns the next event, and None after the last. It raises YamlError."""
    parser = _PureParser(text) if pure or CParser is None else CParser(text)
    return parser.get_event


def is_too_deep(error: yaml.YAMLError) -> bool:
    """Whether libyaml gave up on the nesting: looking ahead, it may strike before our own limit."""
    return "nesting depth" in str(getattr(error, "problem", None) or "")


def error_place(error: yaml.YAMLError) -> tuple[int | None, str]:
    """Where reading stopped (index into the text) and what the parser says of it."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return (mark.index if mark is not None else getattr(error, "position", None)), str(problem)


def opened_at(error: yaml.YAMLError) -> int | None:
    """Where the list, mapping or quoted text began in which reading stopped."""
    context = str(getattr(error, "context", None) or "")
    mark = getattr(error, "context_mark", None)
    if mark is None or not ("flow" in context or "quoted" in context):
        return None
    return int(mark.index)
