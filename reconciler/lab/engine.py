"""Hosts with Docker, or with Docker and Podman: their root filesystem, and the demo image as the archive that each
host loads at its boot."""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.lab import cache, demo
from reconciler.lab.spec import DEMO_IMAGE
from reconciler.lab.tools import Report

PACKAGES = (
    "docker.io docker-cli runc tini catatonit openssh-server iproute2 nftables iptables procps "
    "busybox-static rsync zstd lz4 util-linux attr python3-minimal ca-certificates"
)


WITH_PODMAN = f"{PACKAGES} podman crun netavark aardvark-dns"


def prepare(report: Report) -> cache.PreparedRoot:
    """Build what is not in the cache yet. The first time takes about a minute and needs the Debian mirror."""
    return cache.prepare_other("docker", PACKAGES, _build, report)


def prepare_mixed(report: Report) -> cache.PreparedRoot:
    """The same, with both engines."""
    return cache.prepare_other("mixed", WITH_PODMAN, _build_for_both, report)


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
