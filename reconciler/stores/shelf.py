"""Any store, by what it is: a folder, or a repository of restic. `keys`: what the repository's secrets are."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.model.checkpoint import Kept, KeptAt, KeptRehearsal, Manifest
from reconciler.model.command import Program
from reconciler.stores import directory, restic
from reconciler.stores.restic import Keys


def listed(
    at: KeptAt, keys: Keys, workload: str = "", newest: int = 0, until: str = ""
) -> Program[tuple[Kept, ...]]:
    """Every whole checkpoint of the store, also those whose manifest cannot be used; or the newest of each,
    of those with IDs up to `until`, as many of what comes after, and the last that were rehearsed."""
    if at.repository is None:
        return directory.listed(at, workload, newest, until)
    return restic.listed(at, keys, workload, newest, until)


def wrong(kept: Kept, keys: Keys) -> Program[tuple[str, ...]]:
    """What of a checkpoint is not as it was packed, in words; all of it is read."""
    assert kept.manifest is not None
    if kept.at.repository is None:
        return directory.wrong(kept.folder, kept.manifest.files)
    return restic.wrong(kept, keys, kept.manifest.files)


def take(at: KeptAt, keys: Keys, part: str, manifest: Manifest) -> Program[None]:
    """All files of a checkpoint are in `part`, a folder of the store's host: it is kept from here on, and `part`
    is gone."""
    if at.repository is None:
        yield from directory.seal(part, at.of(manifest.workload, manifest.id), manifest)
        return
    yield from restic.upload(at, keys, part, manifest)
    yield from directory.clear(part)


def discard(at: KeptAt, keys: Keys, gone: Sequence[Kept]) -> Program[None]:
    """Remove checkpoints of this store."""
    if at.repository is None:
        for one in gone:
            yield from directory.discard(one.folder)
    elif gone:
        yield from restic.discard(at, keys, gone)


def pin(kept: Kept, keys: Keys, *, on: bool) -> Program[None]:
    if kept.at.repository is None:
        return directory.pin(kept.folder, on=on)
    return restic.pin(kept, keys, on=on)


def note(kept: Kept, keys: Keys, done: KeptRehearsal) -> Program[None]:
    """That it was rehearsed; what was noted before is forgotten."""
    if kept.at.repository is None:
        return directory.note(kept.folder, done)
    return restic.note(kept, keys, done)
