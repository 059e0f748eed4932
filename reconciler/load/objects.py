"""One document to one object: envelope, model, secrets. Findings carry file, line and column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from reconciler.errors import Diagnostic
from reconciler.load.compose import Places, YamlDocument, unpack
from reconciler.load.messages import Loc, SchemaFinding, close, findings
from reconciler.load.source import SECRET_NAME, Source
from reconciler.model.base import API_VERSION
from reconciler.model.spec import KINDS, PAYLOADS, AnyKind, Origin

_REQUIRED: Final = ("apiVersion", "kind")
_HARMLESS: Final = frozenset({"", "true", "false", "yes", "no", "on", "off", "0", "1", "none"})
_URL_SECRET = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
_ENVS: Final = tuple(("spec", section, "env") for section in PAYLOADS)
"""Where the environment of what runs may stand."""
_ORIGIN_DEPTH: Final = 3


@dataclass(slots=True)
class Entry:
    """An object as found in a file. `model` is None when the document is not valid."""

    kind: str
    name: str
    source: Source
    places: Places
    model: AnyKind | None = None

    def place(self, *loc: str | int, on_key: bool = False) -> tuple[int, int]:
        return locate(self.places, loc, on_key)

    def diagnostic(
        self, code: str, message: str, *loc: str | int, on_key: bool = False, hint: str = ""
    ) -> Diagnostic:
        return self.source.diagnostic(code, message, *self.place(*loc, on_key=on_key), hint=hint)

    def where(self, *loc: str | int) -> str:
        """`file:line` of a field, for messages that name a second place."""
        line, _ = self.source.position(self.place(*loc)[0])
        return f"{self.source.file}:{line}"

    def origins(self) -> Iterator[tuple[str, Origin]]:
        """Places of the object and of its fields, three names deep: `spec.placement.host`."""
        head = f"{self.kind}/{self.name}"
        yield head, self._origin(self.places.place)
        pending: list[tuple[str, Places, int]] = [(f"{head}/", self.places, 1)]
        while pending:
            prefix, places, depth = pending.pop()
            for key, place in (places.keys or {}).items():
                yield prefix + key, self._origin(place)
                below = places.items.get(key)  # type: ignore[union-attr]
                if depth < _ORIGIN_DEPTH and isinstance(below, Places) and below.keys:
                    pending.append((f"{prefix}{key}.", below, depth + 1))

    def _origin(self, place: int) -> Origin:
        line, col = self.source.position(unpack(place)[0])
        return Origin.model_construct(file=self.source.file, line=line, col=col)


@dataclass
class Checked:
    entry: Entry | None = None
    diagnostics: list[Diagnostic] = field(default_factory=list)


def locate(places: Places | int, loc: Loc, on_key: bool = False) -> tuple[int, int]:
    """Index and length of the value at `loc`, or of the deepest part of it that exists."""
    here: Places | int = places
    key_place: int | None = None
    for part in loc:
        if not isinstance(here, Places):
            break
        if isinstance(part, str) and here.keys is not None and part in here.items:
            key_place = here.keys.get(part)
            here = here.items[part]  # type: ignore[call-overload]
        elif isinstance(part, int) and here.keys is None and part < len(here.items):
            key_place = None
            here = here.items[part]  # type: ignore[index]
        else:
            break
    if on_key and key_place is not None:
        return unpack(key_place)
    return unpack(here.place if isinstance(here, Places) else here)


def check(document: YamlDocument, source: Source) -> Checked:
    """The object of a document, and all that is wrong with it."""
    result = Checked()
    value, places = document.value, document.places
    if not isinstance(value, dict) or not isinstance(places, Places):
        hint = "each document is a mapping with apiVersion, kind, metadata and spec"
        index, length = locate(places, ())
        result.diagnostics.append(source.diagnostic("E117", "not an object", index, length, hint=hint))
        return result
    kind = value.get("kind")
    result.diagnostics.extend(_envelope(value, places, source))
    model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None or not isinstance(kind, str):
        return result
    result.entry = Entry(kind, _name_of(value), source, places)
    secret = list(_secrets(value)) if kind == "Workload" else []
    try:
        result.entry.model = model.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        for finding in findings(error, model):
            envelope = finding.loc[:1] == ("apiVersion",) or (not finding.loc and finding.code == "E106")
            if envelope or finding.loc[:4] in secret:
                continue
            result.diagnostics.append(as_diagnostic(finding, value, places, source))
    result.diagnostics.extend(_secret_diagnostic(loc, places, source) for loc in secret)
    if result.diagnostics:
        result.entry.model = None
    return result


def _name_of(value: dict[str, Any]) -> str:
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def _envelope(value: dict[str, Any], places: Places, source: Source) -> Iterator[Diagnostic]:
    for name in _REQUIRED:
        if name not in value:
            yield source.diagnostic("E106", f"`{name}` is missing", *unpack(places.place))
    version, kind = value.get("apiVersion"), value.get("kind")
    if "apiVersion" in value and version != API_VERSION:
        at = locate(places, ("apiVersion",))
        yield source.diagnostic(
            "E109", f"unknown apiVersion {_shown(source, *at)}", *at, hint=f"known: {API_VERSION}"
        )
    if "kind" in value and (not isinstance(kind, str) or kind not in KINDS):
        at = locate(places, ("kind",))
        hint = (close(kind, KINDS) if isinstance(kind, str) else "") or f"known: {', '.join(KINDS)}"
        yield source.diagnostic("E108", f"unknown kind {_shown(source, *at)}", *at, hint=hint)


def as_diagnostic(finding: SchemaFinding, value: Any, places: Places, source: Source) -> Diagnostic:
    """A finding where it stands in a file."""
    index, length = locate(places, finding.loc, finding.on_key)
    named = any(isinstance(part, str) and SECRET_NAME.search(part) for part in finding.loc)
    hide = locate(places, finding.loc) if named else None
    message = finding.message
    if "{shown}" in message:
        here = locate_value(value, finding.loc)
        if isinstance(here, list | dict):
            shown = "a list" if isinstance(here, list) else "a mapping"
        else:
            shown = "what stands here" if named else _shown(source, index, length)
        message = message.replace("{shown}", shown)
    hint = "" if named and finding.code == "E104" else finding.hint
    return source.diagnostic(finding.code, message, index, length, hint=hint, hide=hide)


def locate_value(value: Any, loc: Loc) -> Any:
    for part in loc:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _shown(source: Source, index: int, length: int) -> str:
    """A value as the user wrote it, on one short line."""
    text = source.slice(index, length).strip()
    if not text:
        return "an empty value"
    first = text.split("\n", 1)[0]
    return f"`{first[:60]}...`" if first != text or len(text) > 60 else f"`{text}`"


def _secrets(value: dict[str, Any]) -> Iterator[Loc]:
    """Places of an `env` whose value looks like a secret written out."""
    for where in _ENVS:
        env = locate_value(value, where)
        for name, text in env.items() if isinstance(env, dict) else ():
            if looks_secret(name, str(text)):
                yield (*where, name)


def looks_secret(name: str, literal: str) -> bool:
    """Whether the value of a variable looks like a secret written out."""
    named = SECRET_NAME.search(name) and not name.upper().endswith(("_FILE", "_PATH"))
    inside = _URL_SECRET.search(literal) or "PRIVATE KEY-----" in literal
    return bool(inside or (named and literal.lower() not in _HARMLESS))


def _secret_diagnostic(loc: Loc, places: Places, source: Source) -> Diagnostic:
    """Neither the message nor the line shows the value."""
    key, name = locate(places, loc, on_key=True), loc[-1]
    hint = f"use secretEnv: {{{name}: {{fromEnv: {name}}}}}"
    hide = locate(places, loc)
    return source.diagnostic("E151", f"`{name}` holds a literal secret", *key, hint=hint, hide=hide)
