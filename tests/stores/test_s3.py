"""Checkpoints in S3, by restic. Real: restic, and a server that speaks S3 on this machine (moto's). Fake: that
this is a host. `make s3-tests` installs the server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.errors import CommandFailed
from reconciler.model.checkpoint import KeptAt
from reconciler.model.restic import ResticStore
from reconciler.stores import directory, restic, shelf
from tests.stores.conftest import here
from tests.stores.test_restic import KEYS, Put, failed
from tests.stores.test_restic import program as program
from tests.stores.test_restic import put as put

SERVER = Path(sys.executable).with_name("moto_server")
SECRETS = {**KEYS, "AWS_ACCESS_KEY_ID": b"somebody", "AWS_SECRET_ACCESS_KEY": b"a secret of theirs"}
pytestmark = [
    pytest.mark.s3,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not SERVER.exists(), reason="there is no server for S3; `make s3-tests` installs one"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address. What it keeps is in its memory."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("s3") / "log").open("wb")
    job = subprocess.Popen([SERVER, "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)
    try:
        until = time.monotonic() + 60
        while True:
            assert job.poll() is None and time.monotonic() < until
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        job.kill()
        job.wait()
        log.close()


def bucket(server: str, root: Path, name: str) -> KeptAt:
    raw = {
        "on": "h1",
        "repository": f"s3:http://{server}/{name}",
        "fleet": "prod",
        "password": {"fromEnv": "P"},
        "env": {"AWS_ACCESS_KEY_ID": {"fromEnv": "A"}, "AWS_SECRET_ACCESS_KEY": {"fromEnv": "B"}},
    }
    return KeptAt("h1", str(root / f"staging-{name}"), "vault", ResticStore.model_validate(raw))


def asked(program: str, at: KeptAt, *words: str) -> subprocess.CompletedProcess[bytes]:
    """restic itself, as a person would call it."""
    assert at.repository is not None
    variables = {name: value.decode() for name, value in SECRETS.items()}
    variables["RESTIC_REPOSITORY"] = at.repository.repository
    return subprocess.run([program, *words], env=os.environ | variables, capture_output=True, timeout=300)


@pytest.fixture
def vault(server: str, tmp_path: Path, program: str) -> KeptAt:
    """A new bucket, with a repository."""
    at = bucket(server, tmp_path, f"b{time.monotonic_ns()}")
    done = asked(program, at, "init")
    assert done.returncode == 0, done.stderr
    return at


def test_pushed_listed_verified_restored_and_removed(
    vault: KeptAt, put: Put, program: str, tmp_path: Path
) -> None:
    first = put(1, os.urandom(9_000_000), keys=SECRETS)
    second = put(2, os.urandom(9_000_000), keys=SECRETS)
    assert {one.id for one in here(shelf.listed(vault, SECRETS))} == {first.id, second.id}
    assert [one.id for one in here(shelf.listed(vault, SECRETS, "web", newest=1))] == [second.id]
    assert here(shelf.wrong(second, SECRETS)) == ()
    assert asked(program, vault, "check", "--read-data").returncode == 0
    folder = restic.brought_to(vault, "run")
    assert second.manifest is not None
    here(restic.bring(vault, SECRETS, "web", second.id, folder, second.manifest.bytes))
    assert here(directory.wrong(folder, second.manifest.files)) == ()
    assert here(directory.manifest_text(folder)).strip() == second.manifest.text
    here(shelf.pin(first, SECRETS, on=True))
    assert {one.id: one.pinned for one in here(shelf.listed(vault, SECRETS))}[first.id]
    # Without this program: as docs/checkpoints.md says.
    words = (
        "latest",
        "--tag",
        f"reconciler,fleet=prod,workload=web,id={second.id}",
        "--target",
        str(tmp_path / "out"),
    )
    assert asked(program, vault, "restore", *words).returncode == 0
    (found,) = (tmp_path / "out").rglob("images.tar")
    assert found.read_bytes() == Path(folder, "images.tar").read_bytes()
    here(shelf.discard(vault, SECRETS, [second]))
    assert [one.id for one in here(shelf.listed(vault, SECRETS))] == [first.id]
    assert here(shelf.wrong(first, SECRETS)) == ()


def test_no_bucket_no_keys_and_no_server_are_told(server: str, vault: KeptAt, tmp_path: Path) -> None:
    none = failed(bucket(server, tmp_path, "another-bucket"), SECRETS)
    assert "init" in none.fix, none
    with pytest.raises(CommandFailed) as error:
        here(shelf.listed(vault, KEYS))
    assert error.value.code == "C382"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = bucket(f"127.0.0.1:{taken.getsockname()[1]}", tmp_path, "b")
        away = failed(nobody, SECRETS)
    assert "a secret of theirs" not in f"{none}{error.value}{away}"
