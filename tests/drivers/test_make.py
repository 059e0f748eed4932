"""A container is made with the workload's volumes or not at all. Real: the script; fake: the engine, whose volumes
are folders, and which makes a missing one as Podman and Docker do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.model.labels import LABEL_WORKLOAD
from reconciler.resources import host_script

ENGINE = """#!/bin/sh
echo "$*" >>"$HOME/said"
case "$1 $2" in
create*) # a volume that a person removes right now is made again
    cat >"$HOME/stdin"
    [ ! -e "$HOME/removes" ] || { rm -r "$HOME/volumes/data" && mkdir "$HOME/volumes/data"; }
    [ ! -e "$HOME/copies" ] || echo x >"$HOME/volumes/data/of-the-image"
    [ ! -e "$HOME/fails" ] || { echo "no such image" >&2; exit 125; }
    echo "a warning"
    echo "$ID" ;;
"volume inspect")
    [ ! -e "$HOME/silent" ] || exit 1
    case $4 in
    *index*) cat "$HOME/volumes/$5/.owner" 2>/dev/null || echo "<no value>" ;;
    *len*) [ -e "$HOME/volumes/$5.labels" ] && echo 2 || echo 0 ;;
    *) echo "$HOME/volumes/$5" ;;
    esac ;;
"volume rm") rm -r "$HOME/volumes/$3" ;;
esac
exit 0
"""
ID = "f" * 64


@pytest.fixture(params=["podman", "docker"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    program = tmp_path / str(request.param)
    program.write_text(ENGINE)
    program.chmod(0o755)
    for volume in ("data", "more"):
        (tmp_path / "volumes" / volume).mkdir(parents=True)
        (tmp_path / "volumes" / volume / ".owner").write_text("web\n")
    return program


def make(engine: Path) -> subprocess.CompletedProcess[str]:
    script = host_script("oci", "make")
    words = [engine.name, LABEL_WORKLOAD, "web", "data", "more", "--", engine.name, "create", "app"]
    return subprocess.run(
        ["sh", "-c", script, "make", *words],
        env={"HOME": str(engine.parent), "PATH": f"{engine.parent}:/usr/bin:/bin", "ID": ID},
        input="secret value\n",
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def said(engine: Path) -> list[str]:
    return (engine.parent / "said").read_text().splitlines()


def test_made_with_its_volumes(engine: Path) -> None:
    done = make(engine)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, ID)
    assert (engine.parent / "stdin").read_text() == "secret value\n"
    assert not any(line.startswith(("rm", "volume rm")) for line in said(engine))


def test_one_that_was_removed_meanwhile_is_not_mounted_empty(engine: Path) -> None:
    (engine.parent / "removes").touch()
    done = make(engine)
    assert done.returncode == 76 and "somebody removed data right before" in done.stderr and ID not in done.stdout
    assert f"rm {ID}" in said(engine) and "volume rm data" in said(engine)
    assert [one.name for one in (engine.parent / "volumes").iterdir()] == ["more"]


def test_what_is_in_a_strange_volume_stays(engine: Path) -> None:
    """It may be somebody's. Docker fills a new volume from the image: a person looks, as the next plan says."""
    (engine.parent / "removes").touch()
    (engine.parent / "copies").touch()
    assert make(engine).returncode == 76
    assert (engine.parent / "volumes" / "data").exists()


def test_a_volume_that_somebody_labelled_stays(engine: Path) -> None:
    (engine.parent / "volumes" / "data" / ".owner").write_text("db\n")
    (engine.parent / "volumes" / "data.labels").touch()
    assert make(engine).returncode == 76 and f"rm {ID}" in said(engine)
    assert not any(line.startswith("volume rm") for line in said(engine))


def test_a_container_that_cannot_be_made_is_the_engines_error(engine: Path) -> None:
    (engine.parent / "fails").touch()
    done = make(engine)
    assert done.returncode == 125 and "no such image" in done.stderr and len(said(engine)) == 1


def test_an_engine_that_does_not_answer_decides_nothing(engine: Path) -> None:
    (engine.parent / "silent").touch()
    assert make(engine).returncode == 1
    assert not any(line.startswith(("rm", "volume rm")) for line in said(engine))
