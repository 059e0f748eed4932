"""Environment files are read where the specs are, and hold what specs may hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import InputError
from reconciler.load import load, load_all

SPEC = """apiVersion: reconciler/v1alpha1
kind: Host
metadata: {name: h1}
spec: {address: 192.0.2.1}
---
apiVersion: reconciler/v1alpha1
kind: Workload
metadata: {name: web}
spec:
  container:
    image: registry.example/a:1
    envFiles: [FILES]
    env: {MODE: spec}
    secretEnv: {TOKEN: {fromEnv: TOKEN}}
  placement: {host: h1}
"""


def write(folder: Path, names: str, **contents: str) -> Path:
    (folder / ".git").mkdir(exist_ok=True)
    (folder / "spec.yaml").write_text(SPEC.replace("FILES", names))
    for name, text in contents.items():
        (folder / f".{name}").write_text(text)
    return folder / "spec.yaml"


def test_files_fill_env_and_the_spec_wins(tmp_path: Path) -> None:
    first = "# comment\n\nexport COLOUR='deep blue'\nMODE=file\nURL=http://a/?b=c\nTOKEN=changeme-not\n"
    path = write(
        tmp_path, ".first, .second", first=first.replace("TOKEN=changeme-not\n", ""), second='COLOUR="red"\n'
    )
    container = load([path]).workloads["web"].spec.container
    assert container.env == {"COLOUR": "red", "MODE": "spec", "URL": "http://a/?b=c"}
    assert container.env_files == [], "where a value comes from is no part of what runs"


@pytest.mark.parametrize(
    ("names", "text", "code", "word"),
    [
        (".first", "no line", "E158", "line 1"),
        (".first", "A=1\nDB_PASSWORD=hunter2", "E151", "DB_PASSWORD"),
        (".missing", "", "E158", "no such file"),
        ("../../etc/hostname", "", "E121", "out of the repository"),
        ("/etc/hostname", "", "E121", "out of the repository"),
        (".git/config", "", "E121", "hidden"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, names: str, text: str, code: str, word: str) -> None:
    with pytest.raises(InputError) as caught:
        load([write(tmp_path, names, first=text)])
    (found,) = caught.value.diagnostics
    assert found.code == code and found.line == 12 and word in found.message
    assert "hunter2" not in str(found)


def test_one_place_that_hides_another_is_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    more = "    volumes: [{name: data, target: /data}, {name: fixed, target: /fixed, readOnly: true}]\n"
    more += (
        "    tmpfs: [{target: /data/cache}, {target: /elsewhere}]\n    secretFiles: {/fixed/key: {fromEnv: KEY}}\n"
    )
    path.write_text(path.read_text().replace("    envFiles: []\n", more))
    said = [(d.code, d.line) for d in load_all([path]).warnings]
    assert said == [("W102", 13), ("W102", 14)]
