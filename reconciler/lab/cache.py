"""Things built once and shared by all labs: the hosts' root filesystem and the store with the demo image.

Each is keyed by a digest of its recipe, built under a temporary name and renamed when complete; a lock keeps two
builders apart, and whoever holds it removes what an interrupted one left behind.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from reconciler.errors import LabError
from reconciler.lab import demo, mirror
from reconciler.lab.spec import DEMO_IMAGE, cache_folder
from reconciler.lab.tools import Report, locked, require_packages, run, silent, tail
from reconciler.resources import data_path

SUITE = "trixie"
NEWER_SUITE = "sid"
"""Where CRIU comes from: releases before 4.2 cannot dump TCP sockets on Linux >= 6.16."""
PACKAGES = (
    "podman crun runc catatonit openssh-server iproute2 netavark aardvark-dns nftables iptables procps "
    "busybox-static rsync zstd lz4 util-linux attr python3-minimal ca-certificates"
)
NEWER_PACKAGES = "criu libcriu2"
PACKAGE_LIST = "usr/share/reconciler/packages"
"""In a root filesystem of `rootfs.sh`: what is installed."""


@dataclass(frozen=True)
class PreparedRoot:
    """What a lab is started from."""

    rootfs: Path
    """The folder that holds the hosts' root filesystem, as the backend needs it."""
    images: Path
    """A container store, mounted read-only on each host."""


def prepare(report: Report) -> PreparedRoot:
    """Build what is not in the cache yet. The first time takes about a minute and needs the Debian mirror."""
    rootfs = cache_folder() / f"rootfs-{_rootfs_key()}"
    demo_folder = cache_folder() / f"demo-{_demo_key(rootfs.name)}"
    if not (rootfs.is_dir() and demo_folder.is_dir()):
        require_packages(build=True)
        newer = (NEWER_SUITE, NEWER_PACKAGES)
        build_once(rootfs, lambda target: build_rootfs(target, PACKAGES, report, newer=newer), report)
        build_once(demo_folder, lambda target: build_demo(target, rootfs, report), report)
    return PreparedRoot(rootfs=rootfs, images=demo_folder / "store")


def prepare_other(
    kind: str,
    packages: str,
    build: Callable[[Path, Path, Report], None],
    report: Report,
    newer: str = NEWER_PACKAGES,
    more: tuple[bytes, ...] = (),
) -> PreparedRoot:
    """The same for hosts with another engine. `build`: makes a folder of images, with `store` in it, from a root
    filesystem; `more`: what else decides what that becomes."""
    recipe = (f"{SUITE} {NEWER_SUITE}".encode(), packages.encode(), newer.encode())
    script = data_path("templates", "lab", "rootfs.sh").read_bytes()
    rootfs = cache_folder() / f"{kind}-{key(script, *recipe)}"
    images = cache_folder() / f"{kind}-demo-{key(demo_recipe(), rootfs.name.encode(), *recipe, *more)}"
    if not (rootfs.is_dir() and images.is_dir()):
        require_packages(build=True)
        late = (NEWER_SUITE, newer)
        build_once(rootfs, lambda target: build_rootfs(target, packages, report, newer=late), report)
        build_once(images, lambda target: build(target, rootfs, report), report)
    return PreparedRoot(rootfs=rootfs, images=images / "store")


def image_archive(images: Path) -> Path:
    """The demo image as a docker-archive, next to the store it was loaded into."""
    return images.parent / "image.tar"


def installed_versions(rootfs: Path) -> dict[str, str]:
    """Package versions on the hosts."""
    listing = rootfs / PACKAGE_LIST
    lines = (listing if listing.exists() else rootfs / "packages").read_text(encoding="utf-8").splitlines()
    return {name: version for name, _, version in (line.partition(" ") for line in lines)}


def _rootfs_key() -> str:
    script = data_path("templates", "lab", "rootfs.sh").read_bytes()
    return key(script, SUITE.encode(), NEWER_SUITE.encode(), PACKAGES.encode(), NEWER_PACKAGES.encode())


def _demo_key(rootfs: str) -> str:
    return key(demo_recipe(), rootfs.encode())


def demo_recipe() -> bytes:
    """All that decides what the demo image is, but the root filesystem it takes busybox from."""
    scripts = (data_path("templates", "lab", name).read_bytes() for name in ("counter.c", "images.sh"))
    return b"\0".join([*scripts, DEMO_IMAGE.encode(), demo.RECIPE.encode()])


def key(*parts: bytes) -> str:
    """Digest of a recipe, short enough for a folder's name."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def build_once(target: Path, build: Callable[[Path], None], report: Report = silent) -> None:
    """Call `build` with an empty folder that becomes `target` when complete; what is there already stays."""
    lock = target.with_name(f".{target.name}.lock")
    with locked(lock, on_wait=lambda: report(f"waiting for another process that builds {target.name}")):
        if target.is_dir():
            return
        for leftover in target.parent.glob(f"{target.name}.tmp-*"):
            shutil.rmtree(leftover)
        temporary = target.with_name(f"{target.name}.tmp-{os.getpid()}")
        temporary.mkdir(mode=0o755)
        try:
            build(temporary)
            temporary.rename(target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def build_rootfs(
    target: Path,
    packages: str,
    report: Report,
    *,
    newer: tuple[str, str] = ("", ""),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Debian with `packages` in `target`; `newer`: a later suite and the packages to take from it."""
    found = mirror.find_mirror()
    report(f"building a Debian {SUITE} root filesystem (once, about a minute) from {found}")
    script = data_path("templates", "lab", "rootfs.sh")
    command = ["unshare", "--mount", "--propagation", "private", "sh", str(script), str(target), found]
    settings = {**os.environ, "SETTINGS": mirror.apt_settings(), **environment}
    seen: list[str] = []
    with subprocess.Popen(
        [*command, SUITE, packages, *newer],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        env=settings,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            seen = [*seen[-200:], line]
            if line.startswith("step: "):
                report(f"  {line[6:].strip()}")
    if process.returncode != 0:
        raise LabError("the root filesystem of the lab's hosts could not be built", why=tail("".join(seen)))


def build_demo(target: Path, rootfs: Path, report: Report) -> None:
    """The demo image in `target`, as an archive and loaded into a store with the Podman of `rootfs`."""
    report(f"building the image {DEMO_IMAGE}")
    archive, store = target / "image.tar", target / "store"
    demo.build_archive(archive, target / "counter", rootfs / "usr/bin/busybox", DEMO_IMAGE)
    store.mkdir(mode=0o755)
    script = data_path("templates", "lab", "images.sh")
    run(
        ["unshare", "--mount", "--propagation", "private", "sh", script, rootfs, archive, store],
        what="the demo image could not be loaded into a container store",
    )
