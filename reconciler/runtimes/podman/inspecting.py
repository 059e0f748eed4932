"""What runs on a host, whole, for an import: as Podman inspects it, and not as plans need it."""

from __future__ import annotations

from reconciler.errors import HostError
from reconciler.model.command import Command, Program
from reconciler.runtimes.base import Running
from reconciler.runtimes.podman import parse, paths


def running() -> Program[Running]:
    """Environments may hold secrets, so that nothing of the answer is logged."""
    told = yield Command(paths.shell("running"), timeout=90.0, secret=True, ok=(0, 3, 4))
    if told.status == 3:
        raise HostError("Podman is not installed", code="H210", fix="install podman, criu and runc")
    parts = parse.sections(told.stdout)
    if "end" not in parts:
        raise HostError("Podman does not answer", code="H215", why="it stopped early")
    containers, images = (parse.json_list(parts.get(name, "").strip(), name) for name in ("containers", "images"))
    segments = [one.name for one in parse.networks(parts.get("networks", "")) if one.on_segment]
    return Running(containers, images, segments)
