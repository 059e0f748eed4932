"""A store that is a folder: what comes out is what was there in the freeze, and nothing half is ever listed."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.criu import capturing
from reconciler.errors import CommandFailed
from reconciler.model.checkpoint import Kept, KeptAt, KeptTree, Manifest, TakenFrom
from reconciler.model.command import Tree
from reconciler.model.handover import Located
from reconciler.stores import directory
from tests.stores.conftest import here

ID = "20261126-014639-8584"
Run = Callable[..., subprocess.CompletedProcess[str]]
TREE = """
cd "$1" && mkdir -p a/b c d && echo one >a/one && echo two >a/b/two && ln a/one a/hard && ln -s one a/soft
chmod 2751 c && touch -d '2020-01-01' c/old && printf 'line\\nend' >"d/$(printf 'odd\\nname')" && mkfifo d/pipe
dd if=/dev/zero of=d/hole bs=1 count=1 seek=1M status=none
echo gone >d/gone && echo kind >d/kind && echo x >./-dash
"""
MEANWHILE = """
cd TREE && echo more >>a/one && rm d/gone && mv a/b a/moved && rm d/kind && mkdir d/kind && echo in >d/kind/in
rm -r c && echo file >c && ln a/moved/two d/two && chmod 600 ./-dash && echo new >"new file" && ln -sfn two a/soft
"""


def made(folder: Path) -> Path:
    folder.mkdir(mode=0o751)
    subprocess.run(["sh", "-c", TREE, "sh", str(folder)], check=True)
    return folder


def contents(folder: Path) -> str:
    """Names, kinds, modes, owners, times, links and contents."""
    text = "find . -printf '%y %m %U %G %n %T@ %l %p\\n' | sort; tar -c --sort=name --mtime=@0 . | cksum"
    return subprocess.run(["sh", "-c", text], cwd=folder, capture_output=True, text=True, check=True).stdout


def captured(root: Path, tree: Path, capture: Run, meanwhile: str = ":") -> tuple[str, Manifest]:
    """A checkpoint of one tree, and of a folder of images, that is packed and not sealed yet."""
    images = root / "images"
    images.mkdir()
    (images / "pages-1.img").write_bytes(bytes(8192))
    folder = KeptAt("h1", str(root / "store")).of("web", ID)
    part = directory.part_of(folder)
    assert here(directory.begin(part)) > 0
    trees = (Tree("images", str(images)), Tree("volume", str(tree), name="/data"))
    here(capturing.shadow(Located("x", trees), part))
    time.sleep(0.02)  # a tick of the clock that files have
    done = capture(Path(part), meanwhile)
    assert done.returncode == 0, done
    files = here(directory.pack(part, str(images)))
    kept = (KeptTree(kind="volume", target="/data"),)
    source = TakenFrom(host="h1", runtime="podman")
    told = Manifest(
        id=ID, workload="web", epoch=3, taken_at=1.0, frozen_s=0.1, came_from=source, trees=kept, files=files
    )
    return folder, told.sealed()


def whole(root: Path, tree: Path, capture: Run, meanwhile: str = ":") -> tuple[str, Manifest]:
    folder, manifest = captured(root, tree, capture, meanwhile)
    here(directory.seal(directory.part_of(folder), folder, manifest))
    return folder, manifest


def kept(root: Path) -> tuple[Kept, ...]:
    return here(directory.listed(KeptAt("h1", str(root / "store"))))


def test_what_comes_out_is_what_was_there_in_the_freeze(tmp_path: Path, capture: Run) -> None:
    tree = made(tmp_path / "tree")
    folder, manifest = whole(tmp_path, tree, capture, MEANWHILE.replace("TREE", str(tree)))
    target, images = tmp_path / "target", tmp_path / "restored"
    target.mkdir()
    images.mkdir()
    (target / "stranger").write_text("not of it")
    located = Located("y", (Tree("images", str(images)), Tree("volume", str(target), name="/data")))
    here(directory.unpack(folder, manifest.trees, located))
    assert contents(target) == contents(tree)
    assert (images / "pages-1.img").read_bytes() == bytes(8192)


AGED = """#!/bin/sh
for word; do
    shift
    [ "$word" != -cmin ] || word=-mmin
    set -- "$@" "$word"
