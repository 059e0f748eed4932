"""Checkpoints in repositories of restic. Real: restic, whichever version this machine has, and the scripts, here.
Fake: that it is a host. `RESTIC` names another one's folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from reconciler.errors import CommandFailed, HostError, InputError
from reconciler.model.checkpoint import Kept, KeptAt, KeptFile, KeptRehearsal, Manifest, TakenFrom
from reconciler.model.restic import ResticStore
from reconciler.stores import directory, restic, shelf
from tests.stores.conftest import here

PASSWORD = b"correct horse"
KEYS: Mapping[str, bytes] = {"RESTIC_PASSWORD": PASSWORD}
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(autouse=True)
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The restic of this machine, with nothing set that it would take from its environment."""
    if folder := os.environ.get("RESTIC"):
        monkeypatch.setenv("PATH", folder, prepend=":")
    found = shutil.which("restic")
    if found is None:
        pytest.skip("there is no restic on this machine; `make ready` installs it")
    for name in [name for name in os.environ if name.startswith(("RESTIC_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return found


def store(repository: str, fleet: str = "prod") -> ResticStore:
    raw = {"on": "h1", "repository": repository, "fleet": fleet, "password": {"fromEnv": "P"}}
    return ResticStore.model_validate(raw)


def place(root: Path, fleet: str = "prod") -> KeptAt:
    return KeptAt("h1", str(root / f"staging-{fleet}"), "vault", store(str(root / "repository"), fleet))


def run(program: str, at: KeptAt, *words: str, password: bytes = PASSWORD) -> subprocess.CompletedProcess[bytes]:
    assert at.repository is not None
    variables = {"RESTIC_PASSWORD": password.decode(), "RESTIC_REPOSITORY": at.repository.repository}
    return subprocess.run([program, *words], env=os.environ | variables, capture_output=True, timeout=300)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that was just made; each test has its own copy, for to make one takes seconds."""
    root = tmp_path_factory.mktemp("empty")
    with pytest.MonkeyPatch.context() as patch:
        if folder := os.environ.get("RESTIC"):
            patch.setenv("PATH", folder, prepend=":")
        if shutil.which("restic") is None:
            pytest.skip("there is no restic on this machine; `make ready` installs it")
        assert run("restic", place(root), "init").returncode == 0
    return root / "repository"


@pytest.fixture
def vault(tmp_path: Path, empty: Path) -> KeptAt:
    shutil.copytree(empty, tmp_path / "repository")
    return place(tmp_path)


Put = Callable[..., Kept]


@pytest.fixture
def put(tmp_path: Path, vault: KeptAt) -> Put:
    """Puts checkpoints into the vault, one a minute."""

    def one(
        number: int,
        data: bytes = b"pages",
        at: KeptAt = vault,
        workload: str = "web",
        keys: Mapping[str, bytes] = KEYS,
    ) -> Kept:
        name = f"20261126-01{number:02}39-8584"
        part = directory.part_of(f"{tmp_path}/captured/{workload}/{name}")
        here(directory.begin(part))
        Path(part, "images.tar").write_bytes(data)
        Path(part, "1.names").write_bytes(b"x" * number)
        files = [
            KeptFile(name=n, bytes=len(d), sha256=hashlib.sha256(d).hexdigest()) for n, d in _told(data, number)
        ]
        manifest = Manifest(
            id=name,
            workload=workload,
            epoch=3,
            taken_at=1e9 + 60.0 * number,
            frozen_s=0.1,
            came_from=TakenFrom(host="h1", runtime="podman"),
            files=tuple(files),
        ).sealed()
        here(shelf.take(at, keys, part, manifest))
        assert not Path(part).exists()
        return Kept(at, workload, name, manifest=manifest)

    return one


def _told(data: bytes, number: int) -> Iterator[tuple[str, bytes]]:
    yield "images.tar", data
    yield "1.names", b"x" * number


def packs(root: Path) -> list[Path]:
    return sorted((root / "repository" / "data").glob("*/*"), key=lambda path: path.stat().st_size)


def damage(path: Path) -> None:
    path.chmod(0o600)
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 64] = bytes(64)
    path.write_bytes(raw)


def test_what_was_put_in_comes_out(tmp_path: Path, vault: KeptAt, put: Put) -> None:
    assert here(shelf.listed(vault, KEYS)) == ()
    first, second = put(1, os.urandom(300_000)), put(2, os.urandom(300_000))
    other = put(3, workload="db")
    for _ in range(2):  # the second time manifests come from what the host has kept
        found = here(shelf.listed(vault, KEYS))
        assert {(one.workload, one.id, one.pinned) for one in found} == {
            ("web", first.id, False),
            ("web", second.id, False),
            ("db", other.id, False),
        }
        assert {one.id: one.manifest for one in found} == {
            made.id: made.manifest for made in (first, second, other)
        }
    assert [one.id for one in here(shelf.listed(vault, KEYS, "web", newest=1))] == [second.id]
    assert here(shelf.wrong(second, KEYS)) == ()
    folder = restic.brought_to(vault, "run")
    assert second.manifest is not None
    for _ in range(2):
        here(restic.bring(vault, KEYS, "web", second.id, folder, second.manifest.bytes))
        assert here(directory.wrong(folder, second.manifest.files)) == ()
    assert here(directory.manifest_text(folder)).strip() == second.manifest.text


def test_one_that_is_put_in_twice_is_there_once(tmp_path: Path, vault: KeptAt, put: Put, program: str) -> None:
    put(1)
    put(1)
    assert run(program, vault, "snapshots", "--json").stdout.count(b'"tree"') == 1


def test_pins_and_removals(tmp_path: Path, vault: KeptAt, put: Put, program: str) -> None:
    made = [put(number, os.urandom(2_000_000)) for number in (1, 2)]
    before = sum(path.stat().st_size for path in packs(tmp_path))
    here(shelf.pin(made[0], KEYS, on=True))
    assert {one.id: one.pinned for one in here(shelf.listed(vault, KEYS))} == {made[0].id: True, made[1].id: False}
    assert here(shelf.wrong(made[0], KEYS)) == ()
    here(shelf.pin(made[0], KEYS, on=False))
    assert not any(one.pinned for one in here(shelf.listed(vault, KEYS)))
    for _ in range(2):
        here(shelf.discard(vault, KEYS, made[:1]))
        assert [one.id for one in here(shelf.listed(vault, KEYS))] == [made[1].id]
    assert sum(path.stat().st_size for path in packs(tmp_path)) < 0.7 * before
    assert run(program, vault, "check", "--read-data").returncode == 0


def test_two_fleets_share_a_repository(tmp_path: Path, vault: KeptAt, put: Put) -> None:
    theirs = place(tmp_path, "staging")
    ours, other = put(1), put(1, b"other", theirs)
    assert here(shelf.listed(vault, KEYS)) == (ours,)
    assert here(shelf.listed(theirs, KEYS)) == (other,)
    here(shelf.discard(theirs, KEYS, [other]))
    assert here(shelf.listed(theirs, KEYS)) == () and here(shelf.wrong(ours, KEYS)) == ()


def test_a_damaged_pack_is_found_and_named(tmp_path: Path, vault: KeptAt, put: Put, program: str) -> None:
    whole, bad = put(1, os.urandom(1_500_000)), put(2, os.urandom(4_000_000))
    damage(packs(tmp_path)[-1])
    assert run(program, vault, "check").returncode == 0, "it reads no data"
    assert run(program, vault, "check", "--read-data").returncode != 0
    (said, *_) = here(shelf.wrong(bad, KEYS))
    assert "images.tar is damaged" in said
    assert here(shelf.wrong(whole, KEYS)) == ()
    folder = restic.brought_to(vault, "run")
    assert bad.manifest is not None
    here(restic.bring(vault, KEYS, "web", bad.id, folder, bad.manifest.bytes))
    assert "images.tar is damaged" in here(directory.wrong(folder, bad.manifest.files))


def test_an_edited_manifest_is_refused(tmp_path: Path, vault: KeptAt, put: Put) -> None:
    made = put(1)
    here(shelf.listed(vault, KEYS))
    (kept,) = (Path(vault.folder) / ".manifests").iterdir()
    kept.write_text(kept.read_text().replace('"epoch":3', '"epoch":9'))
    (found,) = here(shelf.listed(vault, KEYS))
    assert found.manifest is None and found.broken == "it was changed since the checkpoint was taken"
    assert found.id == made.id


def failed(vault: KeptAt, keys: Mapping[str, bytes] = KEYS) -> CommandFailed:
    with pytest.raises(CommandFailed) as error:
        here(shelf.listed(vault, keys))
    assert error.value.code == "C382" and error.value.where == "h1"
    assert PASSWORD.decode() not in str(error.value)
    return error.value


def test_there_is_no_repository(tmp_path: Path) -> None:
    said = failed(place(tmp_path))
    assert "no such file" in said.why and "init" in said.fix


def test_the_password_is_wrong(vault: KeptAt) -> None:
    said = failed(vault, {"RESTIC_PASSWORD": b"battery"})
    assert "wrong password" in said.why and "password" in said.fix


def test_the_password_is_in_a_file_of_the_host(tmp_path: Path, vault: KeptAt, put: Put) -> None:
    made = put(1)
    (tmp_path / "password").write_bytes(PASSWORD + b"\n")
    raw = {"on": "h1", "repository": str(tmp_path / "repository"), "fleet": "prod"}
    by_file = ResticStore.model_validate(raw | {"passwordFile": str(tmp_path / "password")})
    at = KeptAt("h1", vault.folder, "vault", by_file)
    assert [one.id for one in here(shelf.listed(at, {}))] == [made.id]
    (tmp_path / "password").unlink()
    assert "password" in failed(at, {}).why


def test_there_is_no_restic(tmp_path: Path, vault: KeptAt, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("sh", "mktemp", "mkdir", "rm", "cat", "tail", "timeout"):
        (bare / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", str(bare))
    said = failed(vault)
    assert said.why == "there is no restic" and said.fix == "install it on h1: apt-get install restic"


def test_nobody_answers(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    at = KeptAt("h1", str(tmp_path), "vault", store(f"sftp://nobody@127.0.0.1:{port}/srv"))
    said = failed(at)
    assert "unable to" in said.why and "h1 reaches it" in said.fix


def test_a_lock_that_somebody_holds_is_waited_for_and_told(
    tmp_path: Path, vault: KeptAt, put: Put, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = put(1)
    monkeypatch.setattr(restic, "TRIES", 2)
    holder = _holder(tmp_path, vault, program)
    try:
        assert [one.id for one in here(shelf.listed(vault, KEYS))] == [made.id], "only listing needs no lock"
        with pytest.raises(CommandFailed) as error:
            here(shelf.pin(made, KEYS, on=True))
        assert "already locked" in error.value.why and "done" in error.value.fix
    finally:
        os.killpg(holder.pid, 9)
        holder.wait()
    here(shelf.pin(made, KEYS, on=True))  # whoever held it is dead: its lock goes
    assert here(shelf.listed(vault, KEYS))[0].pinned


def _holder(tmp_path: Path, at: KeptAt, program: str) -> subprocess.Popen[bytes]:
    """A restic that backs up what never comes, and so holds a lock."""
    assert at.repository is not None
    variables = {"RESTIC_PASSWORD": PASSWORD.decode(), "RESTIC_REPOSITORY": at.repository.repository}
    reader, writer = os.pipe()
    argv = [program, "backup", "--stdin"]
    made = subprocess.Popen(
        argv,
        stdin=reader,
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=(writer,),
    )
    os.close(reader)
    os.close(writer)
    until = time.monotonic() + 60
    while not list((tmp_path / "repository" / "locks").iterdir()):
        assert time.monotonic() < until and made.poll() is None
        time.sleep(0.05)
    return made


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
def test_a_repository_that_is_full_takes_nothing(tmp_path: Path, program: str, put: Put) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small], check=True)
    try:
        at = place(small)
        shutil.copytree(tmp_path / "repository", small / "repository")
        first = put(1, os.urandom(500_000), at)
        with pytest.raises(CommandFailed) as error:
            put(2, os.urandom(6_000_000), at)
        assert "no space left" in error.value.why
        assert here(shelf.listed(at, KEYS)) == (first,)
        part = Path(directory.part_of(f"{tmp_path}/captured/web/20261126-010239-8584"))
        assert (part / "images.tar").stat().st_size == 6_000_000, "what was captured stays"
    finally:
        subprocess.run(["umount", small], check=True)


def test_files_that_do_not_fit_on_the_host_are_not_brought(vault: KeptAt, put: Put) -> None:
    made = put(1)
    with pytest.raises(CommandFailed) as error:
        here(restic.bring(vault, KEYS, "web", made.id, restic.brought_to(vault, "run"), 2**60))
    assert "bytes are free" in error.value.why and error.value.fix == "make room on h1"


def test_what_is_gone_is_told(vault: KeptAt, put: Put) -> None:
    made = put(1)
    here(shelf.discard(vault, KEYS, [made]))
    with pytest.raises(CommandFailed, match="cannot be used") as error:
        here(shelf.wrong(made, KEYS))
    assert "checkpoints list" in error.value.fix


def test_secrets_are_in_no_argument_and_in_no_trace(vault: KeptAt, put: Put) -> None:
    made = put(1)
    for program in (shelf.listed(vault, KEYS), shelf.wrong(made, KEYS), shelf.discard(vault, KEYS, [made])):
        command = next(program)
        assert not any(PASSWORD.decode() in word for word in command.argv)
        assert command.secret and PASSWORD in command.stdin


@pytest.mark.parametrize(
    "text",
    ['[{"id": "x"}]', '[{"id": "%s", "tree": "../../etc", "tags": ["workload=web", "id=a"]}]' % ("a" * 64), "[["],
)
def test_a_host_that_lies_about_snapshots_is_not_believed(vault: KeptAt, text: str) -> None:
    from reconciler.model.command import Result

    program = shelf.listed(vault, KEYS)
    next(program)
    with pytest.raises(HostError):
        program.send(Result(0, text, ""))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"password": None}, "exactly one of"),
        ({"passwordFile": "/etc/restic"}, "exactly one of"),
        ({"repository": "rest:http://me:secret@h2:8000/"}, "has a password in it"),
        ({"env": {"RESTIC_PASSWORD": {"fromEnv": "A"}}}, "must not set"),
        ({"env": {"AWS_SECRET_ACCESS_KEY": "abc"}}, "SecretRef"),
    ],
)
def test_stores_that_are_refused(more: dict[str, object], why: str) -> None:
    raw = {"on": "h1", "repository": "s3:s3.example/b", "fleet": "prod", "password": {"fromEnv": "P"}} | more
    with pytest.raises(ValueError, match=why):
        ResticStore.model_validate({key: value for key, value in raw.items() if value is not None})


def test_a_secret_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from reconciler.commands.compose import keys_of

    raw = {"on": "h1", "repository": "s3:s3.example/b", "fleet": "prod", "password": {"fromEnv": "P"}}
    at = KeptAt(
        "h1", "/x", "vault", ResticStore.model_validate(raw | {"env": {"AWS_SECRET_ACCESS_KEY": {"fromEnv": "K"}}})
    )
    monkeypatch.setenv("P", "p")
    with pytest.raises(InputError, match="variable K is not set") as error:
        keys_of(at)
    assert error.value.where == "store vault, env AWS_SECRET_ACCESS_KEY"
    monkeypatch.setenv("K", "two\nlines")
    with pytest.raises(InputError, match="several lines"):
        keys_of(at)
    monkeypatch.setenv("K", "k")
    assert keys_of(at) == {"AWS_SECRET_ACCESS_KEY": b"k", "RESTIC_PASSWORD": b"p"}
    assert keys_of(KeptAt("h1")) == {}


def test_rehearsals_are_tags(vault: KeptAt, put: Put) -> None:
    good, bad = KeptRehearsal(1.79e9, "h3"), KeptRehearsal(1.8e9, "h3", "it is not healthy, no")
    first, second, third = put(1), put(2), put(3)
    here(shelf.note(first, KEYS, good))
    here(shelf.note(second, KEYS, good))
    (seen,) = (one for one in here(shelf.listed(vault, KEYS)) if one.id == second.id)
    assert seen.rehearsed == good and here(shelf.wrong(seen, KEYS)) == ()
    here(shelf.note(seen, KEYS, bad))
    here(shelf.pin(first, KEYS, on=True))
    found = {one.id: (one.rehearsed, one.pinned) for one in here(shelf.listed(vault, KEYS))}
    assert found == {first.id: (good, True), second.id: (bad, False), third.id: (None, False)}
    newest = here(shelf.listed(vault, KEYS, newest=1))
    assert {one.id for one in newest} == {first.id, second.id, third.id}
