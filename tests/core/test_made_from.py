"""A respelling is no change, whoever wrote it: users, or an earlier release in its label."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reconciler.core.index import Index
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


RELEASED = (
    '{"annotations":{"team":"a"},"capAdd":["NET_ADMIN"],"command":["/bin/counter","--port","9000"],"env":{"A":"1"},'
    '"image":"localhost/demo:1","limits":{"cpus":2.0,"memory":"1GiB","pids":100},"mounts":[{"source":"/srv/a",'
    '"target":"/a"}],"networks":[{"ip":"10.0.0.5","mac":"02:00:00:00:00:05","name":"lan"}],"ports":[{"container":80,'
    '"host":8080}],"readOnly":true,"restart":"on-failure","secretEnv":{"T":{"fromEnv":"T"}},"volumes":[{"name":'
    '"data","target":"/data"}]}'
)
"""The label of a container that release 0.1.0 has made."""


def test_fields_that_came_later_do_not_make_what_runs_look_changed() -> None:
    wanted = Container.model_validate(json.loads(RELEASED))
    assert canonical_json(wanted) == RELEASED
    assert changed_fields(wanted, RELEASED) == []


MORE = {
    "image": "localhost/demo:1",
    "ports": [{"container": 8000, "host": 9000}, {"container": "8001-8002", "host": "9001-9002"}],
    "networks": [{"name": "lan", "ip": "10.0.0.5", "ip6": "fd00::5", "aliases": ["a", "b"]}],
    "ulimits": {"nofile": {"soft": 5, "hard": 5}},
    "sysctls": {"net.core.somaxconn": "5", "net.ipv4.conf.eth0/1.forwarding": "1"},
    "stopSignal": "SIGTERM",
    "stopTimeout": "1m",
    "tmpfs": [{"target": "/a", "mode": "0700"}, {"target": "/b", "size": "1GiB"}],
    "shmSize": "1GiB",
    "groupAdd": ["1", "users"],
    "devices": [{"path": "/dev/a"}, {"cdi": "nvidia.com/gpu=all"}],
    "extraHosts": {"db": "fd00::1"},
    "logging": {"driver": "k8s-file"},
    "secretFiles": {"/run/secrets/key": {"fromFile": "key", "mode": "0444"}},
}
ALSO = {
    "image": "localhost/demo:1",
    "ports": [
        {"container": "8002-8002", "host": "9002-9002"},
        {"container": "8000-8001", "host": "9000-9001", "protocol": "tcp"},
    ],
    "networks": [{"name": "lan", "ip": "10.0.0.5", "ip6": "FD00::0005", "aliases": ["B", "a", "b"]}],
    "ulimits": {"nofile": 5},
    "sysctls": {"net/core/somaxconn": 5, "net/ipv4/conf/eth0.1/forwarding": " 1 "},
    "stopSignal": 15,
    "stopTimeout": "60s",
    "tmpfs": [{"target": "//b/", "size": "1024MiB"}, {"target": "/a/", "mode": "700", "exec": False}],
    "shmSize": "1024MiB",
    "groupAdd": ["users", 1],
    "devices": [{"cdi": "nvidia.com/gpu=all"}, {"path": "/dev//a", "target": "/dev/a"}],
    "extraHosts": {"DB": "fd00:0::1"},
    "logging": {"driver": "json-file"},
    "secretFiles": {"/run//secrets/key": {"fromFile": "key"}},
    **{"userns": "host", "ipc": "shareable", "pid": "private", "uts": "private", "networkMode": "bridge"},
}


@pytest.mark.parametrize("field", sorted(ALSO))
def test_a_respelling_of_later_fields_is_no_change(field: str) -> None:
    label = json.dumps({**MORE, field: ALSO[field]})
    assert changed_fields(Container.model_validate(MORE), label) == []
    assert changed_fields(Container.model_validate(json.loads(label)), json.dumps(MORE)) == []


def test_another_port_of_a_range_is_a_change() -> None:
    label = {**MORE, "ports": [{"container": "8000-8003", "host": "9000-9003"}]}
    assert changed_fields(Container.model_validate(MORE), json.dumps(label)) == ["ports"]


@pytest.mark.parametrize(
    ("section", "word"),
    [
        ({"networkMode": "host", "networks": [{"name": "lan", "ip": "10.0.0.5"}]}, "`networks` contradict"),
        ({"networkMode": "none", "ports": [{"container": 80, "host": 80}]}, "`ports` contradict"),
        ({"networkMode": "none", "dns": ["10.0.0.1"]}, "`dns` contradict"),
        ({"networkMode": "host", "sysctls": {"net.core.somaxconn": 1}}, "it would be the host's"),
        ({"ipc": "host", "sysctls": {"kernel.msgmax": 1}}, "it would be the host's"),
        ({"ipc": "host", "shmSize": "1MiB"}, "not its own"),
        ({"shmSize": "1MiB", "tmpfs": [{"target": "/dev/shm"}]}, "in one of them"),
        ({"uts": "host", "hostname": "a"}, "would be the host's"),
        ({"restartRetries": 3}, "goes with"),
        ({"capAdd": ["SYS_TIME"], "capDrop": ["cap_sys_time"]}, "both name SYS_TIME"),
        ({"env": {"A": "1"}, "secretEnv": {"A": {"fromEnv": "A"}}}, "both give A"),
        ({"pull": "never", "registry": {"user": "a", "password": {"fromEnv": "P"}}}, "nobody logs in"),
        ({"sysctls": {"vm.swappiness": 1}}, "the whole host's"),
        ({"labels": {"io.containers.autoupdate": "registry"}}, "decides who keeps"),
        ({"ports": [{"container": "1-3", "host": "1-2"}]}, "as many of each"),
        ({"networks": [{"name": "lan", "ip": "fd00::1", "ip6": "fd00::2"}]}, "both IPv6"),
        ({"ulimits": {"nofile": {"soft": 2, "hard": 1}}}, "above `hard`"),
        ({"limits": {"memorySwap": "1GiB"}}, "needs `memory`"),
        ({"healthcheck": {"interval": "1s"}}, "exactly one"),
        ({"stopTimeout": "1500ms"}, "whole seconds"),
        ({"stopSignal": "SIGNOTHING"}, "must be a signal"),
        ({"devices": [{"path": "/dev/a", "cdi": "a/b=c"}]}, "exactly one"),
        ({"logging": {"driver": "none", "maxSize": "1MB"}}, "writes none"),
        ({"securityOpt": {"seccomp": "profile.json"}}, "absolute path"),
        ({"tmpfs": [{"target": "/proc/a"}]}, "container's own"),
    ],
)
def test_fields_that_contradict_are_refused(section: dict[str, object], word: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Container.model_validate({"image": "a:1", **section})
    assert word in str(caught.value)


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
