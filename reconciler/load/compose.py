"""YAML text to plain values with the place of each: exact, without recursion, and fast.

Every value and key keeps its place as one integer (`pack`), so that 10,000 workloads cost little. What is
wrong in one document does not hide the others: reading goes on at the next `---`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.load.events import YamlError, error_place, event_reader, is_too_deep, opened_at
from reconciler.load.limits import MAX_DEPTH, MAX_ISSUES, MAX_NODES
from reconciler.load.scalars import FIRST, is_ambiguous, resolve

_LENGTH_BITS: Final = 20
_LENGTH_MASK: Final = (1 << _LENGTH_BITS) - 1
_NEXT_DOCUMENT = re.compile(r"^---(?=[ \t\n]|\Z)", re.MULTILINE)
_BAD_VALUE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_TEXT_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})
_MAP_TAGS = frozenset({"!", "tag:yaml.org,2002:map"})
_SEQ_TAGS = frozenset({"!", "tag:yaml.org,2002:seq"})
_NO_KEY: Final = object()
_BAD_KEY: Final = "\x00 a key that is not text; its value is left out"
_OPEN: Final = object()


def pack(index: int, length: int) -> int:
    return (index << _LENGTH_BITS) | min(length, _LENGTH_MASK)


def unpack(place: int) -> tuple[int, int]:
    """Index into the text, and length."""
    return place >> _LENGTH_BITS, place & _LENGTH_MASK


class Places:
    """Places of a collection: its own, those of its keys (mappings only) and of its values."""

    __slots__ = ("items", "keys", "place")

    def __init__(self, place: int, keys: dict[str, int] | None, items: Any) -> None:
        self.place = place
        self.keys = keys
        self.items: dict[str, Places | int] | list[Places | int] = items


@dataclass(slots=True)
class YamlDocument:
    value: Any
    places: Places | int


@dataclass(slots=True)
class Issue:
    """Something wrong at a place. `other` is a second place the message may name as `{line}`."""

    code: str
    message: str
    place: int
    hint: str = ""
    other: int | None = None


@dataclass(slots=True)
class Composed:
    documents: list[YamlDocument] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)


class _Stop(Exception):
    """The rest of this document cannot be read."""

    def __init__(self, issue: Issue) -> None:
        self.issue = issue


def compose(text: str, *, pure: bool = False) -> Composed:
    """All documents of a text that can be read, and all that is wrong with it. Never raises."""
    result = Composed()
    base = 0
    while True:
        known = len(result.documents), len(result.issues)
        try:
            _Reader(text, base, result, event_reader(text[base:] if base else text, pure=pure)).run()
            return result
        except _Stop as stop:
            issue = stop.issue
        except YamlError as error:
            if is_too_deep(error) and not pure:
                pure = True  # the Python parser has no limit, so that ours says where it is passed
                del result.documents[known[0] :], result.issues[known[1] :]
                continue
            issue = _syntax_issue(error, text, base)
        result.issues.append(issue)
        following = _NEXT_DOCUMENT.search(text, max(unpack(issue.place)[0], base + 1))
        if following is None or len(result.issues) >= MAX_ISSUES:
            return result
        base = following.start()


def _syntax_issue(error: YamlError, text: str, base: int) -> Issue:
    at, problem = error_place(error)
    index = min(base + at, len(text)) if at is not None else base
    start = text.rfind("\n", 0, index) + 1
    end = text.find("\n", start)
    line = text[start : end if end >= 0 else len(text)]
    blank = line[: len(line) - len(line.lstrip())]
    if "\t" in blank:
        return Issue("E112", "tab used as indentation", pack(start + blank.index("\t"), 1), "use spaces instead")
    at_end = "end of stream" in problem or "stream end" in problem or text.startswith("---", index)
    if at_end and (opened := opened_at(error)) is not None and base + opened < index:
        return Issue("E102", "not valid YAML: what is opened here is never closed", pack(base + opened, 1))
    if index >= len(text) and text and base < len(text):
        index = max(base, len(text.rstrip()) - 1)  # show the last line with text, not the end of the file
    message = f"not valid YAML: {problem}"
    if (opened := opened_at(error)) is not None and "\n" in text[base + opened : index]:
        return Issue(
            "E102", f"{message}, in what is opened on line {{line}}", pack(index, 1), "", pack(base + opened, 1)
        )
    return Issue("E102", message, pack(index, 1))


class _Reader:
    """Composes the documents of one event stream. Frames of open collections are on `stack`."""

    def __init__(self, text: str, base: int, result: Composed, get: Callable[[], Any]) -> None:
        self.text = text
        self.base = base
        self.result = result
        self.get = get
        self.anchors: dict[str, Any] = {}

    def _issue(self, code: str, message: str, place: int, hint: str = "", other: int | None = None) -> None:
        self.result.issues.append(Issue(code, message, place, hint, other))

    def run(self) -> None:
        while (event := self.get()) is not None:
            if event.__class__ is DocumentStartEvent:
                self.anchors.clear()
                count = len(self.result.documents)
                self.result.documents[count:] = [self._document()]

    def _document(self) -> YamlDocument:  # noqa: C901  one loop on purpose: it runs for every value of a fleet
        get, base = self.get, self.base
        root_places: list[Places | int] = []
        root: list[Any] = []
        stack: list[tuple[Any, ...]] = []
        here: Any = None
        container: Any = root
        keys: dict[str, int] | None = None
        items: Any = root_places
        key: Any = _NO_KEY
        anchor: str | None = None
        started = nodes = 0
        value: Any
        place: Places | int
        while True:
            event = get()
            kind = event.__class__
            if kind is ScalarEvent:
                start = event.start_mark.index
                length = event.end_mark.index - start
                place = at = ((start + base) << 20) | (length if length < 0xFFFFF else 0xFFFFF)
                value = event.value
                if event.tag is not None and event.tag not in _TEXT_TAGS:
                    self._tag(event.tag, at)
                elif event.tag is None and event.implicit[0]:
                    if not value or value[0] in FIRST:
                        value = self._plain(value, at)
                elif _BAD_VALUE.search(value):
                    self._issue("E111", "the value holds a control character", at, "remove the escape")
                    value = ""
                nodes += 1
                if event.anchor is not None:
                    self.anchors[event.anchor] = (value, place, 1)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                at = pack(event.start_mark.index + base, 1)
                self._check_collection(event, at, key is _NO_KEY and keys is not None, len(stack))
                stack.append((container, keys, items, here, key, anchor, started))
                started, anchor, key = nodes, event.anchor, _NO_KEY
                if anchor is not None:
                    self.anchors[anchor] = _OPEN
                if kind is MappingStartEvent:
                    container, keys, items = {}, {}, {}
                else:
                    container, keys, items = [], None, []
                here = Places(at, keys, items)
                nodes += 1
                continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                value, place = container, here
                if anchor is not None:
                    self.anchors[anchor] = (value, place, nodes - started)
                container, keys, items, here, key, anchor, started = stack.pop()
            elif kind is AliasEvent:
                here = pack(event.start_mark.index + base, len(event.anchor) + 1)
                value, place, size = self._alias(event.anchor, here)
                nodes += size
                if keys is not None and key is _NO_KEY:
                    place = here
            else:  # the end of the document
                return YamlDocument(root[0], root_places[0])
            if nodes > MAX_NODES:
                raise _Stop(Issue("E115", f"the document has more than {MAX_NODES:,} values", self._at(place)))
            if keys is None:
                container.append(value)
                items.append(place)
            elif key is _NO_KEY:
                key = self._key(value, place, keys)
            else:
                if key is not _BAD_KEY:
                    container[key] = value
                    items[key] = place
                key = _NO_KEY

    @staticmethod
    def _at(place: Places | int) -> int:
        return place if isinstance(place, int) else place.place

    def _plain(self, text: str, place: int) -> Any:
        if is_ambiguous(text):
            self._issue(
                "E116",
                f"`{text}` is an ambiguous number: octal to some YAML readers, decimal to others",
                place,
                f'write "{text}" for text, or leave out the leading zero',
            )
        return resolve(text)

    def _tag(self, tag: str, place: int) -> None:
        shown = tag.replace("tag:yaml.org,2002:", "!!")
        self._issue("E113", f"the tag `{shown}` is not allowed", place, "remove it")

    def _check_collection(self, event: Any, place: int, is_key: bool, depth: int) -> None:
        tags = _MAP_TAGS if event.__class__ is MappingStartEvent else _SEQ_TAGS
        if event.tag is not None and event.tag not in tags:
            self._tag(event.tag, place)
        if is_key:
            raise _Stop(Issue("E118", "a key must be text, not a list or mapping", place))
        if depth >= MAX_DEPTH:
            raise _Stop(Issue("E115", f"the document nests deeper than {MAX_DEPTH} levels", place))

    def _alias(self, name: str, place: int) -> tuple[Any, Places | int, int]:
        target = self.anchors.get(name)
        if target is None:
            self._issue("E114", f"no anchor `&{name}` stands before this alias", place)
            return "", place, 1
        if target is _OPEN:
            self._issue("E114", f"the alias `*{name}` stands inside the value it names", place)
            return "", place, 1
        return target  # type: ignore[no-any-return]

    def _key(self, value: Any, place: Places | int, keys: dict[str, int]) -> str:
        at = self._at(place)
        if value.__class__ is not str:
            self._issue("E118", "a key must be text", at, "put it in quotes")
            return _BAD_KEY
        if value == "<<" and unpack(at)[1] == 2:
            self._issue("E118", "merge keys (`<<`) are not part of YAML 1.2", at, "write the fields out")
            return _BAD_KEY
        if value in keys:
            self._issue("E107", f"duplicate key `{value}`, first on line {{line}}", at, other=keys[value])
        else:
            keys[value] = at
        return value
