"""Hosts out of Linux namespaces: one kernel, but each its own processes, mounts, network card, cgroups and name.

The host side is `templates/lab/host-*.sh`. A host is found again by the PID and start time of its first process,
which it writes down itself, so that a controller that dies in between loses nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from reconciler.errors import LabError
from reconciler.lab import cache, cgroups, engine, guest, network, pods, power, process
from reconciler.lab.spec import LabPaths, LabSpec
from reconciler.lab.tools import Report, require_packages, require_root, run, words
from reconciler.resources import data_path

BOOT_TIMEOUT_SECONDS = 60.0
_POLL_SECONDS = 0.01
_READY = "run/lab/ready"
_SPLITS_MOUNT_OPTIONS = set(",:\\")
_STACKED = {"overlayfs", "overlay"}


class NamespaceBackend:
    """See `reconciler.lab.backend.Backend`."""

    name = "namespace"
    sshd_start: tuple[str, ...] = ("/usr/sbin/sshd", "-E", "/var/log/sshd.log")

    def check(self) -> None:
        require_root()
        require_packages(build=False)

    def prepare(self, report: Report) -> cache.PreparedRoot:
        return cache.prepare(report)

    def connect(self, paths: LabPaths, wanted_octet: int | None, taken: set[int]) -> int:
        return network.ensure(paths.identity, wanted_octet, taken)

    def start(self, paths: LabPaths, spec: LabSpec, hosts: Sequence[str]) -> None:
        for host in hosts:
            self.stop(paths, host)
            self._launch(paths, spec, host)
        for host in hosts:
            pid = self._wait_for_pid(paths, host)
            network.plug(spec, paths.identity, host, pid)
        for host in hosts:
            self._wait_until_ready(paths, host)

    def pid(self, paths: LabPaths, host: str) -> int | None:
        return power.pid(paths, host)

    def stop(self, paths: LabPaths, host: str) -> None:
        power.cut(paths, host)

    def argv(self, paths: LabPaths, host: str, command: Sequence[str], terminal: bool = False) -> list[str]:
        pid = power.require_pid(paths, host)
        entry = words(cgroups.entry_groups(power.group(paths, host)))
        return ["sh", str(_script("host-exec.sh")), str(pid), entry, *command]

    def set_link(self, paths: LabPaths, host: str, up: bool) -> None:
        network.set_link(paths.identity, host, up)

    def reconnect(self, paths: LabPaths, spec: LabSpec, host: str) -> None:
        pid = self.pid(paths, host)
        if pid is None:
            return
        if network.has_card(paths.identity, host):
            network.limit(spec, paths.identity, host, network.inside(pid))
        else:
            network.plug(spec, paths.identity, host, pid)

    def remove(self, paths: LabPaths) -> None:
        power.remove(paths)

    def _launch(self, paths: LabPaths, spec: LabSpec, host: str) -> None:
        folder = paths.host(host)
        for part in ("upper", "work", "root", "storage", "reconciler"):
            (folder / part).mkdir(exist_ok=True, mode=0o755)
        (folder / "reconciler").chmod(0o700)
        _require_plain_disk(folder)
        groups = cgroups.create(power.group(paths, host))
        boot = [spec.subnet, spec.controller_address, spec.container_range(host)]
        start: list[str | Path] = ["sh", _script("host-start.sh"), folder, words(groups), _script("host-init.sh")]
        start += [spec.rootfs, spec.images, host, *(str(argument) for argument in boot)]
        run(start, what=f"{host} could not be started")

    def _wait_for_pid(self, paths: LabPaths, host: str) -> int:
        """The host's init leaves its PID; the start time next to it tells it from a later process."""
        file = paths.host(host) / "pid"
        deadline = time.monotonic() + BOOT_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError, ValueError):
                pid = int(file.read_text(encoding="utf-8").split()[0])
                if not process.remember(file, pid):
                    break
                return pid
            time.sleep(_POLL_SECONDS)
        raise power.boot_error(paths, host)

    def _wait_until_ready(self, paths: LabPaths, host: str) -> None:
        deadline = time.monotonic() + BOOT_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            pid = self.pid(paths, host)
            if pid is None:
                break
            if Path(f"/proc/{pid}/root", _READY).exists():
                return
            time.sleep(_POLL_SECONDS)
        raise power.boot_error(paths, host)


class LibvirtBackend(NamespaceBackend):
    """The same hosts, with libvirt and QEMU instead of Podman and CRIU, and a bridge for the guests' cards."""

    name = "libvirt"

    def prepare(self, report: Report) -> cache.PreparedRoot:
        return guest.prepare(report)


class DockerBackend(NamespaceBackend):
    """The same hosts, with Docker instead of Podman."""

    name = "docker"

    def prepare(self, report: Report) -> cache.PreparedRoot:
        return engine.prepare(report)


class ContainerdBackend(NamespaceBackend):
    """The same hosts, with containerd and its CRI instead of Podman."""

    name = "containerd"

    def prepare(self, report: Report) -> cache.PreparedRoot:
        return pods.prepare(report)


class MixedBackend(NamespaceBackend):
    """The same hosts, with Docker beside Podman."""

    name = "mixed"

    def prepare(self, report: Report) -> cache.PreparedRoot:
        return engine.prepare_mixed(report)


def _script(name: str) -> Path:
    return data_path("templates", "lab", name)


def _require_plain_disk(folder: Path) -> None:
    if set(str(folder)) & _SPLITS_MOUNT_OPTIONS:
        raise LabError("the lab's folder has characters that mount options cannot hold", where=str(folder))
    kind = run(["stat", "--file-system", "--format", "%T", folder]).stdout.strip()
    if kind in _STACKED:
        raise LabError(
            "the lab's hosts need a disk that is not itself an overlay",
            where=str(folder),
            fix="set XDG_STATE_HOME and XDG_CACHE_HOME to folders on a real disk or a volume",
        )
