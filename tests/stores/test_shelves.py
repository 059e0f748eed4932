"""Checkpoints that are copied, and those that a policy keeps no longer. Real: the scripts, on this machine. Fake:
that it is several hosts, and the copy between two."""

from __future__ import annotations

import asyncio
import calendar
import hashlib
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.views.kept import render_pruned
from reconciler.commands import kept, points, shelves
from reconciler.commands.due import TakeDue
from reconciler.commands.kept import FoundKept
from reconciler.errors import CommandFailed, HostError, HostUnreachable, InputError, Refused
from reconciler.model.checkpoint import Kept, KeptAt, KeptFile, Manifest, TakenFrom
from reconciler.model.command import Command, Result
from reconciler.model.spec import Spec
from reconciler.stores import directory
from tests.core.worlds import host, spec, workload
from tests.stores.conftest import here


def ran(command: Command) -> Result:
    done = subprocess.run(command.argv, input=command.stdin, capture_output=True, timeout=120)
    if done.returncode not in command.ok:
        raise CommandFailed("failed", exit_code=done.returncode, stderr=done.stderr.decode())
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def copied(folder: str, target: str, broken: bytes) -> None:
    subprocess.run(["cp", "-a", f"{folder}/.", target], check=True)
    if broken:
        Path(target, "images.tar").write_bytes(broken)


class Fleet:
    """Any host is this machine. `breaks`: what a copy between two arrives as."""

    name, breaks = "h1", b""

    def host(self, name: str) -> Any:
        return self

    async def run(self, command: Command) -> Result:
        return ran(command)

    async def open_link(self, *_: str) -> None:
        return None

    async def close_link(self, *_: str) -> None:
        return None

    async def copy_trees(self, source: str, destination: str, key: str, pairs: Any, progress: Any) -> None:
        ((there, target),) = pairs
        copied(there.path, target.path, self.breaks)


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    made = Fleet()

    @asynccontextmanager
    async def opened(*_: Any) -> AsyncIterator[Fleet]:
        yield made

    monkeypatch.setattr(shelves, "open_fleet", opened)
    return made


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Kept]:
    """Puts checkpoints of `web` into a store on h1, one a minute."""
    at, made = KeptAt("h1", str(tmp_path / "one")), list[Kept]()

    def put(number: int, data: bytes = b"pages") -> Kept:
        name = f"20261126-01{number:02}39-8584"
        folder = at.of("web", name)
        here(directory.begin(directory.part_of(folder)))
        Path(directory.part_of(folder), "images.tar").write_bytes(data)
        file = KeptFile(name="images.tar", bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
        manifest = Manifest(
            id=name,
            workload="web",
            epoch=3,
            taken_at=1e9 + 60.0 * number,
            frozen_s=0.1,
            came_from=TakenFrom(host="h1", runtime="podman"),
            files=(file,),
        ).sealed()
        here(directory.seal(directory.part_of(folder), folder, manifest))
        made.append(Kept(at, "web", name, manifest=manifest))
        return made[-1]

    async def stock(*_: Any) -> FoundKept:
        return FoundKept(tuple(here(directory.listed(at))), {})

    monkeypatch.setattr(shelves, "stock", stock)
    monkeypatch.setattr(shelves, "DEFAULT_FOLDER", at.folder)
    return put


def specs() -> Spec:
    made = spec(host("h1"), host("h2"), workload())
    refs = {"policy": "few"}
    web = made.workloads["web"]
    saved = web.model_copy(update={"spec": web.spec.model_validate(web.spec.model_dump() | {"checkpoints": refs})})
    policy = {
        "api_version": "reconciler/v1alpha1",
        "kind": "CheckpointPolicy",
        "metadata": {"name": "few"},
        "spec": {"every": "1m", "keep": {"last": 2}},
    }
    raw = made.model_copy(update={"workloads": {"web": saved}})
    return Spec.model_validate(raw.model_dump() | {"checkpoint_policies": {"few": policy}})


def folders(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "web").glob("*")) if root.exists() else []


