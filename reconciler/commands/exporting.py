"""`reconcile checkpoints export`: a checkpoint as an archive that `podman container restore --import` takes.

It is laid out on the host that keeps it, beside it, and comes from there by this machine's own SSH client."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.commands.compose import open_fleet, open_relay
from reconciler.commands.interruptible import new_run_id
from reconciler.commands.kept import in_a_folder, one_kept, verified
from reconciler.core.causes import telling
from reconciler.engine.lenient import lenient
from reconciler.errors import CommandFailed, InputError, Refused
from reconciler.hosts.base import Fleet, pump
from reconciler.inspection.kept import KeptLook
from reconciler.inspection.look import look
from reconciler.model.checkpoint import Kept, Manifest
from reconciler.model.command import Bytes
from reconciler.model.container import Container
from reconciler.model.event import Untidied
from reconciler.model.spec import Spec
from reconciler.runtimes.podman import exporting
from reconciler.stores import directory


@dataclass(frozen=True)
class Exported:
    """An archive that was written."""

    kept: Kept
    path: Path
    bytes: Bytes


@dataclass
class Export:
    """One checkpoint to a file, which must not be there yet. Until all of it has come, and was read again, it has
    another name."""

    spec: Spec
    reference: str
    path: Path
    where: str = ""
    untidied: list[Untidied] = field(default_factory=list)

    async def __call__(self) -> Exported:
        with _new_file(self.path) as (part, sink):
            async with open_fleet(self.spec, self.untidied.append) as fleet:
                kept, manifest = await one_kept(self.spec, fleet, self.reference, self.where)
                section = exporting.made_from(manifest)
                if bad := (await verified(kept, fleet)).wrong:
                    raise CommandFailed(
                        f"the checkpoint {self.reference} is damaged",
                        code="C373",
                        where=kept.at.host,
                        why="; ".join(bad),
                        fix="export another one: reconcile checkpoints list",
                    )
                found = KeptLook(self.reference, manifest)
                async with in_a_folder(kept, manifest, fleet, self.untidied.append) as folder:
                    looked = await pump(directory.look(folder, len(manifest.trees)), fleet.host(kept.at.host))
                    found.take(looked)
                    lines = self._lines(manifest, found, section)
                    archives = exporting.archives(manifest, section)
                    await self._fetch(kept.at.host, folder, archives, lines, fleet, sink)
            await asyncio.to_thread(look, part)
        return Exported(kept, self.path, self.path.stat().st_size)

    def _lines(self, manifest: Manifest, found: KeptLook, section: Container) -> tuple[str, str, str]:
        if not found.oci:
            raise Refused(
                f"{self.reference} cannot be exported",
                code="P454",
                why="it was taken by an earlier release, which did not keep its container's configuration",
                fix=f"take a new one: reconcile checkpoint {manifest.workload}",
            )
        deleted = json.dumps([f"/{path}" for path in found.deleted])
        return exporting.config_dump(manifest, section, found.oci), exporting.spec_dump(found.oci), deleted

    async def _fetch(
        self,
        host: str,
        folder: str,
        archives: tuple[str, ...],
        lines: tuple[str, str, str],
        fleet: Fleet,
        sink: int,
    ) -> None:
        out = f"{folder.rpartition('/')[0]}/.export.{new_run_id()}"
        try:
            if untold := await pump(directory.lay(folder, out, archives, *lines), fleet.host(host)):
                raise Refused(
                    f"{self.reference} cannot be exported",
                    code="P454",
                    why=f"its root filesystem is told by more than files ({untold})",
                    fix="bring it back with reconcile restore",
                )
            async with open_relay(self.spec) as relay:
                said = await relay.receive(host, directory.sending(out), sink)
            if said.status:
                raise CommandFailed(
                    f"the archive of {self.reference} did not come",
                    code="C376",
                    where=host,
                    why=telling(said.stderr),
                    fix="try again",
                )
        finally:
            with lenient("C375", f"{out} stays there", self.untidied.append, host):
                await asyncio.shield(pump(directory.clear(out), fleet.host(host)))


@contextmanager
def _new_file(path: Path) -> Iterator[tuple[Path, int]]:
    """A file beside it, for its owner only, which gets its name at the end; nothing stays where that does not
    come."""
    part = path.with_name(f".{path.name}.part")
    if path.exists():
        raise InputError(f"{path} is there already", code="E206", fix="give another name, or remove it")
    try:
        part.unlink(missing_ok=True)
        sink = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            yield part, sink
            os.fsync(sink)
        finally:
            os.close(sink)
        os.link(part, path)
    except OSError as error:
        why = error.strerror or str(error)
        raise InputError(f"{path} cannot be written", code="E206", why=why, fix="give another place") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
