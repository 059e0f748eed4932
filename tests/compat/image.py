"""The image all programs are in: a layer with Debian packages, built once and cached, and a thin one with our own.

Both layers are plain tars, so that nothing but the lab's own tools is needed. The second one is made at each run:
a changed program costs no new download.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from reconciler.lab import Lab
from reconciler.lab.cache import SUITE, build_once, build_rootfs, key
from reconciler.lab.spec import cache_folder
from reconciler.lab.tools import Report, run
from reconciler.resources import data_path

IMAGE = "localhost/reconciler-compat:1"
PACKAGES = (
    "redis-server memcached nginx apache2 haproxy mosquitto dnsmasq-base openssh-server etcd-server "
    "postgresql mariadb-server sqlite3 python3 gunicorn nodejs perl ruby php-fpm openjdk-21-jre-headless rhino "
    "tmux inotify-tools procps bindfs fuse3 netcat-openbsd nats-server beanstalkd"
)
RECIPE = b"2"
"""Part of the cache key: raise it when `_pack` starts to write something else."""
LEFT_OUT = ("./proc/*", "./sys/*", "./dev/*", "./run/*", "./tmp/*", "./boot/*", "./var/cache/*", "./var/lib/apt/*")
PROGRAMS = Path(__file__).with_name("programs")
EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Base:
    """The cached layer."""

    layer: Path
    digest: str


def base(report: Report) -> Base:
    """Build the layer of Debian packages unless it is in the cache: about three minutes the first time."""
    script = data_path("templates", "lab", "rootfs.sh").read_bytes()
    folder = cache_folder() / f"compat-{key(script, SUITE.encode(), PACKAGES.encode(), RECIPE)}"
    build_once(folder, lambda target: _pack(target, report), report)
    return Base(folder / "layer.tar", (folder / "digest").read_text().strip())


def _pack(target: Path, report: Report) -> None:
    rootfs, layer = target / "rootfs", target / "layer.tar"
    rootfs.mkdir(mode=0o755)
    build_rootfs(rootfs, PACKAGES, report)
    report("packing it into an image layer")
    left_out = [f"--exclude={pattern}" for pattern in LEFT_OUT]
    same = ["--sort=name", "--numeric-owner", "--format=gnu"]
    run(["tar", "-C", rootfs, *same, *left_out, "-cf", layer, "."])
    with layer.open("rb") as file:
        (target / "digest").write_text(hashlib.file_digest(file, "sha256").hexdigest())
    run(["rm", "-rf", rootfs])


def load(lab: Lab, host: str, report: Report) -> str:
    """Load the image on one host only, so that moves copy it on from there; returns its ID."""
    below = base(report)
    programs = _programs()
    config = _config(below.digest, hashlib.sha256(programs).hexdigest())
    image_id = hashlib.sha256(config).hexdigest()
    if lab.exec(host, ["podman", "image", "exists", image_id], check=False).returncode == 0:
        return image_id
    report(f"loading the image on {host}")
    manifest = [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["base.tar", "programs.tar"]}]
    loader = subprocess.Popen(
        lab.exec_argv(host, ["podman", "load", "--quiet"]), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert loader.stdin is not None
    with loader.stdin, tarfile.open(fileobj=loader.stdin, mode="w|") as tar:
        _add(tar, "manifest.json", json.dumps(manifest).encode())
        _add(tar, "config.json", config)
        _add(tar, "programs.tar", programs)
        tar.add(below.layer, "base.tar")
    if loader.wait() != 0:
        raise RuntimeError(f"podman load on {host} ended with {loader.returncode}")
    return image_id


def _programs() -> bytes:
    """Scripts as they are, C programs compiled, all in /opt/compat."""
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory() as name, tarfile.open(fileobj=buffer, mode="w") as tar:
        for source in sorted(PROGRAMS.iterdir()):
            if source.suffix == ".c":
                binary = Path(name, source.stem)
                run(["gcc", "-O2", "-static", "-pthread", "-Wl,--build-id=none", "-o", binary, source])
                _add(tar, f"opt/compat/{source.stem}", binary.read_bytes(), 0o755)
            elif source.is_file() and source.suffix != ".h":
                _add(tar, f"opt/compat/{source.name}", source.read_bytes(), 0o755)
    return buffer.getvalue()


def _config(*layers: str) -> bytes:
    config = {
        "architecture": run(["dpkg", "--print-architecture"]).stdout.strip(),
        "os": "linux",
        "created": EPOCH,
        "config": {
            "Cmd": ["/bin/sh"],
            "Env": ["PATH=/opt/compat:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in layers]},
        "history": [{"created": EPOCH, "created_by": "reconciler"} for _ in layers],
    }
    return json.dumps(config, sort_keys=True, separators=(",", ":")).encode()


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
