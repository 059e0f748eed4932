"""Names and places on a host, and the constant scripts sent to it. Scripts take data as arguments only."""

from __future__ import annotations

import hashlib
from functools import cache

from reconciler.guard import guard
from reconciler.guard.guard import ROOT
from reconciler.resources import data_path

ASIDE = "_aside"
"""Ends the name of a container that waits for its successor to be healthy; workloads' names have no underscore."""

RESTORE_CONFIG = "criu.restore"
HANG_UP = "hang-up"

DRY_START_HOOK = f"{ROOT}/bin/refuse-start"
DRY_START_HOOKS = f"{ROOT}/hooks.d"
"""A hooks directory for one Podman command only: its one hook ends a container before any of its code runs."""


def criu_config(workload: str) -> str:
    """CRIU's config file of one workload's container, read at each checkpoint and restore."""
    return f"{guard.workload_dir(workload)}/criu.conf"


def restore_config(workload: str) -> str:
    """What CRIU's config becomes when the guard's own restore begins; until then nobody may restore it."""
    return f"{guard.workload_dir(workload)}/{RESTORE_CONFIG}"


def saved_inspection(workload: str) -> str:
    """What `podman container inspect` said before the container was held; it waits while that lasts."""
    return f"{guard.workload_dir(workload)}/container.json"


def hang_up_note(workload: str) -> str:
    """Is there when clients' connections are to end as the source goes back (hook.sh reads it)."""
    return f"{guard.workload_dir(workload)}/{HANG_UP}"


def failed_log(workload: str) -> str:
    """CRIU's log of the workload's last dump or restore that failed on this host."""
    return f"{guard.workload_dir(workload)}/failed.log"


def images_dir(userdata: str) -> str:
    """Where Podman lets CRIU write a container's images, and restores them from."""
    return f"{userdata}/checkpoint"


def rounds_dir(userdata: str) -> str:
    """Where a pre-copy's rounds are, each in a folder with its number."""
    return f"{userdata}/precopy"


def lazy_dir(userdata: str) -> str:
    """What CRIU's page daemon serves pages from after a pre-copy."""
    return f"{userdata}/lazy"


def userdata_of(images: str) -> str:
    """The folder of a container that `images_dir` is in."""
    return images.rpartition("/")[0]


def secret_name(workload: str, key: str) -> str:
    """Podman's name for the secret behind a workload's environment variable, or file by its path."""
    if key.startswith("/"):
        key = f"file-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    return f"reconciler-{workload}-{key}"


def aside(workload: str) -> str:
    """The name of a workload's container that was set aside."""
    return workload + ASIDE


@cache
def script(name: str, kind: str = "sh") -> str:
    """The text of a script of this driver; comment lines stay here."""
    text = data_path("templates", "podman", f"{name}.{kind}").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")) + "\n"


def shell(name: str, *arguments: str) -> tuple[str, ...]:
    """The argument list that runs a script of this driver with these arguments."""
    return ("/bin/sh", "-c", script(name), name, *arguments)


def unmount_rooms(userdata: str) -> tuple[str, ...]:
    """The argument list that frees every folder a move may have mounted memory on."""
    return shell("unmount", images_dir(userdata), rounds_dir(userdata), lazy_dir(userdata))
