"""Checkpoints that others took, on their way into a store. Real: the scripts, tar, on this machine. Made here: the
archives, by what Podman, the kubelet and Docker call their parts."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from reconciler.errors import InputError
from reconciler.inspection.kept import KeptLook
from reconciler.inspection.look import look
from reconciler.inspection.taking import ROOTFS, foreign, repack
from reconciler.model.checkpoint import KeptTree, Manifest, TakenFrom
from reconciler.model.command import Tree
from reconciler.model.handover import Located
from reconciler.stores import directory
from tests.inspection.test_archives import checkpoint, pack
from tests.stores.conftest import here

VOLUMES = [{"volumeName": "web-data", "dest": "/data"}]
CONFIG = {"name": "web", "id": "c", "lockID": 1, "rootfsImageID": "ab" * 32, "namedVolumes": VOLUMES}


def tree(**files: bytes | int) -> bytes:
    """A tar of files; a number is the type of a member that is none."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, data in files.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            if isinstance(data, int):
                info.type = bytes([data])
                info.linkname = "../outside" if data == ord(tarfile.SYMTYPE) else ""
                made.addfile(info)
            else:
                info.size = len(data)
                made.addfile(info, io.BytesIO(data))
    return out.getvalue()


def archive(folder: Path, rootfs: bytes = b"", deleted: object = (), **more: bytes) -> Path:
    parts = {k: v for k, v in checkpoint().items() if k.startswith("checkpoint/")}
    parts |= {"config.dump": json.dumps(CONFIG).encode(), "deleted.files": json.dumps(deleted).encode()}
    parts |= {ROOTFS: rootfs or tree(etc__motd=b"hello"), "volumes/web-data.tar": tree(kept=b"data")}
    return pack(folder / "foreign.tar", parts | more)


def taken(path: Path, folder: Path) -> tuple[subprocess.CompletedProcess[str], str]:
    """What take.sh says of it, and the part it is in."""
    found, part = foreign(path), str(folder / "part")
    here(directory.begin(part))
    stream = io.BytesIO()
    (folder / "part" / "outside").mkdir()  # where links lead to
    repack(path, found, (ROOTFS, *found.volumes.values()), stream)
    argv = directory.taking(part, 1 + len(found.volumes))
    done = subprocess.run(argv, input=stream.getvalue(), capture_output=True, timeout=60)
    return subprocess.CompletedProcess(argv, done.returncode, done.stdout.decode(), done.stderr.decode()), part


