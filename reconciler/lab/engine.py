"""Hosts with Docker, or with Docker and Podman: their root filesystem, and the demo image as the archive that each
host loads at its boot."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from reconciler.lab import cache, demo
from reconciler.lab.spec import DEMO_IMAGE, cache_folder
from reconciler.lab.tools import Report, require_packages
from reconciler.resources import data_path

PACKAGES = (
    "docker.io docker-cli runc tini catatonit openssh-server iproute2 nftables iptables procps "
    "busybox-static rsync zstd lz4 util-linux attr python3-minimal ca-certificates"
)


WITH_PODMAN = f"{PACKAGES} podman crun netavark aardvark-dns"


def prepare(report: Report) -> cache.PreparedRoot:
    """Build what is not in the cache yet. The first time takes about a minute and needs the Debian mirror."""
    return _prepare("docker", PACKAGES, _build, report)


def prepare_mixed(report: Report) -> cache.PreparedRoot:
    """The same, with both engines."""
    return _prepare("mixed", WITH_PODMAN, _build_for_both, report)


def _prepare(
    kind: str, packages: str, build: Callable[[Path, Path, Report], None], report: Report
) -> cache.PreparedRoot:
    script = data_path("templates", "lab", "rootfs.sh").read_bytes()
    rootfs = cache_folder() / f"{kind}-{_key(packages, script)}"
    images = cache_folder() / f"{kind}-demo-{_key(packages, cache.demo_recipe(), rootfs.name.encode())}"
    if not (rootfs.is_dir() and images.is_dir()):
        require_packages(build=True)
        newer = (cache.NEWER_SUITE, cache.NEWER_PACKAGES)
        cache.build_once(rootfs, lambda target: cache.build_rootfs(target, packages, report, newer=newer), report)
        cache.build_once(images, lambda target: build(target, rootfs, report), report)
    return cache.PreparedRoot(rootfs=rootfs, images=images / "store")


def _key(packages: str, *parts: bytes) -> str:
    suites = f"{cache.SUITE} {cache.NEWER_SUITE}"
    return cache.key(*parts, suites.encode(), packages.encode(), cache.NEWER_PACKAGES.encode())


def _build_for_both(target: Path, rootfs: Path, report: Report) -> None:
    """Podman's store, and in it the archive that dockerd.sh looks for."""
    cache.build_demo(target, rootfs, report)
    os.link(target / "image.tar", target / "store" / "image.tar")


def _build(target: Path, rootfs: Path, report: Report) -> None:
    report(f"building the image {DEMO_IMAGE}")
    store = target / "store"
    store.mkdir(mode=0o755)
    archive = target / "image.tar"
    demo.build_archive(archive, target / "counter", rootfs / "usr/bin/busybox", DEMO_IMAGE)
    os.link(archive, store / archive.name)
