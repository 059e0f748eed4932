"""A cluster's API server in memory: objects, versions, labels, merge patches, refusals. What controllers do to the
objects is up to whoever plays them (`watch`)."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from reconciler.errors import ReconcilerError
from reconciler.hosts.kubernetes.api import HttpAnswer, Request

Object = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name."""


class Rejected(Exception):
    """What an admission webhook says: a status and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class MemoryApi:
    """`kinds`: what is stored, by `group/plural`; a kind that is not there is 404, as without its CRD. `answers`
    are given first, each once, whatever is asked; an error instead of one is raised. `admit` is asked before
    anything is made. `asked`: all."""

    def __init__(self, *kinds: str) -> None:
        self.objects: dict[str, dict[Key, Object]] = {kind: {} for kind in kinds}
        self.answers: list[HttpAnswer | ReconcilerError] = []
        self.admit: Callable[[str, Object], None] = lambda kind, found: None
        self.asked: list[Request] = []
        self.closed = False
        self._version = 0

    def put(self, kind: str, found: Object) -> Object:
        """Store an object as it is, as a controller does."""
        self._version += 1
        stored = copy.deepcopy(found)
        metadata = stored.setdefault("metadata", {})
        metadata["resourceVersion"] = str(self._version)
        metadata.setdefault("uid", f"uid-{self._version}")
        self.objects[kind][(metadata.get("namespace", ""), metadata["name"])] = stored
        return stored

    def get(self, kind: str, name: str, namespace: str = "") -> Object:
        return copy.deepcopy(self.objects[kind][(namespace, name)])

    def change(self, kind: str, name: str, namespace: str, patch: Object) -> Object:
        """As a controller: merge this into what is there."""
        return self.put(kind, merged(self.get(kind, name, namespace), patch))

    def drop(self, kind: str, name: str, namespace: str = "") -> None:
        self.objects[kind].pop((namespace, name), None)

    async def close(self) -> None:
        self.closed = True

    async def send(self, request: Request) -> HttpAnswer:
        self.asked.append(request)
        await asyncio.sleep(0.001)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, ReconcilerError):
                raise answer
            return answer
        kind, namespace, name = _parsed(request.path)
        if kind not in self.objects:
            return _status(404, "the server could not find the requested resource")
        try:
            return self._done(request, kind, namespace, name)
        except Rejected as rejected:
            return _status(rejected.status, str(rejected))

    def _done(self, request: Request, kind: str, namespace: str, name: str) -> HttpAnswer:
        there = self.objects[kind].get((namespace, name))
        match request.method:
            case "GET" if not name:
                items = [one for key, one in sorted(self.objects[kind].items()) if namespace in ("", key[0])]
                items = [one for one in items if _selected(one, request.query.get("labelSelector", ""))]
                return HttpAnswer(200, json.dumps({"kind": "List", "metadata": {}, "items": items}))
            case "POST":
                made: Object = json.loads(request.body)
                key = (namespace, made["metadata"]["name"])
                self.admit(kind, made)
                if key in self.objects[kind]:
                    raise Rejected(409, f'"{key[1]}" already exists')
                made["metadata"]["namespace"] = namespace
                return HttpAnswer(201, json.dumps(self.put(kind, made)))
            case "PATCH" if there is None and "apply" in request.content:
                made = json.loads(request.body)
                made["metadata"]["namespace"] = namespace
                return HttpAnswer(201, json.dumps(self.put(kind, made)))
        if there is None:
            raise Rejected(404, f'"{name}" not found')
        match request.method:
            case "GET":
                return HttpAnswer(200, json.dumps(there))
            case "DELETE":
                if there["metadata"].get("finalizers"):
                    patch = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
                    return HttpAnswer(200, json.dumps(self.put(kind, merged(there, patch))))
                self.drop(kind, name, namespace)
                return HttpAnswer(200, json.dumps({"kind": "Status", "status": "Success"}))
        patch = json.loads(request.body)
        wanted = patch.get("metadata", {}).get("resourceVersion")
        if wanted is not None and wanted != there["metadata"]["resourceVersion"]:
            raise Rejected(409, "the object has been modified; please apply your changes to the latest version")
        return HttpAnswer(200, json.dumps(self.put(kind, merged(there, patch))))


def merged(found: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(found) if isinstance(found, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def _parsed(path: str) -> tuple[str, str, str]:
    """Kind, namespace and name of a path."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    group, rest = (parts[1], parts[3:]) if parts[0] == "apis" else ("", parts[2:])
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    kind = f"{group}/{rest[0]}" if group else rest[0]
    return kind, namespace, rest[1] if len(rest) > 1 else ""


def _selected(found: Object, selector: str) -> bool:
    labels = found["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, _, value in (t.partition("=") for t in selector.split(",") if t))


def _status(status: int, message: str) -> HttpAnswer:
    body = {"kind": "Status", "status": "Failure", "message": message, "code": status}
    return HttpAnswer(status, json.dumps(body))
