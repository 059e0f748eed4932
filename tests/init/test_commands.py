"""`init`, `validate` and `schema` as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from reconciler.cli import init, schema, validate
from reconciler.cli.views.output.schemas import output_schemas
from reconciler.errors import InputError
from reconciler.load import load, load_all
from reconciler.load.schema import drifted, schemas

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> Result:
    app = typer.Typer()
    for module in (init, validate, schema):
        module.register(app)
    return CliRunner().invoke(app, list(arguments))


def test_a_new_repository_validates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run("init", str(tmp_path / "fleet"))
    assert made.exit_code == 0, made.output
    monkeypatch.chdir(tmp_path / "fleet")
    assert drifted(Path("schemas"), schemas()) == []
    loaded = load_all(["specs"])
    assert loaded.spec.workloads
    assert loaded.warnings == ()
    checked = run("validate")
    assert checked.exit_code == 0
    assert "1 workload, 2 hosts, 2 policies, 0 networks in 3 files: valid" in checked.output


def test_schemas_of_a_new_repository_are_up_to_date(tmp_path: Path) -> None:
    """It has those of specs alone."""
    run("init", str(tmp_path))
    schemas_there = tmp_path / "schemas"
    assert run("schema", "--out", str(schemas_there), "--check").exit_code == 0
    (schemas_there / "host.json").write_text("{}")
    assert run("schema", "--out", str(schemas_there), "--check").exception is not None


def test_editors_find_the_schemas(tmp_path: Path) -> None:
    run("init", str(tmp_path))
    for path in (tmp_path / "specs").glob("*.yaml"):
        modeline = path.read_text().splitlines()[0]
        assert (path.parent / modeline.partition("$schema=")[2]).resolve().is_file()


def test_init_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / ".gitignore").symlink_to("nowhere")
    result = run("init", str(tmp_path))
    assert result.exit_code == 0
    for name in ("README.md", ".gitignore"):
        assert f"{tmp_path / name}  (is there already, left as it is)" in result.output
    assert (tmp_path / "README.md").read_text() == "mine"
    assert (tmp_path / ".gitignore").is_symlink() and not (tmp_path / "nowhere").exists()
    assert (tmp_path / "specs/hosts.yaml").is_file()
    again = run("init", str(tmp_path), "--json")
    assert json.loads(again.output)["written"] == []


def test_examples_are_not_put_beside_specs_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/mine.yaml").write_text("")
    made = json.loads(run("init", str(tmp_path), "--json").output)
    assert not [name for name in made["written"] if name.startswith("specs/")]
    assert ".gitlab-ci.yml" in made["written"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "specs").write_text("a file")
    result = run("init", str(tmp_path))
    assert isinstance(result.exception, InputError) and "specs" in result.exception.what


def test_the_program_in_a_repository_is_of_one_version(tmp_path: Path) -> None:
    run("init", str(tmp_path))
    vendor = tmp_path / "vendor"
    (wheel,) = vendor.glob("*.whl")
    made = {path.name: path.read_bytes() for path in vendor.iterdir()}
    assert f"./vendor/{wheel.name}" in made["requirements.txt"].decode()
    wheel.rename(vendor / "container_reconciler-0.0.1-py3-none-any.whl")
    run("init", str(tmp_path))
    assert not wheel.exists()
    for path in vendor.iterdir():
        path.unlink()
    run("init", str(tmp_path))
    assert {path.name: path.read_bytes() for path in vendor.iterdir()} == made


def test_init_json(tmp_path: Path) -> None:
    result = run("init", str(tmp_path), "--json")
    assert "specs/hosts.yaml" in json.loads(result.output)["written"]


def test_the_examples_validate() -> None:
    loaded = load_all([ROOT / "specs"])
    assert set(loaded.spec.workloads) >= {"session-cache"}
    assert loaded.warnings == ()


def test_schemas_are_up_to_date() -> None:
    assert drifted(ROOT / "schemas", schemas() | output_schemas()) == [], "run: reconcile schema"


def test_schemas_are_deterministic() -> None:
    code = (
        "import hashlib, reconciler.load.schema as s;"
        " print(hashlib.sha256(repr(s.schemas()).encode()).hexdigest())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1
    kinds = {
        "cluster.json",
        "host.json",
        "migrationpolicy.json",
        "network.json",
        "syncpolicy.json",
        "workload.json",
    }
    kinds |= {"checkpointpolicy.json", "checkpointstore.json"}
    assert set(schemas()) == {"all.json", *kinds}


def test_schema_command(tmp_path: Path) -> None:
    out = tmp_path / "schemas"
    check = ("schema", "--out", str(out), "--check")
    assert isinstance(run(*check).exception, InputError)
    assert run("schema", "--out", str(out)).exit_code == 0
    assert run(*check).exit_code == 0
    (out / "host.json").write_text("{}")
    (out / "gone.json").write_text("{}")
    assert drifted(out, schemas() | output_schemas()) == ["gone.json", "host.json"]
    printed = {made["name"]: made["schema"] for made in json.loads(run("schema", "--json").output)["schemas"]}
    assert printed["workload.json"]["$schema"] == printed["output/plan.json"]["$schema"]


def test_validate_json_of_errors() -> None:
    case = ROOT / "tests/load/cases/unknown-field-placement.yaml"
    result = run("validate", str(case), "--json")
    assert result.exit_code == 4
    report = json.loads(result.output)
    assert (report["valid"], report["errors"], report["warnings"], report["exitCode"]) == (False, 1, 0, 4)
    (found,) = report["findings"]
    where = found["where"]
    assert (found["code"], where["line"], where["column"], where["length"]) == ("E103", 12, 15, 5)


def test_validate_json_of_good_specs() -> None:
    report = json.loads(run("validate", str(ROOT / "specs"), "--json").output)
    assert report["valid"] is True
    assert report["counts"]["workloads"] == len(load([ROOT / "specs"]).workloads)


def test_validate_with_values(tmp_path: Path) -> None:
    specs = ROOT / "specs"
    text = (specs / "cache.yaml").read_text().replace("host: h2", "host: {{ values.host }}")
    (tmp_path / "cache.yaml").write_text(text)
    others = [str(specs / n) for n in ("hosts.yaml", "policies.yaml")]
    assert run("validate", str(tmp_path), *others, "--set", "host=h1").exit_code == 0
    assert isinstance(run("validate", str(tmp_path), *others).exception, InputError)


def test_warning_for_an_image_that_is_not_pinned(tmp_path: Path) -> None:
    text = (ROOT / "specs/game.yaml").read_text().replace("lobby:3.2", "lobby")
    (tmp_path / "game.yaml").write_text(text)
    others = [str(ROOT / "specs" / n) for n in ("hosts.yaml", "policies.yaml")]
    result = run("validate", str(tmp_path), *others)
    assert result.exit_code == 0
    assert "1 warning" in result.output
