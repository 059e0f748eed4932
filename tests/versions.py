"""The unit tests with other versions than the lock's: `python -m tests.versions floors|newest|pythons [NAME...]`.

`floors`: the lowest versions that pyproject allows. `newest`: the newest there are. `pythons`: the lock on every
newer Python of this machine, on Debian 13's and on Debian sid's, both in root filesystems of their own; with names
(`3.13`, `debian-13`, `debian-sid`) on these only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from packaging.requirements import Requirement

from reconciler.lab.cache import NEWER_SUITE, SUITE, build_once, build_rootfs, key
from reconciler.lab.spec import cache_folder

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "versions"
LOCK = ["--require-hashes", "-r", "requirements/dev.txt"]
OURS = ["--no-deps", "--no-build-isolation", "-e", "."]
OLDEST = (3, 11)
RUN = """import importlib.metadata, sys, pytest
print("Python", sys.version.split()[0])
print(", ".join(sorted({f"{d.name} {d.version}" for d in importlib.metadata.distributions()})), flush=True)
parallel, which = ["-n", "auto", "--dist", "loadfile"], "not lab and not page and not nightly"
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", *parallel, "-m", which, "tests"]))
"""
ROOTFS_PACKAGES = (
    "busybox-static ca-certificates gcc git iproute2 libc6-dev openssh-client openssh-server procps util-linux"
)
PYTHON_PACKAGES = "python3 python3-venv"
ENTER = """set -eu
rootfs=$1 scratch=$2 wheels=$3 archive=$4
shift 4
mount -t tmpfs tmpfs "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
mount -t overlay overlay -o "lowerdir=$rootfs,upperdir=$scratch/upper,workdir=$scratch/work" "$scratch/root"
cd "$scratch/root"
mount -t proc proc proc
mount --rbind /dev dev
mkdir project wheels
mount -t tmpfs tmpfs tmp # of its own: on an overlay nobody makes what marks something as gone
mount --bind "$wheels" wheels
tar -C project -xf "$archive"
exec chroot . sh -euc 'cd /project; "$@"; exit' project "$@" # it stays: the first process takes in orphans
"""
"""ROOTFS SCRATCH WHEELS ARCHIVE COMMAND...: run a command in the project's files, over a root filesystem."""


def lowest(text: str) -> str:
    """A requirement, pinned to the lowest version it allows."""
    wanted = Requirement(text)
    (floor,) = (part.version for part in wanted.specifier if part.operator == ">=")
    return f"{wanted.name}=={floor}"


def declared() -> list[str]:
    """Everything pyproject asks for, with its extras and the build backend."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = pyproject["project"]
    extras = [text for texts in project["optional-dependencies"].values() for text in texts]
    asked = [*project["dependencies"], *extras, *pyproject["build-system"]["requires"]]
    return sorted(set(asked))


def environment(name: str, python: str, *installs: Sequence[str]) -> Path:
    """A new virtual environment with what the arguments of each `pip install` bring; its python."""
    folder = BUILD / name
    subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
    for arguments in installs:
        pip = [folder / "bin/python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, *arguments], check=True, cwd=ROOT)
    return folder / "bin/python"


def unit_tests(name: str, command: Sequence[str | Path]) -> bool:
    """Run the unit tests with a Python; print what it was, what was installed and how they ended."""
    done = subprocess.run([*command, "-c", RUN], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    lines = done.stdout.splitlines()
    if done.returncode:
        print(done.stdout)
    for line in (*lines[:2], *lines[-1:]):
        print(f"{name}: {line}", flush=True)
    return done.returncode == 0


def other_pythons() -> Iterator[tuple[str, str]]:
    """(3.12, its program) for every newer Python of this machine, also where pyenv put them."""
    folders = [*os.environ["PATH"].split(os.pathsep), *(Path.home() / ".pyenv/versions").glob("3.*/bin")]
    found: dict[tuple[int, int], str] = {OLDEST: "", sys.version_info[:2]: ""}
    for program in (path for folder in folders for path in Path(folder).glob("python3.*")):
        asked = [program, "-c", "import sys, venv; print(*sys.version_info[:2])"]
        if not re.fullmatch(r"python3\.\d+", program.name):
            continue
        said = subprocess.run(asked, capture_output=True, text=True)
        if said.returncode == 0 and (version := tuple(map(int, said.stdout.split()))) > OLDEST:
            found.setdefault(version, str(program))
    yield from sorted((f"{major}.{minor}", program) for (major, minor), program in found.items() if program)


def in_debian(name: str, newer: tuple[str, str]) -> bool:
    """The unit tests in a root filesystem of Debian 13, with Python from `newer` (suite, packages) if given."""
    packages = f"{ROOTFS_PACKAGES} {PYTHON_PACKAGES}"
    rootfs = cache_folder() / f"python-{key(*(part.encode() for part in (SUITE, packages, *newer)))}"
    build_once(rootfs, lambda target: build_rootfs(target, packages, print, newer=newer), print)
    asked = ["chroot", rootfs, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    version = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    scratch, wheels, archive = BUILD / name / "root", BUILD / name / "wheels", BUILD / name / "project.tar"
    shutil.rmtree(BUILD / name, ignore_errors=True)
    scratch.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
    exact = ["--only-binary", ":all:", "--python-version", version, "--dest", str(wheels)]
    subprocess.run([*pip, *exact, *LOCK], check=True, cwd=ROOT)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-cf", archive, "--null", "-T", "-"], input=listed, cwd=ROOT, check=True)
    install = " && ".join(
        [
            "python3 -m venv /venv",
            f"/venv/bin/pip --quiet install {' '.join(LOCK)}",
            f"/venv/bin/pip --quiet install {' '.join(OURS)}",
            'exec /venv/bin/python "$@"',
        ]
    )
    enter = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
    path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
    seeds = f"SEEDS={os.environ.get('SEEDS', '500')}"
    alone = ["env", "-i", path, "HOME=/root", "PIP_NO_INDEX=1", "PIP_FIND_LINKS=/wheels", seeds]
    script = [*enter, "sh", "-c", ENTER, "enter", rootfs, scratch, wheels, archive]
    return unit_tests(name, [*script, *alone, "sh", "-c", install, "python"])


def main(which: str, *only: str) -> int:
    python = sys.executable
    if which == "floors":
        floors = environment("floors", python, [lowest(text) for text in declared()], OURS)
        return not unit_tests("floors", [floors])
    if which == "newest":
        newest = environment("newest", python, ["--upgrade", "pip", *declared()], OURS)
        return not unit_tests("newest", [newest])
    debians = {"debian-13": ("", ""), f"debian-{NEWER_SUITE}": (NEWER_SUITE, PYTHON_PACKAGES)}
    pythons = dict(other_pythons())
    if unknown := set(only) - {*pythons, *debians}:
        sys.exit(f"there is no {', '.join(sorted(unknown))} here, but {', '.join([*pythons, *debians])}")
    chosen = only or (*pythons, *debians)
    well = [unit_tests(n, [environment(n, program, LOCK, OURS)]) for n, program in pythons.items() if n in chosen]
    well += [in_debian(name, newer) for name, newer in debians.items() if name in chosen]
    return not all(well)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
