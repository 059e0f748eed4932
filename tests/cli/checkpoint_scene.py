"""Checkpoints for tests of the command line. Fake: what stores have besides."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from reconciler.commands.exporting import Exported
from reconciler.commands.kept import FoundKept
from reconciler.commands.shelves import Pruned, Pruning
from reconciler.core.retention import age
from reconciler.core.saga import GroupState
from reconciler.engine.execute import Outcome
from reconciler.errors import HostUnreachable
from reconciler.hosts.memory import MemoryContainer
from reconciler.hosts.memory.machine import Volume
from reconciler.model.checkpoint import Kept, KeptAt, KeptFile, KeptRehearsal, Manifest, TakenFrom


def kept() -> Kept:
    source = TakenFrom(host="h1", runtime="podman", image_id="ab" * 32)
    files = (KeptFile(name="images.tar.zst", bytes=2**20, sha256="cd" * 32),)
    manifest = Manifest(
        id="20261126-014639-8584",
        workload="web",
        epoch=3,
        taken_at=1795657600.25,
        frozen_s=0.25,
        came_from=source,
        memory_bytes=2**22,
        files=files,
    )
    done = KeptRehearsal(1795657700.0, "h1")
    return Kept(KeptAt("h2"), "web", manifest.id, manifest=manifest.sealed(), rehearsed=done)


def a_checkpoint(scene: Any) -> None:
    scene.apply(web="h1")


def answers(answer: Any) -> Any:
    def program(*_: Any, **__: Any) -> Iterator[Any]:
        return answer
        yield

    return program


def some_kept(scene: Any) -> None:
    """FoundKept in a store, which hosts in memory do not have; its file is damaged."""

    async def found(*_: Any) -> FoundKept:
        return FoundKept((kept(), Kept(KeptAt("h2"), "web", "20261126-014638-8584", broken="it is none")), GONE)

    scene.patch.setattr("reconciler.commands.kept.stock", found)
    scene.patch.setattr("reconciler.commands.restore.stock", found)
    scene.patch.setattr("reconciler.stores.directory.wrong", answers(("images.tar.zst is damaged",)))
    scene.patch.setattr("reconciler.stores.directory.pin", answers(None))
    scene.patch.setattr("reconciler.stores.directory.discard", answers(None))


GONE = {"h1": HostUnreachable("cannot connect", where="h1")}


def a_copy(scene: Any) -> None:
    """It is there already."""
    some_kept(scene)

    async def done(*_: Any) -> Kept:
        return kept()

    scene.patch.setattr("reconciler.commands.shelves.CopyKept.__call__", done)


def an_export(scene: Any) -> None:
    async def done(export: Any) -> Exported:
        return Exported(kept(), export.path, 2**20)

    scene.patch.setattr("reconciler.commands.exporting.Export.__call__", done)


def an_import(scene: Any) -> None:
    async def done(*_: Any) -> Kept:
        found = kept()
        assert found.manifest is not None
        source = found.manifest.came_from.model_copy(update={"host": ""})
        return replace(found, manifest=found.manifest.model_copy(update={"came_from": source}).sealed())

    scene.patch.setattr("reconciler.commands.taking.TakeIn.__call__", done)


def some_too_old(scene: Any) -> None:
    """One of them is kept no longer."""

    async def done(*_: Any, **__: Any) -> Pruning:
        return Pruning((Pruned(kept(), (kept(),)),), {})

    scene.patch.setattr("reconciler.commands.shelves.prune", done)


def a_restore(scene: Any) -> None:
    """Of a workload that runs nowhere."""
    some_kept(scene)

    async def done(*_: Any) -> Outcome:
        return Outcome({"web": GroupState.DONE}, {})

    scene.patch.setattr("reconciler.commands.restore.Restore._carry_out", done)
    scene.patch.setattr("reconciler.commands.restore.misfits", lambda *_: ())


def a_discard(scene: Any) -> None:
    """Of a copy with a volume, beside a workload."""
    scene.apply(web="h2")
    machine = scene.hosts.machines["h2"]
    spec = json.dumps({"volumes": [{"name": "then--copy.1", "target": "/data"}]})
    made = MemoryContainer("ab" * 32, "then--copy", "then--copy", spec, "app", "running")
    machine.containers["then--copy"] = made
    machine.volumes["then--copy.1"] = Volume("then--copy", 1, "run")


POLICY = """
---
apiVersion: reconciler/v1alpha1
kind: CheckpointPolicy
metadata: {name: hourly}
spec: {every: 1h, keep: {last: 1}, store: vault}
---
apiVersion: reconciler/v1alpha1
kind: CheckpointStore
metadata: {name: vault}
spec: {directory: {host: h2}}
"""


def a_policy(scene: Any) -> None:
    """By which one is due, and the one before is kept no longer."""
    a_checkpoint(scene)
    some_kept(scene)
    scene.patch.setattr("reconciler.stores.directory.wrong", answers(()))
    specs = scene.folder / "specs/all.yaml"
    text = specs.read_text().replace(
        "placement: {host: h1}", "placement: {host: h1}\n  checkpoints: {policy: hourly}"
    )
    specs.write_text(text + POLICY)
    old = kept()
    assert old.manifest is not None
    older = old.manifest.model_copy(update={"id": "20261126-004639-8584", "taken_at": 1795654000.0}).sealed()

    async def found(*_: Any) -> FoundKept:
        return FoundKept((Kept(KeptAt("h2"), "web", older.id, manifest=older),), {})

    scene.patch.setattr("reconciler.commands.due.stock", found)
    now = old.manifest.taken_at + 5
    scene.patch.setattr("reconciler.commands.due.age", lambda kept, _: age(kept, now))


CHECKPOINTS: dict[str, list[tuple[str, str, int, Callable[[Any], Any]]]] = {
    "checkpoint": [
        ("checkpoint", "checkpoint web --to h2", 0, a_checkpoint),
        ("checkpoint-due", "checkpoint --due", 0, a_policy),
    ],
    "restore": [("restore", "restore web --on h2", 0, a_restore)],
    "discard": [("discard", "discard then", 0, a_discard)],
    "checkpoints list": [("checkpoints-list", "checkpoints list", 0, some_kept)],
    "checkpoints verify": [("checkpoints-verify", "checkpoints verify web", 1, some_kept)],
    "checkpoints pin": [("checkpoints-pin", "checkpoints pin web@latest", 0, some_kept)],
    "checkpoints unpin": [("checkpoints-unpin", "checkpoints unpin web@latest", 0, some_kept)],
    "checkpoints copy": [("checkpoints-copy", "checkpoints copy web@latest --to h1", 0, a_copy)],
    "checkpoints export": [("checkpoints-export", "checkpoints export web@latest -o web.tar", 0, an_export)],
    "checkpoints import": [("checkpoints-import", "checkpoints import a.tar --as web", 0, an_import)],
    "checkpoints prune": [("checkpoints-prune", "checkpoints prune web", 0, some_too_old)],
    "checkpoints rm": [("checkpoints-rm", "checkpoints rm web@latest --last", 0, some_kept)],
}
"""Cases of commands about checkpoints, as those of `test_json`."""
