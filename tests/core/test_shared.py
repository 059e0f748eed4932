"""Mounts of storage that hosts share."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from reconciler.core.made_from import changed_fields
from reconciler.core.questions import questions
from reconciler.model.base import canonical_json
from reconciler.model.container import Container, Mount
from tests.core.rule_scene import Scene, held
from tests.core.worlds import container, facts, host, spec, workload, world

SHARED = [{"source": "/srv/data", "target": "/data", "shared": True}]
ALONE = [{"source": "/srv/data", "target": "/data"}]


def codes(mounts: list[dict[str, object]]) -> set[str]:
    scene = Scene(
        wants={"mounts": mounts},
        has=held(sqlite=("/data/x.db",)),
        there={"preflight": {"paths": {"/srv/data": "ext2/ext3"}}},
    )
    return {finding.rule for finding in scene.findings()}


def test_sqlite_can_write_where_inode_numbers_stay() -> None:
    assert {"process.sqlite", "mount.stays"} <= codes(ALONE)
    assert not {"process.sqlite", "mount.stays"} & codes(SHARED)


def test_both_hosts_are_asked_what_they_have_there() -> None:
    wanted = workload(on="h2", mounts=SHARED)
    seen = world(facts("h1", container(wanted)), facts("h2"))
    asked = questions(spec(host("h1"), host("h2"), wanted), seen)
    assert {name: question.shared for name, question in asked.items()} == dict.fromkeys(
        ("h1", "h2"), ("/srv/data",)
    )


def test_it_cannot_go_along_as_well() -> None:
    with pytest.raises(ValidationError, match="contradict"):
        Mount(source="/srv/data", target="/data", move=True, shared=True)


def test_saying_so_makes_nothing_anew() -> None:
    before, after = (Container(image="a", mounts=mounts) for mounts in (ALONE, SHARED))
    assert changed_fields(after, canonical_json(before)) == []
