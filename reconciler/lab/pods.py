"""Hosts with containerd: their root filesystem, and archives of the demo image and of what sandboxes are made
of, which each host loads at its boot."""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.lab import cache, demo
from reconciler.lab.spec import DEMO_IMAGE
from reconciler.lab.tools import Report

PACKAGES = (
    "catatonit curl openssh-server iproute2 nftables iptables procps "
    "busybox-static rsync zstd lz4 util-linux attr python3-minimal ca-certificates"
)
NEWER_PACKAGES = f"{cache.NEWER_PACKAGES} containerd runc containernetworking-plugins"
"""Debian 13's containerd is older than restores through its CRI."""
SANDBOX_IMAGE = "localhost/pause:1"


def prepare(report: Report) -> cache.PreparedRoot:
    """Build what is not in the cache yet. The first time takes about a minute and needs the Debian mirror."""
    return cache.prepare_other("containerd", PACKAGES, _build, report, NEWER_PACKAGES, (SANDBOX_IMAGE.encode(),))


def _build(target: Path, rootfs: Path, report: Report) -> None:
    report(f"building the images {DEMO_IMAGE} and {SANDBOX_IMAGE}")
    store, busybox = target / "store", rootfs / "usr/bin/busybox"
    store.mkdir(mode=0o755)
    archive = target / "image.tar"
    demo.build_archive(archive, target / "counter", busybox, DEMO_IMAGE)
    os.link(archive, store / archive.name)
    demo.build_sandbox(store / "sandbox.tar", busybox, SANDBOX_IMAGE)