done
exec /usr/bin/find "$@"
"""
"""Looks at times that a test can set, in place of those of inodes."""


def test_one_that_is_not_sealed_is_not_listed_and_goes_a_day_later(
    tmp_path: Path, capture: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, manifest = captured(tmp_path, made(tmp_path / "tree"), capture)
    part = directory.part_of(folder)
    assert kept(tmp_path) == ()
    here(directory.begin(directory.part_of(f"{folder[:-4]}0000")))
    assert Path(part, "images.tar.zst").exists() or Path(part, "images.tar").exists(), "somebody is at work on it"
    subprocess.run(["find", part, "-exec", "touch", "-d", "2 days ago", "{}", "+"], check=True)
    here(directory.begin(directory.part_of(f"{folder[:-4]}0000")))
    assert Path(part).exists(), "times of files may be those of what they are copies of"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/find").write_text(AGED)
    (tmp_path / "bin/find").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    here(directory.begin(directory.part_of(f"{folder[:-4]}0000")))
    with pytest.raises(CommandFailed):
        here(directory.seal(directory.part_of(folder), folder, manifest))
    assert kept(tmp_path) == () and not Path(directory.part_of(folder)).exists()


def test_a_sealed_one_is_listed_once_however_often_it_is_sealed(tmp_path: Path, capture: Run) -> None:
    folder, manifest = whole(tmp_path, made(tmp_path / "tree"), capture)
    here(directory.seal(directory.part_of(folder), folder, manifest))
    (found,) = kept(tmp_path)
    assert found.manifest == manifest and found.folder == folder and not found.pinned
    here(directory.pin(folder, on=True))
    assert kept(tmp_path)[0].pinned
    here(directory.pin(folder, on=False))
    here(directory.discard(folder))
    here(directory.discard(folder))
    assert kept(tmp_path) == () and not Path(folder).parent.exists()


def test_halves_of_the_same_run_go_and_a_copy_of_it_stays(tmp_path: Path) -> None:
    folder = KeptAt("h1", str(tmp_path)).of("web", ID)
    parts = [
        directory.part_of(folder),
        directory.part_of(folder, 0),
        directory.part_by(folder, "20261127-010203-ab12"),
    ]
    for part in parts:
        Path(part).mkdir(parents=True, exist_ok=True)
    here(directory.begin(directory.part_of(folder, 1)))
    left = lambda: sorted(path.name for path in (tmp_path / "web").glob(".*"))  # noqa: E731
    assert left() == [f".{ID}.1.part", f".{ID}.by-20261127-010203-ab12.part"]
    here(directory.tidy(folder))
    here(directory.begin(directory.part_by(folder, "20261127-010203-cd34")))
    here(directory.discard(folder))
    assert left() == [f".{ID}.by-20261127-010203-ab12.part", f".{ID}.by-20261127-010203-cd34.part"]
    for run in ("ab12", "cd34"):
        here(directory.drop(directory.part_by(folder, f"20261127-010203-{run}")))
    assert not Path(folder).parent.exists()


def test_damage_is_found(tmp_path: Path, capture: Run) -> None:
    folder, manifest = whole(tmp_path, made(tmp_path / "tree"), capture)
    assert here(directory.wrong(folder, manifest.files)) == ()
    first, second, *_ = (file.name for file in manifest.files)
    data = bytearray(Path(folder, first).read_bytes())
    data[-1] ^= 1
    Path(folder, first).write_bytes(data)
    Path(folder, second).unlink()
    assert here(directory.wrong(folder, manifest.files)) == (f"{first} is damaged", f"{second} is missing")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.replace('"epoch":3', '"epoch":9'), "changed since"),
        (lambda text: text[:100], "cut short"),
        (lambda text: text.replace('"format":1', '"format":7'), "later release"),
        (lambda text: "", "is none"),
    ],
)
def test_a_manifest_that_was_edited_is_no_good(tmp_path: Path, capture: Run, change, why: str) -> None:
    folder, _ = whole(tmp_path, made(tmp_path / "tree"), capture)
    text = Path(folder, "manifest.json")
    text.write_text(change(text.read_text()))
    (found,) = kept(tmp_path)
    assert found.manifest is None and why in found.broken


def test_what_ran_on_too_early_is_none(tmp_path: Path, capture: Run) -> None:
    folder = tmp_path / "part"
    folder.mkdir()
    tree = made(tmp_path / "tree")
    here(capturing.shadow(Located("x", (Tree("volume", str(tree)),)), str(folder)))
    done = capture(folder, state="ended")
    assert done.returncode == 4 and "it ran on before all of it was copied" in done.stderr
    done = capture(folder, meanwhile=f"rm -r {tree}")
    assert done.returncode == 4 and "could not be copied" in done.stderr


def test_a_path_that_could_not_be_laid_out_again_is_refused(tmp_path: Path, capture: Run) -> None:
    tree, folder = tmp_path / "volume", tmp_path / "part"
    for one in (tree, folder):
        one.mkdir()
    deep = f"cd {tree}; for n in $(seq 21); do mkdir -p {'d' * 200} && cd -P {'d' * 200} || exit; done"
    located = Located("x", (Tree("volume", str(tree)),))
    here(capturing.shadow(located, str(folder)))
    done = capture(folder, meanwhile=f"({deep})")
    assert done.returncode == 4 and "a path in" in done.stderr and "could not be copied" in done.stderr
    with pytest.raises(CommandFailed) as caught:
        here(capturing.shadow(located, str(folder)))
    assert caught.value.code == "C326" and "4222 bytes" in str(caught.value)
    subprocess.run(["rm", "-rf", tree], check=True)


def test_two_that_lay_it_out_at_once_take_turns(tmp_path: Path, capture: Run) -> None:
    """One of them is what a controller that has died left under way."""
    tree, target = tmp_path / "tree", tmp_path / "target"
    for folder in range(60):
        (tree / str(folder)).mkdir(parents=True)
        for file in range(60):
            (tree / str(folder) / str(file)).write_text("x" * 300)
    target.mkdir()
    folder, _ = whole(tmp_path, tree, capture)
    argv = directory.shell("unpack", folder, str(target), "tree", "1")
    jobs = []
    for _ in range(3):
        jobs.append(subprocess.Popen(argv, stderr=subprocess.PIPE, text=True))
        time.sleep(0.1)
    located = Located("y", (Tree("volume", str(target), name="/data"), Tree("volume", f"{target}/none")))
    here(directory.settled(located))
    assert [(job.wait(60), job.stderr.read()) for job in jobs if job.stderr] == [(0, "")] * 3
    assert contents(target) == contents(tree) and not (target / "none").exists()


@pytest.mark.parametrize("anew", [True, False])
def test_who_waited_lays_nothing_out_over_what_came_after(tmp_path: Path, capture: Run, anew: bool) -> None:
    """What waits for its turn may be a dead controller's: its folder was removed, and made anew for another."""
    target = tmp_path / "target"
    target.mkdir()
    folder, _ = whole(tmp_path, made(tmp_path / "tree"), capture)
    with subprocess.Popen(
        ["flock", str(target), "sh", "-c", "echo has it; read go"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "has it\n"
        argv = directory.shell("unpack", folder, str(target), "tree", "1")
        job = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
        time.sleep(0.3)
        assert job.poll() is None
        if anew:
            target.rmdir()
            target.mkdir()
        other.communicate("go\n", timeout=60)
    _, said = job.communicate(timeout=60)
    if anew:
        assert job.returncode == 1 and "made anew" in said and not list(target.iterdir())
    else:
        assert job.returncode == 0 and contents(target) == contents(tmp_path / "tree")
