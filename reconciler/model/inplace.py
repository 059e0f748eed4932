"""Which fields of a workload's `container` section can change while it runs, and which need it made anew."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class How(StrEnum):
    """`value`: from one value to another, but not to or from having none; nothing takes a limit away again."""

    ANY = "any"
    VALUE = "value"
    ANEW = "anew"


FIELDS: Mapping[str, How] = {
    "restart": How.ANY,
    "restartRetries": How.ANY,
    "pull": How.ANY,
    "registry": How.ANY,
    "limits": How.VALUE,
    "image": How.ANEW,
    "command": How.ANEW,
    "entrypoint": How.ANEW,
    "env": How.ANEW,
    "secretEnv": How.ANEW,
    "user": How.ANEW,
    "workdir": How.ANEW,
    "hostname": How.ANEW,
    "mounts": How.ANEW,
    "volumes": How.ANEW,
    "networks": How.ANEW,
    "ports": How.ANEW,
    "annotations": How.ANEW,
    "ociRuntime": How.ANEW,
    "readOnly": How.ANEW,
    "capAdd": How.ANEW,
    "capDrop": How.ANEW,
    "platform": How.ANEW,
    "init": How.ANEW,
    "envFiles": How.ANEW,
    "secretFiles": How.ANEW,
    "groupAdd": How.ANEW,
    "labels": How.ANEW,
    "tmpfs": How.ANEW,
    "shmSize": How.ANEW,
    "devices": How.ANEW,
    "networkMode": How.ANEW,
    "extraHosts": How.ANEW,
    "dns": How.ANEW,
    "dnsSearch": How.ANEW,
    "dnsOptions": How.ANEW,
    "ulimits": How.ANEW,
    "sysctls": How.ANEW,
    "oomScoreAdj": How.ANEW,
    "stopSignal": How.ANEW,
    "stopTimeout": How.ANEW,
    "healthcheck": How.ANEW,
    "logging": How.ANEW,
    "tty": How.ANEW,
    "stdinOpen": How.ANEW,
    "privileged": How.ANEW,
    "securityOpt": How.ANEW,
    "userns": How.ANEW,
    "ipc": How.ANEW,
    "pid": How.ANEW,
    "uts": How.ANEW,
}
"""By the names that users write; a test holds that none is missing."""

LOSES_UPDATES = "loses-updates"
"""A runtime says so among its settings on a host where what is changed while an instance runs does not outlive a
restart of it, or where the restart policy cannot be changed so."""
