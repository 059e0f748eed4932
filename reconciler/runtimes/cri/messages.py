"""The part of CRI (`runtime.v1` of Kubernetes' cri-api) that is used here, and gRPC's frame around a message.

Field numbers are those of pkg/apis/runtime/v1/api.proto; maps are written as their entries, which is the same on
the wire.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from reconciler.core import protobuf

_MESSAGES: dict[str, str] = {
    "pair": "key:1s value:2s",
    "nothing": "",
    "versions": "runtime_name:2s runtime_version:3s runtime_api_version:4s",
    "verbose": "verbose:1",
    "condition": "type:1s status:2 reason:3s message:4s",
    "conditions": "conditions:1*condition",
    "status": "status:1conditions info:2*pair",
    "podname": "name:1s uid:2s namespace:3s attempt:4",
    "namespaces": "network:1 pid:2 ipc:3",
    "profile": "profile_type:1 localhost_ref:2s",
    "amount": "value:1",
    "podsecurity": "namespace_options:1namespaces privileged:6 seccomp:9profile apparmor:10profile",
    "linuxpod": "cgroup_parent:1s security_context:2podsecurity sysctls:3*pair",
    "dns": "servers:1*s searches:2*s options:3*s",
    "port": "protocol:1 container_port:2 host_port:3 host_ip:4s",
    "podconfig": "metadata:1podname hostname:2s log_directory:3s dns_config:4dns port_mappings:5*port "
    "labels:6*pair annotations:7*pair linux:8linuxpod",
    "runpod": "config:1podconfig",
    "pod": "id:1s metadata:2podname state:3 created_at:4 labels:5*pair annotations:6*pair",
    "pods": "items:1*pod",
    "address": "ip:1s",
    "podnetwork": "ip:1s additional_ips:2*address",
    "podstatus": "id:1s metadata:2podname state:3 created_at:4 network:5podnetwork",
    "podanswer": "status:1podstatus info:2*pair",
    "image": "image:1s",
    "name": "name:1s attempt:2",
    "resources": "cpu_period:1 cpu_quota:2 cpu_shares:3 memory_limit_in_bytes:4 oom_score_adj:5 cpuset_cpus:6s",
    "capabilities": "add_capabilities:1*s drop_capabilities:2*s",
    "security": "capabilities:1capabilities privileged:2 namespace_options:3namespaces run_as_user:5amount "
    "run_as_username:6s readonly_rootfs:7 supplemental_groups:8* no_new_privs:11 run_as_group:12amount "
    "masked_paths:13*s readonly_paths:14*s seccomp:15profile apparmor:16profile",
    "linux": "resources:1resources security_context:2security",
    "mount": "container_path:1s host_path:2s readonly:3 selinux_relabel:4",
    "device": "container_path:1s host_path:2s permissions:3s",
    "config": "metadata:1name image:2image command:3*s args:4*s working_dir:5s envs:6*pair mounts:7*mount "
    "devices:8*device labels:9*pair annotations:10*pair log_path:11s stdin:12 tty:14 linux:15linux",
    "create": "pod_sandbox_id:1s config:2config sandbox_config:3podconfig",
    "id": "id:1s",
    "ask": "id:1s verbose:2",
    "stop": "id:1s timeout:2",
    "container": "id:1s pod_sandbox_id:2s metadata:3name image:4image image_ref:5s state:6 created_at:7 "
    "labels:8*pair annotations:9*pair image_id:10s",
    "containers": "containers:1*container",
    "containerstatus": "id:1s metadata:2name state:3 created_at:4 started_at:5 finished_at:6 exit_code:7 "
    "image:8image image_ref:9s reason:10s message:11s labels:12*pair annotations:13*pair mounts:14*mount "
    "log_path:15s image_id:17s",
    "containeranswer": "status:1containerstatus info:2*pair",
    "askimage": "image:1image",
    "foundimage": "id:1s repo_tags:2*s repo_digests:3*s size:4",
    "imageanswer": "image:1foundimage",
    "images": "images:1*foundimage",
    "login": "username:1s password:2s",
    "pull": "image:1image auth:2login",
    "pulled": "image_ref:1s",
    "checkpoint": "container_id:1s location:2s timeout:3",
}
_HEAD = struct.Struct(">BI")
"""Whether it is compressed, and how long it is."""


@cache
def _classes() -> dict[str, Any]:
    return protobuf.classes("cri", _MESSAGES, "proto3")


def framed(kind: str, fields: Mapping[str, Any]) -> bytes:
    """A request of that kind, as gRPC sends it."""
    body: bytes = _classes()[kind](**fields).SerializeToString()
    return _HEAD.pack(0, len(body)) + body


def unframed(kind: str, data: bytes) -> Any:
    """The answer of that kind; ValueError where these bytes are none."""
    if len(data) < _HEAD.size or _HEAD.unpack_from(data) != (0, len(data) - _HEAD.size):
        raise ValueError("it is not one whole message of gRPC")
    return protobuf.decoded(_classes()[kind], data[_HEAD.size :])


def pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    """A map, as it is written."""
    return [{"key": key, "value": value} for key, value in sorted(values.items())]


def mapping(entries: Iterable[Any]) -> dict[str, str]:
    """A map, as it was read."""
    return {entry.key: entry.value for entry in entries}
