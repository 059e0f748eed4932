"""QEMU: its command line, whether KVM really works here, and its control socket. Knows nothing of labs.

It is not the machine's own: older releases (7.2) crash the guest when they emulate. The one from the cache runs in
place through its own dynamic loader, so that nothing is installed and no root is changed.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

from reconciler.errors import LabError
from reconciler.lab.tools import run

KVM = Path("/dev/kvm")
EXEC_MAC = "02:4c:00:00:00:00"
"""Of the card `mgmt`; the guest knows it by this."""
GUEST_EXEC = IPv4Interface("10.0.2.15/24")
"""Where QEMU's user network expects the guest."""
GUEST_EXEC_PORT = 2222
KVM_PROBE_SECONDS = 30.0
QMP_TIMEOUT_SECONDS = 10.0
_PROBE_PROOF = b"Unable to mount root fs"
"""A kernel without a disk gets as far as this."""
_EMULATED_CPU = "max,svm=off,avx=off,avx2=off"
"""Emulated AVX is slower than what programs do without it: a fifth of the work of booting."""
_LIBRARIES = "usr/lib/x86_64-linux-gnu"


@dataclass(frozen=True)
class QemuMachine:
    """One virtual machine to start. Paths are absolute."""

    name: str
    kernel: Path
    initrd: Path
    disk: Path
    seed: Path
    """Raw second disk, read-only."""
    console: Path
    pid_file: Path
    control: Path
    """Control socket, made by QEMU."""
    append: str
    memory_mib: int
    tap: str
    mac: str
    exec_port: int
    """On 127.0.0.1, in the network namespace QEMU is in: leads to the guest's second SSH server."""
    kvm: bool


def program(tree: Path, name: str) -> list[str]:
    """Run a program of the root filesystem `tree` from here."""
    loader = str(tree / "lib64/ld-linux-x86-64.so.2")
    return [loader, "--library-path", str(tree / _LIBRARIES), str(tree / "usr/bin" / name)]


def argv(tree: Path, machine: QemuMachine) -> list[str]:
    """The command that starts the machine in the background and returns when QEMU has opened all it needs."""
    card = "virtio-net-pci,romfile="
    forward = f"hostfwd=tcp:127.0.0.1:{machine.exec_port}-{GUEST_EXEC.ip}:{GUEST_EXEC_PORT}"
    return [
        *_base(tree, machine.kvm),
        *("-name", f"{machine.name},process={machine.name}", "-smp", "2", "-m", str(machine.memory_mib)),
        *("-kernel", str(machine.kernel), "-initrd", str(machine.initrd), "-append", machine.append),
        *("-serial", f"file:{_quote(machine.console)}"),
        # NVMe, because its driver is built into Debian's kernels. The guest tells the two by the number (nsid).
        *("-device", "nvme,id=disks,serial=lab"),
        # What the guest flushes reaches this machine's page cache, not its disk: it survives the guest's crash,
        # which is what a lab tries out, but not this machine's.
        *("-blockdev", f"file,node-name=file,cache.no-flush=on,filename={_quote(machine.disk)}"),
        *("-blockdev", "qcow2,node-name=root,file=file"),
        # No cache: QEMU's NVMe ignores that a write is to be durable (FUA), as a journal's commit is. It would
        # keep to itself where in the file the write went, and what was synced would be lost with it.
        *("-device", "nvme-ns,drive=root,bus=disks,nsid=1,write-cache=off"),
        *("-blockdev", f"file,node-name=seed-file,read-only=on,filename={_quote(machine.seed)}"),
        *("-blockdev", "raw,node-name=seed,file=seed-file,read-only=on"),
        *("-device", "nvme-ns,drive=seed,bus=disks,nsid=2"),
        *(
            "-netdev",
            f"user,id=mgmt,restrict=on,ipv6=off,{forward}",
            "-device",
            f"{card},netdev=mgmt,mac={EXEC_MAC}",
        ),
        *("-netdev", f"tap,id=e0,ifname={machine.tap},script=no,downscript=no"),
        *("-device", f"{card},netdev=e0,mac={machine.mac}"),
        *("-qmp", f"unix:{_quote(machine.control)},server=on,wait=off"),
        *("-daemonize", "-pidfile", str(machine.pid_file)),
    ]


def overlay(tree: Path, base: Path, disk: Path) -> None:
    """Make a disk that starts as `base` and keeps only what is changed."""
    partial = disk.with_suffix(".tmp")
    run([*program(tree, "qemu-img"), "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, partial])
    partial.replace(disk)


def kvm_works(tree: Path, kernel: Path) -> bool:
    """Whether KVM can run a kernel. Under some hypervisors /dev/kvm is there and only looks as if."""
    if not os.access(KVM, os.R_OK | os.W_OK):
        return False
    command = [*_base(tree, kvm=True), "-m", "256", "-no-reboot", "-serial", "stdio", "-kernel", str(kernel)]
    command += ["-append", "console=ttyS0 panic=-1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
    ) as process:
        try:
            seen = _until(process, (_PROBE_PROOF, b"KVM internal error"))
        finally:
            process.kill()
    return _PROBE_PROOF in seen


def set_link(control: Path, card: str, up: bool) -> None:
    """Let the guest see its cable pulled or plugged."""
    _qmp(control, [("qmp_capabilities", {}), ("set_link", {"name": card, "up": up})])


def _base(tree: Path, kvm: bool) -> list[str]:
    firmware = ["-L", str(tree / "usr/share/qemu"), "-L", str(tree / "usr/share/seabios")]
    speed = ["-accel", "kvm", "-cpu", "host"] if kvm else ["-accel", "tcg,thread=multi", "-cpu", _EMULATED_CPU]
    quiet = ["-no-user-config", "-nodefaults", "-display", "none"]
    return [*program(tree, "qemu-system-x86_64"), *firmware, *quiet, *speed]


def _quote(path: Path) -> str:
    return str(path).replace(",", ",,")


def _until(process: subprocess.Popen[bytes], marks: Sequence[bytes]) -> bytes:
    """What the process writes, up to one of `marks`, its end, or the time limit."""
    assert process.stdout is not None
    seen = b""
    timer = threading.Timer(KVM_PROBE_SECONDS, process.kill)
    timer.start()
    try:
        while not any(mark in seen for mark in marks):
            block = os.read(process.stdout.fileno(), 65536)
            if not block:
                break
            seen += block
    finally:
        timer.cancel()
    return seen


def _qmp(control: Path, commands: Sequence[tuple[str, dict[str, object]]]) -> None:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(QMP_TIMEOUT_SECONDS)
            connection.connect(str(control))
            stream = connection.makefile("rw", encoding="utf-8")
            stream.readline()  # the greeting
            for name, arguments in commands:
                stream.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
                stream.flush()
                while "return" not in (answer := json.loads(stream.readline() or '{"error": "it closed"}')):
                    if "error" in answer:
                        raise LabError(f"QEMU refused {name}", where=str(control), why=str(answer["error"]))
    except (OSError, ValueError) as error:
        raise LabError("QEMU does not answer", where=str(control), why=str(error)) from error
