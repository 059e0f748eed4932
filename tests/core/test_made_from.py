"""A respelling is no change, whoever wrote it: users, or an earlier release in its label."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.diff import Index
from reconciler.core.made_from import changed_fields
from reconciler.model.base import canonical_json, duration_text, parse_duration, parse_size, size_text
from reconciler.model.container import Container
from tests.core import worlds

NORMAL = {
    "image": "localhost/demo:1",
    "limits": {"memory": "1GiB", "cpus": 2.0},
    "networks": [{"name": "lan", "ip": "fd00::5", "mac": "02:00:00:00:0a:0b"}],
    "mounts": [{"source": "/srv/a", "target": "/a"}, {"source": "/srv/b", "target": "/b/c"}],
    "volumes": [{"name": "data", "target": "/data"}],
    "capAdd": ["NET_ADMIN", "SYS_TIME"],
    "workdir": "/srv",
    "ports": [{"container": 80, "host": 8080, "address": "fd00::1"}],
}
RESPELT = {
    "image": "localhost/demo:1",
    "limits": {"memory": "1024MiB", "cpus": 2},
    "networks": [{"name": "lan", "ip": "FD00:0::0005", "mac": "02:00:00:00:0A:0B"}],
    "mounts": [
        {"source": "/srv//b/", "target": "/b/./c", "readOnly": False},
        {"source": "/srv/./a", "target": "//a/"},
    ],
    "volumes": [{"name": "data", "target": "/data/"}],
    "capAdd": ["sys_time", "CAP_NET_ADMIN"],
    "workdir": "/./srv/",
    "ports": [{"container": 80, "host": 8080, "address": "fd00:0:0::1", "protocol": "tcp"}],
    "command": [],
    "user": None,
}


def test_a_respelling_is_no_change() -> None:
    normal, respelt = (Container.model_validate(section) for section in (NORMAL, RESPELT))
    for label in (canonical_json(normal), canonical_json(respelt), json.dumps(RESPELT)):
        assert changed_fields(normal, label) == []
        assert changed_fields(respelt, label) == []


@pytest.mark.parametrize("field", sorted(RESPELT.keys() - {"command", "user"}))
def test_each_field_by_itself(field: str) -> None:
    label = {**NORMAL, field: RESPELT[field]}
    assert changed_fields(Container.model_validate(NORMAL), json.dumps(label)) == []


def test_what_an_earlier_release_allowed_hides_no_respelling() -> None:
    """Its label does not fit today's rules as a whole; each field is compared for itself."""
    old = {**RESPELT, "annotations": {"run.oci.handler": "wasm"}, "gone": 1}
    assert changed_fields(Container.model_validate(NORMAL), json.dumps(old)) == ["annotations", "gone"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("limits", {"memory": "1GB", "cpus": 2}),
        ("networks", [{"name": "lan", "ip": "fd00::6", "mac": "02:00:00:00:0a:0b"}]),
        ("capAdd", ["NET_ADMIN"]),
        ("volumes", [{"name": "data", "target": "/Data"}]),
        (
            "mounts",
            [{"source": "/srv/a", "target": "/a", "readOnly": True}, {"source": "/srv/b", "target": "/b/c"}],
        ),
    ],
)
def test_a_change_is_one(field: str, value: object) -> None:
    assert changed_fields(Container.model_validate(NORMAL), json.dumps({**NORMAL, field: value})) == [field]


def test_an_address_is_taken_in_any_spelling() -> None:
    wants = worlds.workload(networks=[{"name": "lab", "ip": "fd00::5", "mac": "02:00:00:00:0A:0B"}])
    other = worlds.container(worlds.workload("other"), networks=({"name": "lab", "mac": "02:00:00:00:0a:0B"},))
    index = Index.of(worlds.world(worlds.facts("h1", other)))
    assert wants.container.networks[0].mac == "02:00:00:00:0a:0b"
    assert index.addresses["lab", "02:00:00:00:0a:0b"]


@pytest.mark.parametrize("label", ["", "{", "[]", "null", "[" * 100_000, '{"image": NaN}'])
def test_a_label_that_is_none(label: str) -> None:
    assert changed_fields(Container.model_validate({"image": "a"}), label)


@given(st.integers(1, 2**50))
def test_sizes_have_one_spelling(size: int) -> None:
    assert parse_size(size_text(size)) == size
    assert size_text(parse_size(size_text(size))) == size_text(size)


@given(st.integers(1, 10**9))
def test_durations_have_one_spelling(milliseconds: int) -> None:
    text = duration_text(milliseconds / 1000)
    assert parse_duration(text) == pytest.approx(milliseconds / 1000)
    assert duration_text(parse_duration(text)) == text
