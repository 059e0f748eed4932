"""The wheel works alone: installed into an empty environment, with schemas and templates inside."""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_wheel_in_an_empty_environment(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "-q"]
    locked = ["--require-hashes", "-r", ROOT / "requirements" / "runtime.txt"]
    subprocess.run([*pip, *locked], check=True, capture_output=True)
    subprocess.run([*pip, "--no-deps", wheel], check=True, capture_output=True)
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