@pytest.mark.parametrize("to", ["h1", "h2"])
def test_a_copy_is_listed_when_it_is_whole(
    to: str, tmp_path: Path, fleet: Fleet, shop: Callable[..., Kept]
) -> None:
    made, other = shop(1), tmp_path / "two"
    here(directory.pin(made.folder, on=True))
    for _ in range(2):
        done = asyncio.run(shelves.CopyKept(specs(), "web@latest", f"{to}:{other}")())
        (found,) = here(directory.listed(KeptAt(to, str(other))))
        assert (found.manifest, found.pinned, done.id) == (made.manifest, False, made.id)
    assert folders(other) == [made.id] and folders(tmp_path / "one") == [made.id]


def test_what_arrives_damaged_is_no_copy(tmp_path: Path, fleet: Fleet, shop: Callable[..., Kept]) -> None:
    shop(1)
    fleet.breaks = b"page"
    with pytest.raises(CommandFailed, match="did not arrive as it was packed") as failed:
        asyncio.run(shelves.CopyKept(specs(), "web@latest", f"h2:{tmp_path / 'two'}")())
    assert failed.value.code == "C372" and list((tmp_path / "two").glob("**/*")) == []


def _damaged(folder: Path) -> None:
    (folder / "images.tar").write_bytes(b"rotten")


def _lost(folder: Path) -> None:
    (folder / "images.tar").unlink()


