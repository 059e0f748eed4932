"""Daemons as people start them by hand, in a host's own namespaces."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.lab import Lab
from reconciler.lab.cache import (
    NEWER_PACKAGES,
    NEWER_SUITE,
    PACKAGES,
    SUITE,
    build_once,
    build_rootfs,
    key,
    prepare,
)
from reconciler.lab.spec import cache_folder
from reconciler.lab.tools import run

DEBIAN = "nginx-light redis-server"


def install(
    lab: Lab, hosts: tuple[str, ...], report: Callable[[str], None] = print, packages: str = DEBIAN
) -> None:
    """Packages of Debian (nginx and redis) on these hosts, not started; built once."""
    folder = cache_folder() / f"daemons-{key(SUITE.encode(), PACKAGES.encode(), packages.encode())}"
    build_once(folder, lambda target: _pack(target, packages, prepare(report).rootfs, report), report)
    for host in hosts:
        with (folder / "daemons.tar").open("rb") as archive:
            argv = lab.exec_argv(host, ["tar", "-C", "/", "-x", "--keep-directory-symlink", "-f", "-"])
            subprocess.run(argv, stdin=archive, check=True, capture_output=True, timeout=120)


def _pack(target: Path, packages: str, base: Path, report: Callable[[str], None]) -> None:
    """Only what the hosts' own root filesystem does not have."""
    rootfs = target / "rootfs"
    rootfs.mkdir(mode=0o755)
    build_rootfs(rootfs, f"{PACKAGES} {packages}", report, newer=(NEWER_SUITE, NEWER_PACKAGES))
    info = "var/lib/dpkg/info"
    had = {file.name for file in (base / info).glob("*.list")}
    paths = set()
    for listing in (rootfs / info).glob("*.list"):
        if listing.name not in had:
            paths |= {line.lstrip("/") for line in listing.read_text().splitlines() if line != "/."}
    new = [path for path in sorted(paths) if (rootfs / path).is_symlink() or (rootfs / path).is_file()]
    (target / "files").write_text("\n".join(new))
    run(["tar", "-C", rootfs, "--no-recursion", "-T", target / "files", "-cf", target / "daemons.tar"])
    run(["rm", "-rf", rootfs])


@contextmanager
def ended(lab: Lab, *programs: str) -> Iterator[None]:
    """Whatever becomes of a test, these run on no host afterwards."""
    try:
        yield
    finally:
        for host in lab.hosts:
            for program in programs:
                lab.exec(host.name, ["pkill", "-KILL", "-x", program], check=False)
