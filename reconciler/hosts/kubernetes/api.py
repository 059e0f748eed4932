"""One request of a cluster's API and its answer, and how an `ApiCall` becomes such requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from reconciler.core import answers
from reconciler.model.command import ApiCall, Seconds, Verb

MANAGER = "reconciler"
"""Who we are to server-side apply: what we own of an object is what we applied under this name."""
PAGE = 1000
"""Items of one answer to a list; a longer one comes in parts."""
MOST_PAGES = 100
MOST_ANSWER = 8 * 2**20
"""Bytes of an answer, unpacked: etcd keeps objects of up to 1.5 MiB."""
MOST_LIST = 256 * 2**20
"""Bytes of a list, all its parts together."""
_METHODS = {
    Verb.GET: "GET",
    Verb.LIST: "GET",
    Verb.CREATE: "POST",
    Verb.APPLY: "PATCH",
    Verb.PATCH: "PATCH",
    Verb.DELETE: "DELETE",
}
_CONTENT = {Verb.APPLY: "application/apply-patch+yaml", Verb.PATCH: "application/merge-patch+json"}


@dataclass(frozen=True)
class Request:
    """`path` begins with a slash. `query` is not quoted yet. `most`: bytes of its answer that are read."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    content: str = "application/json"
    timeout: Seconds = 30.0
    most: int = MOST_ANSWER

    @property
    def changes(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True)
class HttpAnswer:
    """`retry_after`: seconds that the server asks to wait for; `at`: its own time. None where it says neither."""

    status: int
    text: str
    retry_after: Seconds | None = None
    at: Seconds | None = None


class Api(Protocol):
    """One cluster's API server."""

    async def send(self, request: Request) -> HttpAnswer:
        """HostUnreachable where the request surely was not taken, ReplyLost where that is not known."""
        ...

    async def close(self) -> None: ...


def request_of(call: ApiCall, more: str = "") -> Request:
    """`more`: where a list goes on."""
    query: dict[str, str] = {}
    if call.verb is Verb.LIST:
        query["limit"] = str(PAGE)
        if call.selector:
            query["labelSelector"] = call.selector
        if more:
            query["continue"] = more
    elif call.verb is Verb.APPLY:
        query = {"fieldManager": MANAGER, "force": str(call.force).lower(), "fieldValidation": "Strict"}
    elif call.verb.changes and call.verb is not Verb.DELETE:
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
    content = _CONTENT.get(call.verb, "application/json")
    most = MOST_LIST if call.verb is Verb.LIST else MOST_ANSWER
    return Request(_METHODS[call.verb], path_of(call), query, call.body, content, call.timeout, most)


def path_of(call: ApiCall) -> str:
    resource = call.resource
    parts = ["apis", resource.group] if resource.group else ["api"]
    parts.append(resource.version)
    if resource.namespaced and call.namespace:
        parts += ["namespaces", call.namespace]
    parts.append(resource.plural)
    if call.name and call.verb is not Verb.CREATE:
        parts.append(call.name)
    return "/" + "/".join(quote(part, safe="") for part in parts)


def message_of(text: str) -> str:
    """What a `Status` says, or the beginning of whatever came instead."""
    try:
        said = json.loads(text)
        if isinstance(said, dict) and isinstance(said.get("message"), str):
            return answers.shown(said["message"], "what the API server said")
    except (ValueError, RecursionError):
        pass
    return answers.shown(" ".join(text.split())[:300], "what the API server said")


def page_of(text: str, what: str) -> tuple[list[Any], str]:
    """The items of a part of a list, and where it goes on."""
    found = answers.mapping(answers.parsed(text, what), what)
    items = found.get("items")
    if not isinstance(items, list):
        raise answers.refused(items, what, "a list")
    more = answers.mapping(found.get("metadata") or {}, what).get("continue") or ""
    return items, answers.string(more, what)