def test_what_podman_took_becomes_one_of_ours(tmp_path: Path) -> None:
    deleted = ["/bin/wc", "/etc/mtab"] if os.geteuid() == 0 else []  # only root makes what says so
    path = archive(tmp_path, tree(etc=ord(tarfile.DIRTYPE), etc__motd=b"hello"), deleted)
    found = foreign(path)
    assert (found.home, dict(found.volumes)) == ("checkpoint", {"/data": "volumes/web-data.tar"})
    assert (found.provenance.container, found.provenance.engine) == ("web", "podman")
    done, part = taken(path, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("made tree/bin\n" if deleted else "")
    files = here(directory.pack(part, directory.taken_images(part)))
    here(directory.clear(f"{part}/in"))
    manifest = Manifest(
        id="20261126-014639-8584",
        workload="web",
        epoch=0,
        taken_at=1.0,
        frozen_s=0,
        came_from=TakenFrom(host="", runtime="podman"),
        trees=(KeptTree(kind="rootfs"), KeptTree(kind="volume", target="/data")),
        files=files,
    ).sealed()
    (Path(part) / "outside").rmdir()
    assert manifest.imported and sorted(os.listdir(part)) == sorted(file.name for file in files)
    inside = KeptLook("web@x", manifest)
    inside.take(here(directory.look(part, 2)))
    told = inside.told(here(directory.slices(part, inside.asked)))
    assert told.processes[0].command == ("prog", "-x", "two words")
    assert [(c.path, c.bytes) for c in told.changed] == [("etc/motd", 5)]
    assert [c.path for c in told.volumes[0].files] == ["kept"]
    assert told.deleted == tuple(name.lstrip("/") for name in deleted)
    (tmp_path / "out").mkdir()
    here(directory.unpack(part, manifest.trees, located(tmp_path / "out")))
    assert (tmp_path / "out" / "etc" / "motd").read_text() == "hello"


def located(folder: Path) -> Located:
    return Located("x", (Tree("rootfs", str(folder)),))


def test_images_alone_are_taken_too(tmp_path: Path) -> None:
    """As `docker checkpoint create --checkpoint-dir` leaves them."""
    folder = tmp_path / "c1"
    folder.mkdir()
    for name, data in checkpoint().items():
        if name.startswith("checkpoint/"):
            (folder / name.removeprefix("checkpoint/")).write_bytes(data)
    found = foreign(folder)
    assert found.home == "" and found.volumes == {} and found.modified > 1e9
    done, part = taken(folder, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (Path(directory.taken_images(part)) / "pstree.img").exists()


@pytest.mark.parametrize(
    ("rootfs", "deleted"),
    [
        (tree(etc__null=ord(tarfile.CHRTYPE)), []),
        (tree(etc=ord(tarfile.SYMTYPE)), ["/etc/gone"]),
        (tree(etc=ord(tarfile.SYMTYPE)), ["/etc/new/gone"]),
    ],
)
def test_what_no_checkpoint_has_is_refused_by_the_host(tmp_path: Path, rootfs: bytes, deleted: list[str]) -> None:
    done, _ = taken(archive(tmp_path, rootfs, deleted), tmp_path)
    assert done.returncode == 4 and done.stderr
    assert list((tmp_path / "part" / "outside").iterdir()) == []


@pytest.mark.parametrize(
    "deleted",
    [
        ["../../etc/passwd"],
        ["a\nb"],
        ["a\0"],
        [7],
        [["a"]],
        [None],
        ["/a\ud800"],
        "abc",
        {"a": 1},
        5,
        True,
        0.0,
        "",
    ],
)
def test_names_that_cannot_be_are_refused(tmp_path: Path, deleted: object) -> None:
    with pytest.raises(InputError) as caught:
        foreign(archive(tmp_path, deleted=deleted))
    assert caught.value.code == "E186"


ONE = VOLUMES[0]


@pytest.mark.parametrize(
    "volumes",
    [
        5,
        "abc",
        {"a": 1},
        True,
        False,
        [5],
        ["abc"],
        [None],
        [{}],
        [{"volumeName": 1, "dest": "/data"}],
        [ONE, ONE],
    ],
)
def test_volumes_that_cannot_be_are_refused(tmp_path: Path, volumes: object) -> None:
    config = json.dumps(CONFIG | {"namedVolumes": volumes}).encode()
    with pytest.raises(InputError) as caught:
        foreign(archive(tmp_path, **{"config.dump": config}))
    assert caught.value.code == "E186"


@pytest.mark.parametrize("document", ["config.dump", "spec.dump"])
@pytest.mark.parametrize(
    "value",
    [b"5", b"[]", b"null", b'{"name": 7, "annotations": [1], "process": {"env": 3}}', b'{"namedVolumes": null}'],
)
def test_what_says_nothing_of_volumes_has_none(tmp_path: Path, document: str, value: bytes) -> None:
    found = foreign(archive(tmp_path, None, **{document: value}))
    assert found.gone == () and len(found.volumes) == (document == "spec.dump")


@pytest.mark.parametrize("document", ["config.dump", "spec.dump", "deleted.files"])
@pytest.mark.parametrize(
    "value", [b'{"name": "\\ud800"}', b'{"\\udfff": 1}', b"\xff", b"{", b"[" * 100_000, b"9" * 5000]
)
def test_documents_that_nobody_could_write_are_refused(tmp_path: Path, document: str, value: bytes) -> None:
    path = archive(tmp_path, **{document: value})
    for read in (foreign, look):
        with pytest.raises(InputError) as caught:
            read(path)
        assert caught.value.code == "E186"


def test_what_climbs_out_of_a_tree_stays_in_it(tmp_path: Path) -> None:
    done, _ = taken(archive(tmp_path, tree(**{"..__..__escaped": b"x"})), tmp_path)
    assert done.returncode != 0 or not (tmp_path / "escaped").exists()
    assert not (tmp_path / "escaped").exists() and not (tmp_path.parent / "escaped").exists()
