"""Commit and dirtiness of the specs, on real repositories; nothing of a repository may run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from reconciler.load.gitinfo import describe, stamped
from reconciler.model.spec import Spec

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "fleet"
    (root / "specs").mkdir(parents=True)
    git(root, "init", "-q")
    (root / "specs/a.yaml").write_text("a: 1\n")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


def test_clean(repository: Path) -> None:
    info = describe([repository / "specs"])
    assert info is not None
    assert (info.root, info.commit, info.dirty) == (repository, git(repository, "rev-parse", "HEAD"), False)
    spec = stamped(Spec(), [repository / "specs/a.yaml"])
    assert (spec.commit, spec.dirty) == (info.commit, False)


def test_only_the_specs_count(repository: Path) -> None:
    (repository / "README.md").write_text("x")
    info = describe([repository / "specs"])
    assert info is not None
    assert not info.dirty


@pytest.mark.parametrize("change", ["edited", "untracked", "removed"])
def test_dirty(repository: Path, change: str) -> None:
    if change == "edited":
        (repository / "specs/a.yaml").write_text("a: 2\n")
    elif change == "untracked":
        (repository / "specs/b.yaml").write_text("b: 2\n")
    else:
        (repository / "specs/a.yaml").unlink()
    info = describe([repository / "specs"])
    assert info is not None
    assert info.dirty


def test_paths_outside_count_as_dirty(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text("")
    info = describe([repository / "specs", tmp_path / "hosts.yaml"])
    assert info is not None
    assert info.dirty


def test_before_the_first_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    info = describe([tmp_path])
    assert info is not None
    assert (info.commit, info.dirty) == (None, True)


def test_outside_git(tmp_path: Path) -> None:
    assert describe([tmp_path]) is None
    assert describe([]) is None
    assert stamped(Spec(), [tmp_path]) == Spec()


def test_without_git_or_when_it_hangs(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert describe([repository]) is None
    fake = tmp_path / "bin/git"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nexec sleep 5\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
    assert describe([repository], timeout=0.1) is None


def test_a_calling_git_does_not_mislead(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    assert describe([repository]) is not None


def test_nothing_of_the_repository_runs(repository: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    script = tmp_path / "evil"
    script.write_text(f"#!/bin/sh\ntouch {trap}\n")
    script.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(script))
    git(repository, "config", "core.pager", str(script))
    for hook in ("post-index-change", "fsmonitor-watchman"):
        path = repository / ".git/hooks" / hook
        path.parent.mkdir(exist_ok=True)
        shutil.copy(script, path)
    (repository / "specs/a.yaml").touch()
    assert describe([repository / "specs"]) is not None
    assert not trap.exists()
