"""Hosts as virtual machines: stock Debian with systemd, cgroup v2 and a kernel of their own. Slow without KVM.

QEMU runs in the host's control groups and in the segment's network namespace, where its tap is a port of the
bridge. Commands get in through a second SSH server on a card of its own, so that they work whatever a test did to
the first one and to the cable.
"""

from __future__ import annotations

import os
import platform
import shlex
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

from reconciler.errors import LabError
from reconciler.lab import cache, cgroups, network, power, process, qemu, vmimage
from reconciler.lab.spec import LabPaths, LabSpec, host_index
from reconciler.lab.tools import Report, require_packages, require_root, run, silent, words
from reconciler.resources import data_path

TUN = Path("/dev/net/tun")
BOOT_TIMEOUT_SECONDS = 600.0
"""Seen, emulated: 14 s on a quiet machine, 120 s on one with eight times more work than cores."""
_POLL_SECONDS = 0.05
_READY = b"lab: ready"
_PANIC = b"Kernel panic"
_EXEC_PORT_BASE = 2200
_KERNEL_OPTIONS = (
    "console=ttyS0 quiet mitigations=off lsm=landlock,yama,apparmor systemd.show_status=error "
    "systemd.default_timeout_start_sec=600 systemd.default_device_timeout_sec=600"
)
"""Patient, for machines that do more than emulate. Without the BPF security module, which costs two seconds."""


