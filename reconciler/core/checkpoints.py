"""Which checkpoint, and whether it may be used: pure decisions about manifests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace

from reconciler.errors import InputError
from reconciler.model.checkpoint import FORMAT, Kept, KeptAt, Manifest
from reconciler.model.checkpointing import DEFAULT_FOLDER, FOLDER
from reconciler.model.restic import STAGING
from reconciler.model.spec import Spec

REFUSED = "E201"
_FOLDER = re.compile(FOLDER, re.ASCII)


def place_of(text: str, spec: Spec, here: str) -> KeptAt:
    """Where checkpoints are kept, as users say it: a store of the specs, `HOST` or `HOST:/FOLDER`; empty for the
    host `here` itself."""
    if (store := spec.checkpoint_stores.get(text)) is not None:
        if (found := store.spec.directory) is not None:
            return KeptAt(found.host, found.folder, text)
        return KeptAt(store.spec.host, f"{STAGING}/{text}", text, store.spec.restic)
    host, colon, folder = (text or here).partition(":")
    if host not in spec.hosts:
        known = ", ".join(sorted({*spec.hosts, *spec.checkpoint_stores}))
        raise InputError(f"no spec defines the host or store {host}", code="E146", fix=f"one of: {known}")
    if colon and not _FOLDER.fullmatch(folder):
        raise InputError(
            f"`{folder}` is no folder for checkpoints",
            code="E202",
            fix="say HOST:/FOLDER, an absolute path of letters, digits, dots, dashes and underscores",
        )
    return KeptAt(host, folder or DEFAULT_FOLDER)


def places_of(spec: Spec) -> list[KeptAt]:
    """Everywhere that checkpoints may be: stores of the specs, and what each host keeps by itself."""
    stores = [place_of(name, spec, "") for name in sorted(spec.checkpoint_stores)]
    named = {(at.host, at.folder) for at in stores}
    return [*stores, *(KeptAt(host) for host in sorted(spec.hosts) if (host, DEFAULT_FOLDER) not in named)]


def newest_first(kept: Iterable[Kept], now: float) -> list[Kept]:
    """Those that can be used. What is from the future, by a clock that was wrong, comes last: nobody knows how old
    it is."""
    usable = [(one.manifest.taken_at <= now, one.manifest.taken_at, one.id, one) for one in kept if one.manifest]
    return [one for *_, one in sorted(usable, key=lambda row: row[:3], reverse=True)]


def with_manifest(seen: Kept, text: str) -> Kept:
    """What a store has listed, with its manifest, or with why that cannot be used."""
    if not seen.named:
        return replace(seen, broken="it has no name that a checkpoint can have: look at it by hand")
    try:
        return replace(seen, manifest=read_manifest(text, seen.workload, seen.id))
    except InputError as error:
        return replace(seen, broken=error.why or error.what)


def read_manifest(text: str, workload: str, found: str) -> Manifest:
    """A manifest as its store has it; InputError says why it cannot be used."""
    what = f"the manifest of {workload}@{found} cannot be used"
    try:
        raw = json.loads(text)
        if isinstance(raw, dict) and isinstance(raw.get("format"), int) and raw["format"] > FORMAT:
            raise InputError(what, code=REFUSED, why=f"a later release wrote it (format {raw['format']})")
        manifest = Manifest.model_validate(raw)
        whole = manifest.whole  # of text that cannot be written there is no digest
    except (ValueError, RecursionError):
        raise InputError(what, code=REFUSED, why="it is none, or was cut short") from None
    if not whole:
        raise InputError(what, code=REFUSED, why="it was changed since the checkpoint was taken")
    if (manifest.workload, manifest.id) != (workload, found):
        raise InputError(what, code=REFUSED, why=f"it is that of {manifest.workload}@{manifest.id}")
    return manifest
