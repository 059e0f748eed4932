"""Nodes of clusters that take nothing new while they are being emptied, and until somebody gives them back."""

from __future__ import annotations

import json
from typing import Any

from reconciler.core import answers
from reconciler.errors import CommandFailed
from reconciler.model.command import CONFLICT, ApiCall, Program, Verb
from reconciler.model.labels import CORDONED
from reconciler.model.resources import NODE

TRIES = 8
"""Times that a change is decided anew because another one was faster: kubelets write to their nodes often."""


def cordon(node: str, note: str) -> Program[bool]:
    """The node takes nothing new. False: somebody else has seen to that before, and gives it back. `note`: by whom
    and when it was."""
    for _ in range(TRIES):
        version, closed, ours = yield from _read(node)
        if closed:
            return bool(ours)
        if (yield from _changed(node, version, note, unschedulable=True)):
            return True
    raise _always_changing(node)


def uncordon(node: str) -> Program[tuple[bool, bool]]:
    """What `cordon` did is taken back: whether it was there to be, and whether the node is cordoned still, by
    somebody else."""
    for _ in range(TRIES):
        version, closed, ours = yield from _read(node)
        if not ours:
            return False, closed
        if (yield from _changed(node, version, None, unschedulable=False)):
            return closed, False
    raise _always_changing(node)


def _read(node: str) -> Program[tuple[str, bool, str]]:
    """Its version, whether it takes nothing new, and our note there."""
    told = yield ApiCall(Verb.GET, NODE, node)
    found = answers.mapping(answers.parsed(told.stdout, "a node"), "a node")
    metadata = answers.mapping(found.get("metadata"), "a node")
    ours = answers.labels(metadata.get("annotations"), "annotations of a node").get(CORDONED, "")
    closed = answers.mapping(found.get("spec"), "a node").get("unschedulable") is True
    return answers.string(metadata.get("resourceVersion"), "a version"), closed, ours


def _changed(node: str, version: str, note: str | None, *, unschedulable: bool) -> Program[bool]:
    metadata: dict[str, Any] = {"resourceVersion": version, "annotations": {CORDONED: note}}
    body = json.dumps({"metadata": metadata, "spec": {"unschedulable": unschedulable or None}})
    told = yield ApiCall(Verb.PATCH, NODE, node, body=body, ok=(CONFLICT,))
    return told.status != CONFLICT


def _always_changing(node: str) -> CommandFailed:
    return CommandFailed(f"{node} changes all the time; it could not be cordoned or given back", code="C390")
