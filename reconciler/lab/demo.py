"""The demo image: a docker-archive written byte for byte the same each time, so its ID is the same on every host.

No container tool is needed on this machine: an image is a tar with a layer, a configuration whose SHA-256 is the
image's ID, and a manifest.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

from reconciler.lab.tools import run
from reconciler.resources import data_path

RECIPE = "2"
"""Part of the cache key: raise it when this module starts to write something else."""
EPOCH = "1970-01-01T00:00:00Z"
APPLETS = (
    "sh cat echo ls ps ip sleep mkdir rm cp mv ln touch stat head tail grep sed wc nc id env date "
    "md5sum sha256sum dd df du mount umount kill true false test find sync hostname"
)
FOLDERS = ("bin", "data", "dev", "etc", "proc", "sys", "tmp", "var")


def build_archive(archive: Path, counter: Path, busybox: Path, tag: str) -> str:
    """Compile the counter to `counter` and write the image; returns its ID."""
    build_counter(counter)
    command = {
        "Cmd": ["/bin/counter"],
        "Env": ["PATH=/bin"],
        "ExposedPorts": {"9000/tcp": {}},
        "WorkingDir": "/",
    }
    return _write(archive, _layer(counter.read_bytes(), busybox.read_bytes()), command, tag)


def build_sandbox(archive: Path, busybox: Path, tag: str) -> str:
    """The image of what only holds a pod's namespaces; returns its ID."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        _add_file(tar, "bin/busybox", busybox.read_bytes(), 0o755)
    return _write(archive, buffer.getvalue(), {"Entrypoint": ["/bin/busybox", "sleep", "infinity"]}, tag)


def _write(archive: Path, layer: bytes, command: Mapping[str, object], tag: str) -> str:
    layer_digest = hashlib.sha256(layer).hexdigest()
    config = _json(
        {
            "architecture": run(["dpkg", "--print-architecture"], check=False).stdout.strip() or "amd64",
            "os": "linux",
            "created": EPOCH,
            "config": command,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
            "history": [{"created": EPOCH, "created_by": "reconciler"}],
        }
    )
    image_id = hashlib.sha256(config).hexdigest()
    layer_name = f"{layer_digest}.tar"
    manifest = _json([{"Config": f"{image_id}.json", "RepoTags": [tag], "Layers": [layer_name]}])
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in ((f"{image_id}.json", config), (layer_name, layer), ("manifest.json", manifest)):
            _add_file(tar, name, content, 0o644)
    return image_id


def build_counter(target: Path) -> None:
    source = data_path("templates", "lab", "counter.c")
    run(["gcc", "-O2", "-static", "-s", "-Wl,--build-id=none", "-o", target, source])


def _layer(counter: bytes, busybox: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder in FOLDERS:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        _add_file(tar, "bin/busybox", busybox, 0o755)
        _add_file(tar, "bin/counter", counter, 0o755)
        _add_file(tar, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\n", 0o644)
        _add_file(tar, "etc/group", b"root:x:0:\n", 0o644)
        for applet in sorted(APPLETS.split()):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname, link.mode = tarfile.SYMTYPE, "busybox", 0o777
            tar.addfile(link)
    return buffer.getvalue()


def _add_file(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    """TarInfo's defaults (owner root, time 0) are what makes the archive the same each time."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
