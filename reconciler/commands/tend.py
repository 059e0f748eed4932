"""What people tell watches: to leave something alone, to go on, to try again, not to wait for a window."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from reconciler.commands.compose import notes_beside
from reconciler.errors import InputError
from reconciler.model.base import NAME_PATTERN
from reconciler.model.notes import ALL, Notes, Word, without_expired
from reconciler.state.identity import actor

KINDS = ("workload", "host")


def targets(given: Iterable[str]) -> tuple[str, ...]:
    """`web` and `workload/web`, `host/h1`, `host/CLUSTER/NODE`, `all` in their one spelling. InputError for
    anything else."""
    found = []
    for text in given:
        kind, slash, name = text.partition("/")
        kind, name = (kind, name) if slash else ("workload", text)
        parts = name.split("/", 1) if kind == "host" else [name]
        if text != ALL and (kind not in KINDS or not all(re.fullmatch(NAME_PATTERN, part) for part in parts)):
            fix = "the name of a workload, host/NAME, host/CLUSTER/NODE, or all"
            raise InputError(f"`{text}` is nothing that could be suspended", code="E190", fix=fix)
        found.append(ALL if text == ALL else f"{kind}/{name}")
    return tuple(dict.fromkeys(found))


def shown(journal: Path | None, now: float) -> Notes:
    """What is noted, less what is over."""
    return without_expired(notes_beside(journal).read(), now)


def say(
    field: str, of: tuple[str, ...], reason: str, lasts: float | None, journal: Path | None, now: float
) -> Notes:
    """Suspend (`field` is `suspended`), or let windows not matter (`opened`)."""
    if not reason.strip():
        raise InputError("this needs a reason", code="E190", fix='say why: --reason "ticket 42"')
    word = Word(reason=reason.strip(), by=actor(), since=now, until=None if lasts is None else now + lasts)

    def change(notes: Notes) -> Notes:
        current = without_expired(notes, now)
        return current.model_copy(update={field: {**getattr(current, field), **dict.fromkeys(of, word)}})

    return notes_beside(journal).change(change)


def unsay(of: tuple[str, ...], journal: Path | None, now: float) -> Notes:
    """Take back what was said of these targets. InputError when nothing was."""

    def change(notes: Notes) -> Notes:
        current = without_expired(notes, now)
        if strange := [name for name in of if name not in current.suspended and name not in current.opened]:
            there = ", ".join(sorted({*current.suspended, *current.opened})) or "nothing"
            what = f"{', '.join(strange)} is not suspended here"
            raise InputError(what, code="E190", why=f"what is: {there}", fix="see: reconcile tend show")
        kept = {
            field: {name: word for name, word in getattr(current, field).items() if name not in of}
            for field in ("suspended", "opened")
        }
        return current.model_copy(update=kept)

    return notes_beside(journal).change(change)


def forgive(of: tuple[str, ...], journal: Path | None, now: float) -> Notes:
    """Have what failed tried again now, also what was put back."""
    names = {target.partition("/")[2] for target in of}

    def change(notes: Notes) -> Notes:
        kept = {n: p for n, p in notes.put_back.items() if ALL not in of and n not in names}
        return notes.model_copy(
            update={"put_back": kept, "forgiven": {**notes.forgiven, **dict.fromkeys(of, now)}}
        )

    return notes_beside(journal).change(change)
