"""What records of the journal's formats 1 and 2 say: texts by name, and of staged trees JSON inside them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from reconciler.model.command import Tree
from reconciler.model.handover import Located
from reconciler.model.plan import StepKind
from reconciler.model.record import Mark
from reconciler.model.result import (
    EMPTY,
    CopyMade,
    HealthSeen,
    ImagePulled,
    ImagesWritten,
    InstanceMade,
    MemoryRestored,
    MovedByRuntime,
    RoundsMade,
    Staged,
    StepResult,
    WentBack,
    encode,
)

TYPED_SINCE = 3
"""The format whose records have a typed result."""

Texts = Mapping[str, str]


def upgraded(kind: StepKind, undo: bool, text: str) -> StepResult | None:
    """The result that a record of an earlier format has; None where it left nothing. ValueError when it cannot be
    read, as one that a program of somebody else has written."""
    data = json.loads(text)
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise ValueError("a record is no map of texts")
    if not data:
        return None
    try:
        return WentBack(became=data["became"]) if undo else _OF[kind](data)
    except KeyError as error:
        raise ValueError(f"a record of the kind {kind} has no {error}") from error


def _copy(data: Texts) -> CopyMade:
    return CopyMade(copied_bytes=int(data["bytes"]), seconds=float(data["seconds"]), how=data["how"])


def _staged(data: Texts) -> Staged:
    return Staged(source=_located(data["source"]), destination=_located(data["destination"]))


def _located(text: str) -> Located:
    raw = json.loads(text)
    try:
        return Located(raw["container_id"], tuple(_tree(tree) for tree in raw["trees"]))
    except TypeError as error:
        raise ValueError(f"a place where state was staged cannot be read: {error}") from error


def _tree(raw: Mapping[str, Any]) -> Tree:
    """Releases of format 1 have also said whether a tree has extended attributes: all do now."""
    return Tree(raw["kind"], raw["path"], raw["name"], raw.get("expected_bytes", 0))


def _images(data: Texts) -> ImagesWritten:
    actions = data.get("actions", "")
    return ImagesWritten(image_bytes=int(data["bytes"]), freeze_s=float(data["freeze"]), actions=actions)


def _rounds(data: Texts) -> RoundsMade:
    return RoundsMade(rounds_bytes=tuple(map(int, data["rounds"].split())), why=data["why"])


_OF: Mapping[StepKind, Callable[[Texts], StepResult]] = {
    StepKind.PULL_IMAGE: lambda data: ImagePulled(image=data["image"]),
    StepKind.COPY_IMAGE: _copy,
    StepKind.COPY_VOLUME: _copy,
    StepKind.CREATE: lambda data: InstanceMade(instance=data["container"]),
    StepKind.STAGE: _staged,
    StepKind.PRECOPY: _rounds,
    StepKind.HOLD: _images,
    StepKind.TRANSFER: _copy,
    StepKind.RESTORE: lambda data: MemoryRestored(actions=data["actions"]),
    StepKind.CONFIRM: lambda data: HealthSeen(unhealthy=data["unhealthy"]),
    StepKind.MIGRATE: lambda data: MovedByRuntime(moved_bytes=int(data["bytes"]), seconds=float(data["seconds"])),
    StepKind.SETTLE: lambda data: HealthSeen(unhealthy=data["unhealthy"]),
}


def give_results_types(connection: sqlite3.Connection) -> None:
    """To format 3. What cannot be read is left as it is: reading its run says so, and the others can be used."""
    query = "SELECT DISTINCT run FROM records WHERE data != ?"
    for (run,) in connection.execute(query, (EMPTY,)).fetchall():
        (plan,) = connection.execute("SELECT plan FROM runs WHERE id = ?", (run,)).fetchone()
        with suppress(ValueError, TypeError, KeyError, RecursionError):
            kinds = {step["id"]: StepKind(step["kind"]) for step in json.loads(plan)["steps"]}
            rows = connection.execute("SELECT seq, step, mark, data FROM records WHERE run = ?", (run,)).fetchall()
            new = [
                (encode(upgraded(kinds[step], mark == Mark.UNDONE, data)), run, seq)
                for seq, step, mark, data in rows
                if data != EMPTY
            ]
            connection.executemany("UPDATE records SET data = ? WHERE run = ? AND seq = ?", new)
