"""Hosts with Docker: their root filesystem, and the demo image as the archive that each host loads at its boot."""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.lab import cache, demo
from reconciler.lab.spec import DEMO_IMAGE, cache_folder
from reconciler.lab.tools import Report, require_packages
from reconciler.resources import data_path

PACKAGES = (
    "docker.io docker-cli runc tini catatonit openssh-server iproute2 nftables iptables procps "
    "busybox-static rsync zstd lz4 util-linux attr python3-minimal ca-certificates"
)


def prepare(report: Report) -> cache.PreparedRoot:
    """Build what is not in the cache yet. The first time takes about a minute and needs the Debian mirror."""
    rootfs = cache_folder() / f"docker-{_key(data_path('templates', 'lab', 'rootfs.sh').read_bytes())}"
    images = cache_folder() / f"docker-demo-{_key(cache.demo_recipe(), rootfs.name.encode())}"
    if not (rootfs.is_dir() and images.is_dir()):
        require_packages(build=True)
        newer = (cache.NEWER_SUITE, cache.NEWER_PACKAGES)
        cache.build_once(rootfs, lambda target: cache.build_rootfs(target, PACKAGES, report, newer=newer), report)
        cache.build_once(images, lambda target: _build(target, rootfs, report), report)
    return cache.PreparedRoot(rootfs=rootfs, images=images / "store")


def _key(*parts: bytes) -> str:
    suites = f"{cache.SUITE} {cache.NEWER_SUITE}"
    return cache.key(*parts, suites.encode(), PACKAGES.encode(), cache.NEWER_PACKAGES.encode())


def _build(target: Path, rootfs: Path, report: Report) -> None:
    report(f"building the image {DEMO_IMAGE}")
    store = target / "store"
    store.mkdir(mode=0o755)
    archive = target / "image.tar"
    demo.build_archive(archive, target / "counter", rootfs / "usr/bin/busybox", DEMO_IMAGE)
    os.link(archive, store / archive.name)
