"""What tests of links and copies share. Real: lab hosts; scripts run on them without SSH."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

from reconciler.hosts.base import CopyReport
from reconciler.hosts.ssh import SshFleet
from reconciler.lab import Lab
from reconciler.model.command import Tree

MIB = 2**20
KEY = "20261123-140501-3fa9-web.shop"
"""As a run would name it: with a dot, which hosts do not get to see."""
FOLDER = "/run/reconciler/links"
LEFTOVERS = "pgrep -fa 'transfer-(send|receive)-|[t]ar --(create|extract)' | grep -v pgrep || true"
ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
_ENTRIES = ((1, 6, -1), (2, 7, 1234), (4, 4, -1), (16, 7, -1), (32, 0, -1))
FOR_ONE_MORE = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in _ENTRIES)
"""An ACL as the kernel takes it: u::rw- u:1234:rwx g::r-- m::rwx o::---."""

MAKE = r"""
mkdir -p sub/opaque
mknod gone c 0 0; mknod 'sub/gone too' c 0 0
echo secret > 'a file'; chown 1234:4321 'a file'; chmod 4640 'a file'; ln 'a file' sub/hard
echo odd > $'new\nline'; echo dash > ./-dash
ln -s /etc/passwd absolute; ln -s ../../.. up; ln -s nowhere broken
mkfifo pipe; truncate -s 64M sparse; echo end >> sparse; : > empty; mkdir -m 1777 sticky
touch -d '2001-02-03 04:05:06.123456789Z' 'a file'; chown 7:8 .; chmod 2751 .
"""
"""A script that fills a folder with every kind of file, and with odd names, modes, owners and times."""


def sh(lab: Lab, host: str, script: str) -> str:
    """Run a script on a host, not over SSH."""
    return lab.exec(host, ["bash", "-ec", script]).stdout.strip()


def tree(path: str, *, kind: str = "images") -> tuple[Tree, Tree]:
    """The same folder on both sides."""
    return Tree(kind, path), Tree(kind, path)


async def copy(fleet: SshFleet, *pairs: tuple[Tree, Tree], key: str = KEY) -> CopyReport:
    """Copy from h1 to h2."""
    return await fleet.copy_trees("h1", "h2", key, pairs, lambda count: None)


def fill(lab: Lab, host: str, mib: int) -> None:
    """Two files of random bytes in /run/t."""
    half = f"head -c {mib // 2}M /dev/urandom > /run/t/pages-1.img"
    sh(lab, host, f"{half}; cp /run/t/pages-1.img /run/t/pages-2.img")


def sums(lab: Lab, host: str, path: str = "/run/t") -> str:
    """Names, sizes and sums of all files in a folder."""
    return sh(lab, host, f"cd '{path}'; find . -type f | sort | xargs -d '\\n' -r cksum")


def facts(folder: Path) -> dict[str, tuple[object, ...]]:
    """All that is known of everything in a folder, the folder itself included."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (folder, *folder.rglob("*")):
        info = path.lstat()
        attributes = {
            name: os.getxattr(path, name, follow_symlinks=False)
            for name in os.listxattr(path, follow_symlinks=False)
        }
        is_file = stat.S_ISREG(info.st_mode)
        found[str(path.relative_to(folder))] = (
            oct(info.st_mode),
            (info.st_uid, info.st_gid),
            info.st_nlink if is_file else 0,
            info.st_rdev,
            info.st_mtime_ns,
            path.readlink() if path.is_symlink() else path.read_bytes() if is_file else None,
            info.st_blocks < 1024 if path.name == "sparse" else None,
            attributes,
        )
    return found
