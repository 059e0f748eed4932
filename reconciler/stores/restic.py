"""A store that is a repository of restic: each checkpoint is a snapshot, tagged with fleet, workload and ID, that
holds the files of a checkpoint as a folder would, and its manifest.

The restic of one host works on it. Before a checkpoint is used its files are brought into a folder of that host;
from there on it is used as any other. Exit codes and texts are those of restic 0.14 to 0.18."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from reconciler.core import answers
from reconciler.core.checkpoints import with_manifest
from reconciler.errors import CommandFailed
from reconciler.model.checkpoint import Kept, KeptAt, KeptFile, KeptRehearsal, Manifest
from reconciler.model.command import Bytes, Command, Program, Seconds
from reconciler.model.restic import ResticStore
from reconciler.stores import directory, noting

Keys = Mapping[str, bytes]
"""Values of the secrets that a store names, by variable."""
UNUSABLE = "C382"
TRIES = 10
"""How often a repository that is locked is tried, some seconds apart."""
LOOK: Seconds = 600.0
"""For what only lists; what restic itself may take is bounded in the script, below that."""
_NO_REPOSITORY, _LOCKED, _PASSWORD, _NO_ROOM, _GONE, _NO_ANSWER, _NO_RESTIC = 10, 11, 12, 28, 44, 124, 127
_KNOWN = tuple(range(144))
"""Exit codes of the script; dump of 0.14 ends with 2 at a damaged pack."""
_NO_REASON = ("Is there a repository at", "storage ID", "the `unlock` command", "/", "signal terminated")
REHEARSED = "rehearsed="
"""Begins the tag that says so."""
_ODD = re.compile(r"[^A-Za-z0-9._-]")
_HASH = re.compile(r"[0-9a-f]{64}")


def _call(
    at: KeptAt, keys: Keys, verb: str, *words: str, stdin: bytes = b"", limit: Seconds = LOOK, changes: bool = True
) -> Program[str]:
    """What the script says; CommandFailed that names the way out where the repository cannot be used."""
    store = _store(at)
    settings = {"RESTIC_REPOSITORY": store.repository.encode(), **keys}
    if store.password_file is not None:
        settings["RESTIC_PASSWORD_FILE"] = store.password_file.encode()
    head = b"".join(name.encode() + b"=" + value + b"\n" for name, value in settings.items())
    argv = directory.shell("restic", str(TRIES), verb, at.folder, store.fleet, *words)
    said = yield Command(argv, stdin=head + b"\n" + stdin, timeout=limit, changes=changes, ok=_KNOWN, secret=True)
    if said.status:
        raise CommandFailed(
            f"the repository of {at} cannot be used",
            code=UNUSABLE,
            where=at.host,
            why=_why(said.stderr, said.status),
            fix=_fix(at, said.status),
        )
    return said.stdout


def _store(at: KeptAt) -> ResticStore:
    assert at.repository is not None, at
    return at.repository


def _why(stderr: str, status: int) -> str:
    """What restic said that tells most: plain, or as lines of JSON."""
    lines = [line.removeprefix("Fatal: ").strip() for raw in stderr.splitlines() for line in _told(raw)]
    if status == _LOCKED:
        lines = [line for line in lines if "already locked" in line]
    lines = [line for line in lines if line and not line.startswith(_NO_REASON)]
    found = lines[-1] if lines else f"restic ended with {status}"
    return f"no answer in time; {found}" if status == _NO_ANSWER else found


def _told(raw: str) -> list[str]:
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError):
        return [raw]
    message = told.get("message") if isinstance(told, dict) else None
    return message.splitlines() if isinstance(message, str) else [raw]


def _fix(at: KeptAt, status: int) -> str:
    new = f"restic -r {_store(at).repository} init"
    return {
        _NO_REPOSITORY: f"see whether it is the right one; a new one is made on {at.host} by: {new}",
        _LOCKED: "wait until whoever works on it is done; where nobody does: restic unlock",
        _PASSWORD: "name the right one in `password` or `passwordFile`",
        _NO_ROOM: f"make room on {at.host}",
        _GONE: "see what there is: reconcile checkpoints list",
        _NO_RESTIC: f"install it on {at.host}: apt-get install restic",
    }.get(status, f"see whether {at.host} reaches it, and whether it has room: reconcile doctor {at.host}")


def listed(
    at: KeptAt, keys: Keys, workload: str = "", newest: int = 0, until: str = ""
) -> Program[tuple[Kept, ...]]:
    """Every checkpoint of this fleet's, also those whose manifest cannot be used; or some, as in a folder."""
    words = (workload,) if workload else ()
    found = list(_snapshots((yield from _call(at, keys, "list", *words, changes=False))))
    by_workload: dict[str, list[_Snapshot]] = {}
    for one in {(one.workload, one.id): one for one in found}.values():
        by_workload.setdefault(one.workload, []).append(one)
    wanted = [
        one
        for mine in by_workload.values()
        for one in noting.newest_of(
            sorted(mine, key=lambda one: one.id, reverse=True),
            newest,
            lambda one: one.rehearsed,
            lambda one: bool(until) and one.id > until,
        )
    ]
    if not wanted:
        return ()
    asked = "".join(f"{one.snapshot} {one.tree}\n" for one in wanted).encode()
    said = yield from _call(at, keys, "manifests", stdin=asked, limit=LOOK + 2 * len(wanted), changes=False)
    texts = dict(line.split(" ", 1) for line in said.split("\n") if " " in line)
    return tuple(_kept(at, one, texts.get(one.tree, "")) for one in wanted)


