"""A lab's paths, out of everybody's way."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.lab.spec import LabPaths


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabPaths:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return LabPaths.of("x")
