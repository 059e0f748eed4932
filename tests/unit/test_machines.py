"""The lab's virtual machines, as far as none has to run: QEMU's arguments and socket, KVM, what is missing."""

from __future__ import annotations

import dataclasses
import json
import shlex
import socket
import threading
from pathlib import Path

import pytest

from reconciler.errors import LabError
from reconciler.lab import (
    power,
    qemu,
    tools,
    unusable,
    vm,
    vmimage,
)
from reconciler.lab.spec import LabPaths, LabSpec, check_memory

SPEC = LabSpec(name="x", octet=7, hosts=3, rootfs="/cache/rootfs", images="/cache/demo/store")

MACHINE = qemu.QemuMachine(
    name="x-h1",
    kernel=Path("/c/vmlinuz"),
    initrd=Path("/c/initrd"),
    disk=Path("/l/a,b/disk.qcow2"),
    seed=Path("/l/seed.tar"),
    console=Path("/l/boot.log"),
    pid_file=Path("/l/qemu.pid"),
    control=Path("/run/rl-1/h1.qmp"),
    append="console=ttyS0",
    memory_mib=2048,
    tap="h1",
    mac=SPEC.mac("h1"),
    exec_port=2201,
    kvm=False,
)


def test_a_machine_is_emulated_unless_kvm_works_and_cannot_get_out() -> None:
    words = qemu.argv(Path("/c/qemu"), MACHINE)
    assert words[0].startswith("/c/qemu/lib64/")
    assert "tcg,thread=multi" in words
    assert "kvm" in qemu.argv(Path("/c/qemu"), dataclasses.replace(MACHINE, kvm=True))
    (user,) = (word for word in words if word.startswith("user,"))
    assert "restrict=on" in user
    assert "hostfwd=tcp:127.0.0.1:2201-" in user
    assert any(word.endswith("filename=/l/a,,b/disk.qcow2") for word in words)


def test_what_is_synced_outlives_a_power_cut() -> None:
    """Seen with a cache: 2 of 48 synced files were not in the disk's file when QEMU was stopped."""
    (disk,) = (word for word in qemu.argv(Path("/c/qemu"), MACHINE) if word.startswith("nvme-ns,drive=root"))
    assert "write-cache=off" in disk


def test_kvm_that_is_not_there_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu, "KVM", Path("/nonexistent"))
    assert not qemu.kvm_works(Path("/c/qemu"), Path("/c/vmlinuz"))


@pytest.mark.parametrize("answer", [{"return": {}}, {"error": {"desc": "no"}}])
def test_qemu_is_told_to_pull_the_cable(answer: dict[str, object], tmp_path: Path) -> None:
    seen: list[dict[str, object]] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "qmp"))
    listener.listen()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rw") as stream:
            stream.write('{"QMP": {}}\n')
            stream.flush()
            for line in stream:
                seen.append(json.loads(line))
                reply = {"return": {}} if len(seen) == 1 else answer
                stream.write('{"event": "X"}\n' + json.dumps(reply) + "\n")
                stream.flush()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    if "error" in answer:
        with pytest.raises(LabError, match="refused set_link"):
            qemu.set_link(tmp_path / "qmp", "e0", up=False)
    else:
        qemu.set_link(tmp_path / "qmp", "e0", up=False)
    thread.join(timeout=5)
    assert seen[1] == {"execute": "set_link", "arguments": {"name": "e0", "up": False}}
    with pytest.raises(LabError, match="does not answer"):
        qemu.set_link(tmp_path / "gone", "e0", up=True)


def test_kvm_is_asked_for_once_per_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(qemu, "kvm_works", lambda tree, kernel: bool(asked.append(kernel)))
    said: list[str] = []
    for _ in range(2):
        assert not vmimage.kvm_works(tmp_path, said.append)
    assert len(asked) == len(said) == 1
    (tmp_path / "kvm").write_text("another-boot yes")
    assert not vmimage.kvm_works(tmp_path, said.append)


def test_commands_of_a_machine_are_quoted_once(paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power, "require_pid", lambda *_: 42)
    words = vm.VmBackend().argv(paths, "h2", ["sh", "-c", "echo 'a  b' $HOME"])
    assert words[:3] == ["nsenter", "--target", "42"]
    assert "Port=2202" in words
    assert shlex.split(words[-1]) == ["sh", "-c", "echo 'a  b' $HOME"]
    assert "RequestTTY=no" in words
    assert "RequestTTY=yes" in vm.VmBackend().argv(paths, "h2", ["bash"], terminal=True)


def test_why_a_machine_cannot_run_virtual_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vm, "require_root", lambda: None)
    monkeypatch.setattr(vm, "require_packages", lambda *_a, **_k: None)
    monkeypatch.setattr(vm, "TUN", Path("/nonexistent"))
    assert "/nonexistent cannot be opened: No such file" in unusable("vm")
    monkeypatch.setattr(vm.platform, "machine", lambda: "aarch64")
    assert "x86-64" in unusable("vm")


def test_building_machines_needs_more_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = lambda command, path=None: None if command == "mkfs.ext4" else command  # noqa: E731
    monkeypatch.setattr(tools.shutil, "which", gone)
    assert "e2fsprogs" in tools.missing_packages("vm")
    assert "e2fsprogs" not in tools.missing_packages()


def test_too_little_memory_is_refused() -> None:
    with pytest.raises(LabError, match="at least 512 MiB"):
        check_memory(100)
    assert check_memory(4096) == 4096