def _cut(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")


def _nameless(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize("bad", [_damaged, _lost, _cut, _nameless])
@pytest.mark.parametrize("to", ["h1", "h2"])
def test_a_copy_that_is_not_whole_is_replaced_and_stays_pinned(
    bad: Callable[[Path], None], to: str, tmp_path: Path, fleet: Fleet, shop: Callable[..., Kept]
) -> None:
    made, other = shop(1), tmp_path / "two"
    copy = lambda: asyncio.run(shelves.CopyKept(specs(), "web@latest", f"{to}:{other}")())  # noqa: E731
    done = copy()
    here(directory.pin(done.folder, on=True))
    bad(Path(done.folder))
    assert copy().manifest == made.manifest
    (found,) = here(directory.listed(KeptAt(to, str(other))))
    assert found.manifest == made.manifest and found.pinned
    assert here(directory.wrong(done.folder, made.manifest.files if made.manifest else ())) == ()
    assert [path.name for path in (other / "web").iterdir()] == [made.id]


def test_the_only_one_is_not_copied_over_itself(tmp_path: Path, fleet: Fleet, shop: Callable[..., Kept]) -> None:
    made = shop(1)
    assert asyncio.run(shelves.CopyKept(specs(), "web@latest", str(made.at))()).id == made.id
    _damaged(Path(made.folder))
    with pytest.raises(CommandFailed, match="is not whole, and no other one was found"):
        asyncio.run(shelves.CopyKept(specs(), "web@latest", str(made.at))())
    assert folders(tmp_path / "one") == [made.id]


def test_two_copies_at_once_are_one(tmp_path: Path, fleet: Fleet, shop: Callable[..., Kept]) -> None:
    """The second comes to its end first; what the first does then, also when it fails, leaves that as it is."""
    made, other = shop(1), f"h2:{tmp_path / 'two'}"
    real, inner = fleet.copy_trees, list[Kept]()

    for breaks in (b"", b"page"):

        async def meanwhile(*way: Any, breaks: bytes = breaks) -> None:
            fleet.copy_trees = real  # type: ignore[method-assign]
            inner.append(await shelves.CopyKept(specs(), "web@latest", other)())
            fleet.breaks = breaks
            await real(*way)
            fleet.breaks = b""

        fleet.copy_trees = meanwhile  # type: ignore[method-assign]
        if breaks:
            with pytest.raises(CommandFailed, match="did not arrive"):
                asyncio.run(shelves.CopyKept(specs(), "web@latest", other)())
        else:
            assert asyncio.run(shelves.CopyKept(specs(), "web@latest", other)()).id == made.id
        assert folders(tmp_path / "two") == [made.id] and len(list((tmp_path / "two/web").iterdir())) == 1
        here(directory.discard(inner[-1].folder))


def test_what_is_kept_no_longer_is_shown_and_then_goes(
    tmp_path: Path, fleet: Fleet, shop: Callable[..., Kept]
) -> None:
    made = [shop(number) for number in range(1, 6)]
    here(directory.pin(made[0].folder, on=True))
    for really in (False, True):
        (told,) = asyncio.run(shelves.prune(specs(), "web", really=really)).places
        assert told.stays.id == made[4].id and {one.id for one in told.goes} == {made[1].id, made[2].id}
        assert len(folders(tmp_path / "one")) == (3 if really else 5)
    assert asyncio.run(shelves.prune(specs(), "web", really=True)) == shelves.Pruning((), {})


def with_a_store(at: KeptAt) -> Spec:
    """Whose policy names a store."""
    made = specs()
    store = {
        "api_version": "reconciler/v1alpha1",
        "kind": "CheckpointStore",
        "metadata": {"name": "vault"},
        "spec": {"directory": {"host": at.host, "folder": at.folder}},
    }
    raw = made.model_dump()
    raw["checkpoint_policies"]["few"]["spec"]["store"] = "vault"
    return Spec.model_validate(raw | {"checkpoint_stores": {"vault": store}})


def test_an_archive_is_not_tidied_by_a_policy(
    tmp_path: Path, fleet: Fleet, shop: Callable[..., Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither where the policy names another store, nor where nothing was taken on the host that keeps it."""
    at = {shop(number).at for number in range(1, 6)}.pop()
    pruned = lambda spec, where="": asyncio.run(shelves.prune(spec, "web", where)).places  # noqa: E731
    assert [len(one.goes) for one in pruned(with_a_store(at))] == [3]
    assert pruned(with_a_store(KeptAt("h2", at.folder))) == pruned(with_a_store(KeptAt("h1", "/srv/other"))) == ()
    assert [len(one.goes) for one in pruned(with_a_store(KeptAt("h2")), str(at))] == [3], "a person says where"

    async def archive(*_: Any) -> FoundKept:
        return FoundKept(tuple(here(directory.listed(KeptAt("h2", at.folder)))), {})

    assert [len(one.goes) for one in pruned(specs())] == [3]
    monkeypatch.setattr(shelves, "stock", archive)
    assert pruned(specs()) == ()


def test_where_nobody_could_look_is_told(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = {name: HostUnreachable("cannot connect", where=name) for name in ("h1", "h2")}

    async def nothing(*_: Any) -> FoundKept:
        return FoundKept((), gone)

    monkeypatch.setattr(shelves, "stock", nothing)
    done = asyncio.run(shelves.prune(specs()))
    assert done.unknown == gone
    assert render_pruned(done, removed=True).splitlines() == [
        "Nothing is kept longer than its policy says, where it could be seen.",
        "? h1: cannot connect",
        "? h2: cannot connect",
    ]
    assert set(asyncio.run(shelves.prune(with_a_store(KeptAt("h2")))).unknown) == {"h2"}


@pytest.mark.parametrize("reference", ["web", "web@latest", "web@20261126-010139-8584"])
def test_what_may_be_where_nobody_could_look_is_not_said_to_be_nowhere(reference: str) -> None:
    with pytest.raises(HostError, match="not everywhere could be looked") as unknown:
        kept.chosen(reference, FoundKept((), {"h2": HostUnreachable("cannot connect", where="h2")}))
    assert unknown.value.exit_code == 7 and (unknown.value.where, unknown.value.why) == (
        "h2",
        "h2: cannot connect",
    )
    with pytest.raises(InputError):
        kept.chosen(reference, FoundKept((), {}))


def test_what_is_in_several_places_goes_from_those_that_were_said(
    tmp_path: Path, fleet: Fleet, shop: Callable[..., Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, more = shop(1), shop(2)
    archive = KeptAt("h2", str(tmp_path / "two"))
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    places = {str(at): at for at in (one.at, archive)}

    async def stock(spec: Spec, fleet: Fleet, where: str = "", *_: Any) -> FoundKept:
        some = [places[where]] if where else places.values()
        return FoundKept(tuple(found for at in some for found in here(directory.listed(at))), {})

    @asynccontextmanager
    async def opened(*_: Any) -> AsyncIterator[Fleet]:
        yield fleet

    monkeypatch.setattr(kept, "stock", stock)
    monkeypatch.setattr(kept, "open_fleet", opened)
    for reference in (f"web@{one.id}", "web@latest"):
        with pytest.raises(Refused, match="is kept in several places") as refused:
            asyncio.run(kept.remove(specs(), [reference]))
        assert str(archive) in refused.value.why and "--everywhere" in refused.value.fix
    asyncio.run(kept.remove(specs(), [f"web@{one.id}"], str(one.at)))
    assert folders(tmp_path / "one") == [more.id] and folders(tmp_path / "two") == [one.id, more.id]
    asyncio.run(kept.remove(specs(), ["web@latest"], str(one.at)))
    assert folders(tmp_path / "one") == [] and folders(tmp_path / "two") == [one.id, more.id]
    with pytest.raises(Refused, match="no other checkpoint"):
        asyncio.run(kept.remove(specs(), [f"web@{one.id}", f"web@{more.id}"], str(archive)))
    shutil.copytree(tmp_path / "two", tmp_path / "one", dirs_exist_ok=True)
    asyncio.run(kept.remove(specs(), [f"web@{one.id}"], everywhere=True))
    assert folders(tmp_path / "one") == folders(tmp_path / "two") == [more.id]


def test_the_only_whole_one_never_goes(tmp_path: Path, fleet: Fleet, shop: Callable[..., Kept]) -> None:
    made = [shop(number) for number in range(1, 4)]
    for one in made[1:]:
        Path(one.folder, "images.tar").write_bytes(b"rotten")
    with pytest.raises(Refused, match="none of the checkpoints of web that would stay is whole") as refused:
        asyncio.run(shelves.prune(specs(), really=True))
    assert refused.value.code == "P453" and len(folders(tmp_path / "one")) == 3
    Path(made[1].folder, "images.tar").write_bytes(b"pages")
    (told,) = asyncio.run(shelves.prune(specs(), really=True)).places
    assert told.stays.id == made[1].id and folders(tmp_path / "one") == [made[1].id, made[2].id]


def test_what_was_taken_by_policy_takes_the_place_of_none_where_it_is_not_whole(
    tmp_path: Path, fleet: Fleet, shop: Callable[..., Kept]
) -> None:
    made = [shop(number) for number in range(1, 4)]
    policy = specs().checkpoint_policies["few"].spec
    for one in made[1:]:
        Path(one.folder, "images.tar").write_bytes(b"rotten")
    with pytest.raises(Refused, match="that would stay is whole"):
        asyncio.run(TakeDue(specs(), None)._prune(made, made[2], policy, fleet))
    assert len(folders(tmp_path / "one")) == 3
    Path(made[2].folder, "images.tar").write_bytes(b"pages")
    assert asyncio.run(TakeDue(specs(), None)._prune(made, made[2], policy, fleet)) == made[:1]
    assert folders(tmp_path / "one") == [made[1].id, made[2].id]


def test_what_is_of_the_future_hides_no_recovery_point(
    tmp_path: Path, fleet: Fleet, shop: Callable[..., Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [shop(number) for number in range(1, 9)]
    monkeypatch.setattr(points, "places_of", lambda _: [made[0].at])
    now = float(calendar.timegm(time.strptime(made[3].id[:15], "%Y%m%d-%H%M%S")))
    (found,) = asyncio.run(points.recovery_points(specs(), fleet, (), now)).values()  # type: ignore[arg-type]
    assert {one.id for one in found.kept} == {one.id for one in made[1:7]}