class _Snapshot:
    """One of ours, by its tags."""

    def __init__(self, raw: object) -> None:
        told = raw if isinstance(raw, dict) else {}
        tags = told.get("tags")
        words = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
        named = dict(word.split("=", 1) for word in words if "=" in word)
        self.snapshot, self.tree = (_hash(told.get(field)) for field in ("id", "tree"))
        self.workload, self.id = (_ODD.sub("?", named.get(word, "")) or "?" for word in ("workload", "id"))
        self.pinned = "pinned" in words
        noted = [word.removeprefix(REHEARSED) for word in words if word.startswith(REHEARSED)]
        known = [done for word in noted if (done := noting.rehearsal_of(word))]
        self.rehearsed = max(known, key=lambda done: done.at, default=None)


def _hash(value: object) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise answers.refused(value, "a snapshot", "the digest of one")
    return value


def _snapshots(text: str) -> Iterator[_Snapshot]:
    try:
        found = json.loads(text or "null")
    except (ValueError, RecursionError):
        raise answers.refused(text, "the snapshots of a repository", "a list of them") from None
    for raw in found if isinstance(found, list) else ():
        yield _Snapshot(raw)


def _kept(at: KeptAt, one: _Snapshot, text: str) -> Kept:
    seen = Kept(at, one.workload, one.id, one.pinned, rehearsed=one.rehearsed)
    if text.startswith("- "):
        return replace(seen, broken=f"its manifest cannot be read: {text[2:]}")
    return with_manifest(seen, text)


def upload(at: KeptAt, keys: Keys, part: str, manifest: Manifest) -> Program[None]:
    """What was captured or copied into the folder becomes a checkpoint; may be repeated. The folder stays."""
    text = f"{manifest.text}\n".encode()
    yield from _call(at, keys, "upload", manifest.workload, manifest.id, part, stdin=text, limit=directory.LIMIT)


def wrong(kept: Kept, keys: Keys, files: Iterable[KeptFile]) -> Program[tuple[str, ...]]:
    """What of the files is not as it was packed, in words; all is read, from the repository."""
    said = yield from _call(kept.at, keys, "sums", kept.workload, kept.id, limit=directory.LIMIT, changes=False)
    lines = [line.split(" ", 1) for line in said.split("\n") if " " in line]
    now = {name: rest for name, rest in lines if name != "failed"}
    why = next((f" ({_why(rest, 1)})" for name, rest in lines if name == "failed"), "")
    return tuple(
        f"{file.name} is damaged, or what it needs is gone{why}"
        for file in files
        if now.get(file.name) != f"{file.bytes} {file.sha256}"
    )


def bring(at: KeptAt, keys: Keys, workload: str, checkpoint: str, folder: str, size: Bytes) -> Program[None]:
    """Its files into a new folder of the host, not compared yet. `size`: what they take there."""
    yield from _call(at, keys, "bring", workload, checkpoint, folder, str(size), limit=directory.LIMIT)


def brought_to(at: KeptAt, run: str) -> str:
    """A folder for that; what is left in such is removed after a day."""
    return f"{at.folder}/.brought/{run}"


def discard(at: KeptAt, keys: Keys, gone: Iterable[Kept]) -> Program[None]:
    """Remove checkpoints, and what no other snapshot needs of them. May be repeated."""
    stdin = "".join(f"{one.workload} {one.id}\n" for one in gone).encode()
    yield from _call(at, keys, "remove", stdin=stdin, limit=directory.LIMIT)


def pin(kept: Kept, keys: Keys, *, on: bool) -> Program[None]:
    yield from _call(kept.at, keys, "pin" if on else "unpin", kept.workload, kept.id)


def note(kept: Kept, keys: Keys, done: KeptRehearsal) -> Program[None]:
    """That it was rehearsed; what was noted before is forgotten."""
    before = f"{REHEARSED}{noting.word_of(kept.rehearsed)}" if kept.rehearsed else ""
    words = (kept.workload, kept.id, f"{REHEARSED}{noting.word_of(done)}", before)
    yield from _call(kept.at, keys, "rehearsed", *words)


def probe(at: KeptAt, keys: Keys) -> Program[None]:
    """Whether the repository can be listed; CommandFailed says why not."""
    yield from _call(at, keys, "list", changes=False)
