"""Kubernetes' API machinery from Debian's own packages, built once per machine and kept in the lab's cache.

Two folders under XDG_CACHE_HOME, each keyed by its recipe: a root filesystem with Go, Kubernetes' libraries, etcd
and kubectl of Debian sid (3 GB, mostly sources), and the programs that the tests start, which need none of it. A
change of `server/` builds only the second again, with Go's own cache in the first.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import LabError
from reconciler.lab.cache import NEWER_SUITE, SUITE, build_once, build_rootfs, key
from reconciler.lab.spec import cache_folder
from reconciler.lab.tools import Report, require_packages, require_root, silent, tail
from reconciler.resources import data_path

BASE = "ca-certificates"
NEWER = "golang-go golang-k8s-apiextensions-apiserver-dev kube-openapi etcd-server kubectl"
"""Of sid: Debian 13 has no apiextensions-apiserver."""
SERVER = Path(__file__).with_name("server")
SCRIPT = Path(__file__).with_name("build.sh")


@dataclass(frozen=True)
class Programs:
    """What a test cluster is started from; all run on this machine as it is."""

    folder: Path

    @property
    def server(self) -> Path:
        return self.folder / "crdserver"

    @property
    def etcd(self) -> Path:
        return self.folder / "etcd"

    @property
    def kubectl(self) -> Path:
        return self.folder / "kubectl"


def programs(report: Report = silent) -> Programs:
    """Built if they are not in the cache: about ten minutes on a machine that has neither folder."""
    script = data_path("templates", "lab", "rootfs.sh").read_bytes()
    recipe = key(script, SUITE.encode(), NEWER_SUITE.encode(), BASE.encode(), NEWER.encode())
    root = cache_folder() / f"kube-root-{recipe}"
    sources = sorted(SERVER.glob("*.go"))
    parts = (part for source in sources for part in (source.name.encode(), source.read_bytes()))
    folder = cache_folder() / f"kube-{key(recipe.encode(), SCRIPT.read_bytes(), *parts)}"
    if not folder.is_dir():
        require_root()
        require_packages(build=True)
        newer = (NEWER_SUITE, NEWER)
        build_once(root, lambda target: build_rootfs(target, BASE, report, newer=newer), report)
        build_once(folder, lambda target: _build(root, target, report), report)
    return Programs(folder)


def _build(root: Path, target: Path, report: Report) -> None:
    report("building an API server from Debian's Kubernetes libraries (minutes the first time)")
    enter = ["unshare", "--mount", "--propagation", "private", "sh", str(SCRIPT)]
    done = subprocess.run(
        [*enter, str(root), str(SERVER), str(target)],
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise LabError("the API server for tests could not be built", why=tail(done.stdout + done.stderr, 30))


if __name__ == "__main__":
    print(programs(lambda line: print(line, file=sys.stderr)).folder)
