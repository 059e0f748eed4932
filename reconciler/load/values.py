"""Values for templates: YAML files of `--values`, then `--set name=value` over them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reconciler.errors import Diagnostic, InputError
from reconciler.load.compose import compose
from reconciler.load.files import Unreadable, read_text, shown
from reconciler.load.issues import to_diagnostic
from reconciler.load.scalars import resolve
from reconciler.load.source import Source

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*")


def read_values(files: Sequence[Path] = (), settings: Sequence[str] = ()) -> dict[str, Any]:
    """The values of all files, later ones over earlier ones, and settings such as `image.tag=7` over them.

    Raises one InputError with all findings.
    """
    values: dict[str, Any] = {}
    found: list[Diagnostic] = []
    for path in files:
        _merge(values, _file(path, found))
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not _NAME.fullmatch(name):
            message = f"`{name[:60]}` is not of the form name=value"
            found.append(Diagnostic("E134", message, "--set", hint="for example --set image.tag=7.2"))
            continue
        nested: Any = resolve(text)
        for part in reversed(name.split(".")):
            nested = {part: nested}
        _merge(values, nested)
    if found:
        raise InputError("the values cannot be used", diagnostics=found, code=found[0].code)
    return values


def _file(path: Path, found: list[Diagnostic]) -> dict[str, Any]:
    try:
        source = Source(shown(path), read_text(path))
    except Unreadable as error:
        found.append(error.diagnostic)
        return {}
    composed = compose(source.text)
    found.extend(to_diagnostic(issue, source) for issue in composed.issues)
    result: dict[str, Any] = {}
    for document in composed.documents:
        if isinstance(document.value, dict):
            _merge(result, document.value)
        elif document.value is not None:
            found.append(source.diagnostic("E134", "a values file holds one mapping", 0))
    return result


def _merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    for key, value in new.items():
        old = into.get(key)
        if isinstance(old, dict) and isinstance(value, Mapping):
            into[key] = dict(old)
            _merge(into[key], value)
        else:
            into[key] = value
