"""What was edited or damaged in a store is refused by whatever would use it. Real: the scripts, on this machine.
Fake: that it is a host."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.commands import exporting, kept, looking, shelves
from reconciler.commands.restore import Restore
from reconciler.errors import ReconcilerError, Refused
from reconciler.model.checkpoint import Kept, KeptAt, KeptFile, Manifest, TakenFrom
from reconciler.model.command import Command, Result
from reconciler.model.spec import Spec
from reconciler.stores import directory
from tests.core.worlds import host, spec, workload
from tests.stores.conftest import here
from tests.stores.test_shelves import ran

ID, OTHER = "20261126-014639-8584", "20261126-014640-8584"
MADE = {"spec": {"container": {"image": "app:1"}}}


class Here:
    """Any host is this machine."""

    name = "h1"

    def host(self, name: str) -> Here:
        return self

    async def run(self, command: Command) -> Result:
        return ran(command)


@dataclass(frozen=True)
class Shelf:
    """A store with one checkpoint of `web`."""

    at: KeptAt
    root: Path

    @property
    def where(self) -> str:
        return f"h1:{self.at.folder}"

    @property
    def manifest(self) -> Path:
        return Path(self.at.of("web", ID), "manifest.json")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    @asynccontextmanager
    async def opened(*_: Any) -> AsyncIterator[Here]:
        yield Here()

    for module in (kept, looking, shelves, exporting):
        monkeypatch.setattr(module, "open_fleet", opened)
    made = Shelf(KeptAt("h1", str(tmp_path / "one")), tmp_path)
    folder = made.at.of("web", ID)
    here(directory.begin(directory.part_of(folder)))
    Path(directory.part_of(folder), "images.tar").write_bytes(b"pages")
    file = KeptFile(name="images.tar", bytes=5, sha256=hashlib.sha256(b"pages").hexdigest())
    manifest = Manifest(
        id=ID,
        workload="web",
        epoch=3,
        taken_at=1e9,
        frozen_s=0.1,
        came_from=TakenFrom(host="h1", runtime="podman"),
        files=(file,),
        spec=MADE,
    ).sealed()
    here(directory.seal(directory.part_of(folder), folder, manifest))
    return made


def specs() -> Spec:
    return spec(host("h1"), host("h2"), workload())


def restored(shelf: Shelf) -> Awaitable[list[Kept]]:
    return Restore(specs(), f"web@{ID}", where=shelf.where)._candidates(Here())


USES: dict[str, Callable[[Shelf], Awaitable[Any]]] = {
    "copy": lambda s: shelves.CopyKept(specs(), f"web@{ID}", f"h1:{s.root}/two", s.where)(),
    "export": lambda s: exporting.Export(specs(), f"web@{ID}", s.root / "web.tar", s.where)(),
    "restore": restored,
    "show": lambda s: looking.look_into([f"web@{ID}"], specs, s.where),
}


def another(text: str) -> str:
    """A whole one, of another checkpoint."""
    return Manifest.model_validate_json(text).model_copy(update={"id": OTHER}).sealed().text


EDITS: dict[str, tuple[Callable[[str], str], str]] = {
    "a field changed": (lambda text: text.replace('"epoch":3', '"epoch":9'), "it was changed since"),
    "a digest changed": (
        lambda text: text.replace(hashlib.sha256(b"pages").hexdigest(), "0" * 64),
        "changed since",
    ),
    "no seal": (lambda text: json.dumps(json.loads(text) | {"seal": ""}), "it was changed since"),
    "cut short": (lambda text: text[:100], "it is none, or was cut short"),
    "of another": (another, f"it is that of web@{OTHER}"),
    "of a later release": (lambda text: json.dumps(json.loads(text) | {"format": 2}), "a later release wrote it"),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("use", USES)
def test_a_manifest_that_was_edited_is_used_for_nothing(shelf: Shelf, use: str, edit: str) -> None:
    change, why = EDITS[edit]
    before = shelf.manifest.read_text()
    shelf.manifest.write_text(change(before))
    assert shelf.manifest.read_text() != before
    with pytest.raises(Refused) as refused:
        asyncio.run(USES[use](shelf))  # type: ignore[arg-type]
    assert refused.value.code == "P452" and why in refused.value.why and "checkpoints list" in refused.value.fix
    assert sorted(path.name for path in shelf.root.iterdir()) == ["one"]
    (found,) = asyncio.run(kept.verify(specs(), "web", shelf.where)).found
    assert why in found.wrong[0]


@pytest.mark.parametrize(("use", "code"), [("copy", "C372"), ("export", "C373")])
def test_files_that_were_changed_go_nowhere(shelf: Shelf, use: str, code: str) -> None:
    (shelf.manifest.parent / "images.tar").write_bytes(b"Pages")
    with pytest.raises(ReconcilerError) as refused:
        asyncio.run(USES[use](shelf))  # type: ignore[arg-type]
    assert refused.value.code == code and "images.tar is damaged" in refused.value.why
    assert not (shelf.root / "web.tar").exists() and list(shelf.root.glob("two/**/manifest.json")) == []
    (found,) = asyncio.run(kept.verify(specs(), "web", shelf.where)).found
    assert found.wrong == ("images.tar is damaged",)