class VmBackend:
    """See `reconciler.lab.backend.Backend`."""

    name = "vm"
    sshd_start: tuple[str, ...] = ("systemctl", "start", "ssh.service")

    def check(self) -> None:
        require_root()
        require_packages(self.name, build=False)
        if platform.machine() != "x86_64":
            raise LabError(f"the vm backend runs on x86-64 machines, this is {platform.machine()}")
        try:
            os.close(os.open(TUN, os.O_RDWR | os.O_CLOEXEC))
        except OSError as error:
            why = f"{error.strerror}: virtual machines get their network cards from it"
            raise LabError(
                f"{TUN} cannot be opened", why=why, fix="modprobe tun, or pass the device on"
            ) from error

    def prepare(self, report: Report) -> cache.PreparedRoot:
        prepared = vmimage.prepare(report)
        vmimage.kvm_works(prepared.rootfs, report)
        return prepared

    def connect(self, paths: LabPaths, wanted_octet: int | None, taken: set[int]) -> int:
        return network.ensure(paths.identity, wanted_octet, taken)

    def start(self, paths: LabPaths, spec: LabSpec, hosts: Sequence[str]) -> None:
        for host in hosts:
            self.stop(paths, host)
            self._launch(paths, spec, host)
        for host in hosts:
            self._wait_until_ready(paths, host)
            if spec.rate is not None:
                self._limit(paths, spec, host)

    def pid(self, paths: LabPaths, host: str) -> int | None:
        return power.pid(paths, host)

    def stop(self, paths: LabPaths, host: str) -> None:
        power.cut(paths, host)
        for socket in (_control(paths, host), _ssh_socket(paths, host)):
            socket.unlink(missing_ok=True)

    def argv(self, paths: LabPaths, host: str, command: Sequence[str], terminal: bool = False) -> list[str]:
        pid = power.require_pid(paths, host)
        options = {
            "Port": _EXEC_PORT_BASE + host_index(host),
            "User": "root",
            "IdentitiesOnly": "yes",
            "IdentityFile": _quote(paths.key),
            "UserKnownHostsFile": _quote(paths.known_hosts),
            "HostKeyAlias": host,
            "StrictHostKeyChecking": "yes",
            "LogLevel": "ERROR",
            "Ciphers": "aes128-gcm@openssh.com",  # the quickest to emulate
            # A handshake takes an emulated machine half a second: all commands share one connection.
            "ControlMaster": "auto",
            "ControlPersist": "yes",
            "ControlPath": _quote(_ssh_socket(paths, host)),
            "RequestTTY": "yes" if terminal else "no",
        }
        ssh = ["ssh", "-F", "none", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
        return [*network.inside(pid)([*ssh, "127.0.0.1"]), shlex.join(command)]

    def set_link(self, paths: LabPaths, host: str, up: bool) -> None:
        network.set_link(paths.identity, host, up)
        qemu.set_link(_control(paths, host), network.HOST_CARD, up)

    def reconnect(self, paths: LabPaths, spec: LabSpec, host: str) -> None:
        pid = self.pid(paths, host)
        if pid is not None:
            network.plug_tap(paths.identity, host, pid)
            self._wait_until_ready(paths, host)  # whoever started it may have been interrupted
            self._limit(paths, spec, host)

    def remove(self, paths: LabPaths) -> None:
        power.remove(paths)

    def _launch(self, paths: LabPaths, spec: LabSpec, host: str) -> None:
        folder, image = paths.host(host), Path(spec.rootfs)
        if not (folder / "disk.qcow2").exists():
            qemu.overlay(vmimage.emulator(image), vmimage.disk(image), folder / "disk.qcow2")
        _write_seed(folder, spec, host)
        network.sockets(paths.identity).mkdir(mode=0o700, exist_ok=True)
        network.plug_tap(paths.identity, host, None)
        (folder / "boot.log").unlink(missing_ok=True)
        machine_id = (folder / "seed" / "machine-id").read_text(encoding="utf-8").strip()
        machine = qemu.QemuMachine(
            name=f"{spec.name}-{host}"[:15],
            kernel=vmimage.kernel(image),
            initrd=vmimage.initrd(image),
            disk=folder / "disk.qcow2",
            seed=folder / "seed.tar",
            console=folder / "boot.log",
            pid_file=folder / "qemu.pid",
            control=_control(paths, host),
            append=f"{_KERNEL_OPTIONS} systemd.hostname={host} systemd.machine_id={machine_id}",
            memory_mib=spec.memory_mib,
            tap=host,
            mac=spec.mac(host),
            exec_port=_EXEC_PORT_BASE + host_index(host),
            kvm=vmimage.kvm_works(image, silent),
        )
        groups = words(cgroups.create(power.group(paths, host)))
        script = data_path("templates", "lab", "vm-start.sh")
        command: list[str | Path] = ["sh", script, groups, network.fabric(paths.identity)]
        run([*command, *qemu.argv(vmimage.emulator(image), machine)], what=f"{host} could not be started")
        if not process.remember(folder / "pid", int(machine.pid_file.read_text(encoding="utf-8"))):
            raise power.boot_error(paths, host)

    def _wait_until_ready(self, paths: LabPaths, host: str) -> None:
        log = paths.host(host) / "boot.log"
        deadline = time.monotonic() + BOOT_TIMEOUT_SECONDS
        while time.monotonic() < deadline and self.pid(paths, host) is not None:
            console = log.read_bytes() if log.exists() else b""
            if _READY in console:
                return
            if _PANIC in console:
                break
            time.sleep(_POLL_SECONDS)
        raise power.boot_error(paths, host)

    def _limit(self, paths: LabPaths, spec: LabSpec, host: str) -> None:
        network.limit(spec, paths.identity, host, lambda command: self.argv(paths, host, command))


def _write_seed(folder: Path, spec: LabSpec, host: str) -> None:
    """The second disk: what the namespace backend copies into a host's root filesystem."""
    words = [f"{spec.address(host)}/24", spec.subnet, spec.controller_address, spec.container_range(host)]
    (folder / "seed" / "network").write_text(" ".join(map(str, words)) + "\n", encoding="utf-8")
    archive = folder / "seed.tar"
    archive.unlink(missing_ok=True)
    archive.touch(mode=0o600)
    with tarfile.open(archive, "w") as tar:
        tar.add(folder / "seed", arcname=".")


def _control(paths: LabPaths, host: str) -> Path:
    return network.sockets(paths.identity) / f"{host}.qmp"


def _ssh_socket(paths: LabPaths, host: str) -> Path:
    return network.sockets(paths.identity) / f"{host}.ssh"


def _quote(path: Path) -> str:
    return f'"{path}"'
