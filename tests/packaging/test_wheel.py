"""The wheel works alone: installed into an empty environment, with schemas and templates inside, it makes a
repository whose CI installs the same program by hash."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

from reconciler import __version__
from reconciler.commands.wheel import wheel

ROOT = Path(__file__).parents[2]
MAN = (ROOT / "docs" / "reconcile.1").read_bytes()


def contents(path):
    """What a wheel holds, but for who made it."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith(("/RECORD", "/WHEEL"))]
        return {name: archive.read(name) for name in names}


def environment(folder, *arguments):
    """A new environment with what `pip install` brings."""
    venv.create(folder, with_pip=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "-q"]
    subprocess.run([*pip, *arguments], cwd=folder.parent, check=True, capture_output=True)
    return pip


def test_wheel_in_an_empty_environment(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (built,) = tmp_path.glob("*.whl")
    pip = environment(tmp_path / "empty", "--require-hashes", "-r", ROOT / "requirements" / "runtime.txt")
    subprocess.run([*pip, "--no-deps", built], check=True, capture_output=True)
    python = pip[0]
    reconcile = tmp_path / "empty" / "bin" / "reconcile"

    def run(*arguments):
        return subprocess.run([reconcile, *arguments], cwd=tmp_path, capture_output=True, text=True)

    assert run("--help").returncode == 0
    assert run("init", "fleet").returncode == 0
    checked = run("validate", "fleet/specs")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert run("schema", "--out", "schemas").returncode == 0
    assert (tmp_path / "schemas" / "workload.json").read_text() == (ROOT / "schemas" / "workload.json").read_text()
    where = "from reconciler.resources import data_path; print(data_path('templates', 'host', 'guard.sh'))"
    found = subprocess.run([python, "-c", where], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert str(tmp_path) in found.stdout

    # What it wrote for CI is itself, byte for byte what a clone writes; it installs by hash alone.
    name, content = wheel()
    assert (tmp_path / "fleet" / "vendor" / name).read_bytes() == content
    person = f"container_reconciler-{__version__}.data/data/share/man/man1/reconcile.1"  # CI reads none
    assert contents(tmp_path / "fleet" / "vendor" / name) | {person: MAN} == contents(built)
    assert (tmp_path / "empty" / "share" / "man" / "man1" / "reconcile.1").read_bytes() == MAN
    environment(tmp_path / "fleet" / ".venv", "--require-hashes", "-r", "vendor/requirements.txt")
    again = subprocess.run([tmp_path / "fleet/.venv/bin/reconcile", "validate", "specs"], cwd=tmp_path / "fleet")
    assert again.returncode == 0
