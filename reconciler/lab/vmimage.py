"""The disk of virtual machines, their kernel and the QEMU that runs them: built once, one folder in the cache.

Stock Debian: unlike namespace hosts they have a kernel of their own, so CRIU needs not come from a later release.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from reconciler.lab import cache, qemu
from reconciler.lab.spec import cache_folder
from reconciler.lab.tools import Report, require_packages, run, write_private
from reconciler.resources import data_path

GUEST_PACKAGES = (
    f"{cache.PACKAGES} {cache.NEWER_PACKAGES} linux-image-cloud-amd64 initramfs-tools systemd-sysv udev dbus "
    "libpam-systemd kmod"
)
QEMU_PACKAGES = "qemu-system-x86 qemu-utils"
DISK_SIZE = "16G"
"""As the guest sees it; only what is written takes room."""
_SCRIPTS = ("rootfs.sh", "vm-guest.sh", "vm-boot.sh")
_NO_INITRD = {"INITRD": "No"}
"""Keeps Debian's kernel package from making one: ours is much smaller."""


def prepare(report: Report) -> cache.PreparedRoot:
    """Build what is not in the cache yet. The first time takes about two minutes and needs the Debian mirror."""
    folder = cache_folder() / f"vm-{_key()}"
    if not folder.is_dir():
        require_packages("vm", build=True)
        cache.build_once(folder, lambda target: _build(target, report), report)
    return cache.PreparedRoot(rootfs=folder, images=folder / "demo" / "store")


def disk(folder: Path) -> Path:
    """What each host's disk starts as."""
    return folder / "root.img"


def kernel(folder: Path) -> Path:
    """Debian's kernel, started directly."""
    return folder / "vmlinuz"


def initrd(folder: Path) -> Path:
    """Mounts the disk."""
    return folder / "initrd"


def emulator(folder: Path) -> Path:
    """The root filesystem QEMU is in."""
    return folder / "qemu"


def kvm_works(folder: Path, report: Report) -> bool:
    """Ask once per boot of this machine: the question takes a second or more."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    file = folder / "kvm"
    known = file.read_text(encoding="utf-8").split() if file.exists() else []
    if known[:1] != [boot]:
        works = qemu.kvm_works(emulator(folder), kernel(folder))
        known = [boot, "yes" if works else "no"]
        write_private(file, " ".join(known))
        if not works:
            report("KVM does not work here: virtual machines are emulated, which is many times slower")
    return known[1] == "yes"


def _key() -> str:
    scripts = (data_path("templates", "lab", name).read_bytes() for name in _SCRIPTS)
    settings = (cache.SUITE, GUEST_PACKAGES, QEMU_PACKAGES, DISK_SIZE)
    return cache.key(*scripts, *(setting.encode() for setting in settings), cache.demo_recipe())


def _build(target: Path, report: Report) -> None:
    for folder in ("qemu", "root", "demo"):
        (target / folder).mkdir(mode=0o755)
    report("QEMU:")
    cache.build_rootfs(emulator(target), QEMU_PACKAGES, report)
    report("the virtual machines:")
    root = target / "root"
    cache.build_rootfs(root, GUEST_PACKAGES, report, environment=_NO_INITRD)
    cache.build_demo(target / "demo", root, report)
    report("writing the disk image")
    script = data_path("templates", "lab", "vm-guest.sh")
    arguments = (root, target / "demo" / "store", target, DISK_SIZE)
    run(
        ["unshare", "--mount", "--propagation", "private", "sh", script, *arguments],
        what="the disk image of the lab's virtual machines could not be made",
    )
    shutil.copyfile(root / cache.PACKAGE_LIST, target / "packages")
    shutil.rmtree(root)
