"""What a container has since it was made, where that differs from its label (see `updating`)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.guard import guard
from reconciler.guard import notes as guard_notes
from reconciler.model.command import Command, Program
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.world import ContainerFacts

NOTE = "made-from"
_READ = 'for f; do [ -s "$f" ] && cat "$f" && echo; done; exit 0'


@dataclass(frozen=True)
class Note:
    """What a container has: `now` and `before` are texts as its label has them; `run` changed it last."""

    id: str
    now: str
    before: str = ""
    run: str = ""


def notes(workloads: Iterable[str]) -> Program[dict[str, Note]]:
    """By container ID."""
    files = [f"{guard.workload_dir(workload)}/{NOTE}" for workload in workloads]
    if not files:
        return {}
    read = yield Command(("/bin/sh", "-c", _READ, "sh", *files))
    found = {}
    for line in read.stdout.splitlines():
        try:
            raw = json.loads(line)
            note = Note(str(raw["id"]), str(raw["now"]), str(raw["before"]), str(raw["run"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        found[note.id] = note
    return found


def as_noted(facts: ContainerFacts, noted: dict[str, Note]) -> ContainerFacts:
    """The container with what it has since it was made."""
    note = noted.get(facts.id)
    return facts.model_copy(update={"labels": {**facts.labels, LABEL_SPEC: note.now}}) if note else facts


def write(workload: str, note: Note) -> Program[None]:
    yield from guard_notes.write(workload, NOTE, json.dumps(vars(note)).encode())
