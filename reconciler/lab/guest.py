"""Hosts for virtual machines: their root filesystem with libvirt and QEMU, and a guest that is up in seconds.

The guest is Debian's kernel with an initramfs of a few MiB: busybox and the demo workload, which answers on TCP.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from pathlib import Path

from reconciler.lab import cache, demo, mirror
from reconciler.lab.spec import cache_folder
from reconciler.lab.tools import Report, require_packages, run
from reconciler.resources import data_path

PACKAGES = (
    "catatonit openssh-server iproute2 procps busybox-static util-linux attr python3-minimal ca-certificates "
    "libvirt-daemon-driver-qemu libvirt-daemon libvirt-daemon-log libvirt-clients qemu-system-x86 qemu-utils"
)
MODULES = ("failover", "net_failover", "virtio_net", "virtio_blk")
GUEST_FOLDER = "/usr/share/reconciler/images"
"""Where hosts have the guest's `vmlinuz` and `initrd`: other labs have their container images there."""
_RECIPE = "1"
"""Part of the cache keys: raise it when this module starts to write something else."""
_FOLDER, _PROGRAM, _LINK = 0o40755, 0o100755, 0o120777


def prepare(report: Report) -> cache.PreparedRoot:
    """Build what is not in the cache yet. The first time takes about two minutes and needs the Debian mirror."""
    rootfs = cache_folder() / f"libvirt-{_key('rootfs.sh')}"
    guest = cache_folder() / f"guest-{_key('rootfs.sh', 'guest.sh', 'guest-init.sh', 'counter.c')}"
    if not (rootfs.is_dir() and guest.is_dir()):
        require_packages(build=True)
        cache.build_once(rootfs, lambda target: cache.build_rootfs(target, PACKAGES, report), report)
        cache.build_once(guest, lambda target: _build(target, rootfs, report), report)
    return cache.PreparedRoot(rootfs=rootfs, images=guest)


def _key(*scripts: str) -> str:
    texts = (data_path("templates", "lab", name).read_bytes() for name in scripts)
    return cache.key(*texts, cache.SUITE.encode(), PACKAGES.encode(), _RECIPE.encode())


def _build(target: Path, rootfs: Path, report: Report) -> None:
    report("building the guest")
    script = data_path("templates", "lab", "guest.sh")
    settings = f"SETTINGS={mirror.apt_settings()}"
    run(
        ["env", settings, "unshare", "--mount", "--propagation", "private", "sh", script, rootfs, target],
        what="the kernel of the lab's guests could not be had",
    )
    demo.build_counter(target / "counter")
    (target / "initrd").write_bytes(b"".join(_initramfs(target, rootfs)))
    for file in target.iterdir():
        if file.name not in ("vmlinuz", "initrd"):
            file.unlink()


def _initramfs(folder: Path, rootfs: Path) -> Iterator[bytes]:
    """An archive in cpio's "new" format, which the kernel unpacks: no `cpio` is needed on this machine."""
    entries: list[tuple[str, bytes, int]] = [(name, b"", _FOLDER) for name in ("bin", "proc", "sys", "dev")]
    entries.append(("init", data_path("templates", "lab", "guest-init.sh").read_bytes(), _PROGRAM))
    entries.append(("bin/busybox", (rootfs / "usr/bin/busybox").read_bytes(), _PROGRAM))
    entries.append(("bin/counter", (folder / "counter").read_bytes(), _PROGRAM))
    entries += [(f"bin/{applet}", b"busybox", _LINK) for applet in ("sh", "mount", "insmod", "ip")]
    entries += [(f"{name}.ko", _module(folder, name), _PROGRAM) for name in MODULES]
    for number, (name, content, mode) in enumerate([*entries, ("TRAILER!!!", b"", 0)], start=1):
        path = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        yield _padded(b"070701" + b"".join(b"%08X" % field for field in fields) + path)
        yield _padded(content)


def _module(folder: Path, name: str) -> bytes:
    """Debian compresses modules; the guest's busybox cannot unpack them."""
    plain = folder / f"{name}.ko"
    return plain.read_bytes() if plain.exists() else lzma.decompress((folder / f"{name}.ko.xz").read_bytes())


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
