"""What tests of links and copies share. Real: lab hosts; scripts run on them without SSH."""

from __future__ import annotations

from reconciler.hosts.base import CopyReport
from reconciler.hosts.ssh import SshFleet
from reconciler.lab import Lab
from reconciler.model.command import Tree

MIB = 2**20
KEY = "20261123-140501-3fa9-web.shop"
"""As a run would name it: with a dot, which hosts do not get to see."""
FOLDER = "/run/reconciler/links"
LEFTOVERS = "pgrep -fa 'transfer-(send|receive)-|[t]ar --(create|extract)' | grep -v pgrep || true"


def sh(lab: Lab, host: str, script: str) -> str:
    """Run a script on a host, not over SSH."""
    return lab.exec(host, ["bash", "-ec", script]).stdout.strip()


def tree(path: str, *, kind: str = "images", xattrs: bool = False) -> tuple[Tree, Tree]:
    """The same folder on both sides."""
    return Tree(kind, path, xattrs=xattrs), Tree(kind, path, xattrs=xattrs)


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
