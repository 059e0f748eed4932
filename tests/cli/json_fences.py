"""What `fence` prints with --json: cases of test_json.py. Real: the programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cli.memory_fleet import want


def program(folder: Path, name: str, text: str) -> None:
    """One in the folder for fencing."""
    (folder / "fencing").mkdir(exist_ok=True)
    path = folder / "fencing" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def declare(folder: Path, more: str, host: str = "h1") -> None:
    """Add lines to the spec of a host."""
    specs = folder / "specs" / "all.yaml"
    head, name, rest = specs.read_text().partition(f"metadata: {{name: {host}}}\nspec: {{")
    assert name, specs.read_text()
    specs.write_text(f"{head}{name}{more}, {rest}")


FENCING = "fencing: {command: [cut, h1], verify: [is-off, h1], timeout: 5s}"


def a_fence(scene: Any) -> None:
    want(scene.folder, web="h2")
    program(scene.folder, "cut", ":")
    program(scene.folder, "is-off", "echo off")
    scene.patch.setenv("RECONCILE_FENCING", str(scene.folder / "fencing"))
    declare(scene.folder, f"state: failed, {FENCING}")
    scene.hosts.machines["h1"].up = False


OF_FENCES: dict[str, Any] = {"fence": [("fence", "fence h1", 0, a_fence)]}
WRONG_OF_FENCES = {"fence nowhere": ("E146", 4), "fence h1": ("E211", 4)}
