"""Parsers against recorded output: each file in `data` is a command, what it printed, and the fact it means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from reconciler.runtimes.podman import parse

DATA = sorted((Path(__file__).parent / "data").glob("*.json"))


def plain(value: Any) -> Any:
    def model(item: Any) -> Any:
        assert isinstance(item, BaseModel)
        return item.model_dump(mode="json", exclude_defaults=True)

    return json.loads(json.dumps(value, default=model))


@pytest.mark.parametrize("path", DATA, ids=lambda p: p.stem)
def test_recorded_output(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    assert plain(getattr(parse, case["parser"])(case["output"])) == case["fact"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:10Z", 10.0),
        ("1970-01-01T01:00:10.5+01:00", 10.5),
        ("1970-01-01 00:00:10.25 +0000 UTC", 10.25),
        ("0001-01-01T00:00:00Z", 0.0),
        ("", 0.0),
        ("yesterday", 0.0),
    ],
)
def test_time_stamps(text: str, seconds: float) -> None:
    assert parse.timestamp(text) == seconds


def test_connections_within_the_container_do_not_count() -> None:
    inside = "0: 0100007F:2328 0100007F:A001 01 0 0"
    to_itself = "1: 64014D0A:2328 64014D0A:A001 01 0 0"
    mapped = "2: 0000000000000000FFFF000064014D0A:2328 0000000000000000FFFF0000FE014D0A:A001 01 0 0"
    listening = "3: 00000000:2328 00000000:0000 0A 0 0"
    found = parse.tcp_established("\n".join([inside, to_itself, mapped, listening, "nonsense"]))
    assert [(c.local, c.peer) for c in found] == [("10.77.1.100:9000", "10.77.1.254:40961")]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/libpod_parent/libpod-1", "/libpod_parent/libpod-1"),
        ("machine.slice:libpod:1", "/machine.slice/libpod-1.scope"),
        ("user-1.slice:libpod:2", "/user.slice/user-1.slice/libpod-2.scope"),
    ],
)
def test_cgroup_paths(text: str, path: str) -> None:
    assert parse.cgroup_path(json.dumps({"linux": {"cgroupsPath": text}})) == path
    assert parse.cgroup_path("{}") == ""


def test_sections() -> None:
    text = "banner\n@@ a\n1\n2\n\n@@ b x\n@@ empty\n"
    assert parse.sections(text) == {"a": "1\n2\n", "b x": "", "empty": ""}
