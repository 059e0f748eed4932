"""Hosts with containerd: their root filesystem, and archives of the demo image and of what sandboxes are made
of, which each host loads at its boot."""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.lab import cache, demo
from reconciler.lab.spec import DEMO_IMAGE, cache_folder
from reconciler.lab.tools import Report, require_packages
from reconciler.resources import data_path

PACKAGES = (
    "catatonit curl openssh-server iproute2 nftables iptables procps "
    "busybox-static rsync zstd lz4 util-linux attr python3-minimal ca-certificates"
)
NEWER_PACKAGES = f"{cache.NEWER_PACKAGES} containerd runc containernetworking-plugins"
"""Debian 13's containerd is older than restores through its CRI."""
SANDBOX_IMAGE = "localhost/pause:1"


def prepare(report: Report) -> cache.PreparedRoot:
    """Build what is not in the cache yet. The first time takes about a minute and needs the Debian mirror."""
    script = data_path("templates", "lab", "rootfs.sh").read_bytes()
    rootfs = cache_folder() / f"containerd-{_key(script)}"
    images = cache_folder() / f"containerd-demo-{_key(cache.demo_recipe(), rootfs.name.encode())}"
    if not (rootfs.is_dir() and images.is_dir()):
        require_packages(build=True)
        newer = (cache.NEWER_SUITE, NEWER_PACKAGES)
        cache.build_once(rootfs, lambda target: cache.build_rootfs(target, PACKAGES, report, newer=newer), report)
        cache.build_once(images, lambda target: _build(target, rootfs, report), report)
    return cache.PreparedRoot(rootfs=rootfs, images=images / "store")


def _key(*parts: bytes) -> str:
    recipe = f"{cache.SUITE} {cache.NEWER_SUITE} {PACKAGES} {NEWER_PACKAGES} {SANDBOX_IMAGE}"
    return cache.key(*parts, recipe.encode())


def _build(target: Path, rootfs: Path, report: Report) -> None:
    report(f"building the images {DEMO_IMAGE} and {SANDBOX_IMAGE}")
    store, busybox = target / "store", rootfs / "usr/bin/busybox"
    store.mkdir(mode=0o755)
    archive = target / "image.tar"
    demo.build_archive(archive, target / "counter", busybox, DEMO_IMAGE)
    os.link(archive, store / archive.name)
    demo.build_sandbox(store / "sandbox.tar", busybox, SANDBOX_IMAGE)
