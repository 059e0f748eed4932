"""Names and places on a host. Scripts are constant and take data as arguments or on stdin."""

from __future__ import annotations

from reconciler.criu.tasks import Tasks
from reconciler.guard.guard import ROOT
from reconciler.resources import host_script

SYSTEMD = "systemd"
_SCOPE = "docker-"


def home(container_id: str, cgroup_driver: str) -> str:
    """The folder of ours for a container's images, logs and page daemon. Its name is that of the container's
    control group, which depends on who makes those on this host."""
    return f"{ROOT}/docker/{_SCOPE if cgroup_driver == SYSTEMD else ''}{container_id}"


def tasks(home: str) -> Tasks:
    return Tasks(home, home.rpartition("/")[2], paused=True)


def cgroup_path(home: str) -> str:
    """The control group of a container of ours, which names no parent of its own."""
    group = home.rpartition("/")[2]
    return f"/system.slice/{group}.scope" if group.startswith(_SCOPE) else f"/docker/{group}"


def shell(name: str, *arguments: str) -> tuple[str, ...]:
    """The argument list that runs a script of this driver with these arguments."""
    return ("/bin/sh", "-c", host_script("docker", name), name, *arguments)
