"""The unit and the Containerfile: what they say to the program exists."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from reconciler.cli import main
from reconciler.cli.init import make_repository
from reconciler.resources import data_path

UNIT = data_path("templates", "watch", "reconcile-watch.service")
SAVES = data_path("templates", "watch", "reconcile-checkpoints.service")
TIMER = data_path("templates", "watch", "reconcile-checkpoints.timer")
CONTAINER = data_path("templates", "watch", "Containerfile").read_text()


def unit(path: Path = UNIT) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(strict=True, interpolation=None, delimiters=("=",))
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read_string(path.read_text())
    return parsed


def test_what_the_unit_starts_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(unit()["Service"]["ExecStart"])
    assert Path(words[0]).name == "reconcile"
    assert main.run([*words[1:], "--help"]) == 0
    assert "--drift" in capsys.readouterr().out


def test_what_the_timer_starts_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(unit(SAVES)["Service"]["ExecStart"])
    assert Path(words[0]).name == "reconcile" and words[-2:] == ["checkpoint", "--due"]
    assert main.run([*words[1:], "--help"]) == 0
    assert "--due" in capsys.readouterr().out
    assert TIMER.stem == SAVES.stem and unit(TIMER)["Timer"]["Persistent"] == "true"
    hardened = unit()["Service"]
    assert all(unit(SAVES)["Service"][key] == hardened[key] for key in hardened if key.startswith("Protect"))


def test_systemd_waits_for_what_must_not_be_cut() -> None:
    service = unit()["Service"]
    assert service["Type"] == "notify" and service["ExecReload"].endswith("-HUP $MAINPID")
    assert service["TimeoutStopSec"] == "15min" and service["KillMode"] == "mixed"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
@pytest.mark.parametrize("path", [UNIT, SAVES, TIMER], ids=lambda path: path.name)
def test_systemd_understands_it(path: Path, tmp_path: Path) -> None:
    for each in (UNIT, SAVES, TIMER):
        (tmp_path / each.name).write_text(each.read_text().replace("/usr/local/bin/reconcile", "/bin/true"))
    copy = tmp_path / path.name
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60
    )
    assert path.name not in done.stderr, done.stderr


def test_the_container_is_a_watch() -> None:
    assert 'ENTRYPOINT ["reconcile", "watch"]' in CONTAINER and "USER reconciler" in CONTAINER


def test_the_container_installs_what_init_has_put_into_a_repository(tmp_path: Path) -> None:
    """Its own words, in a folder of ours. Made here: pip, which only looks whether all it is given is there."""
    made = make_repository(tmp_path / "fleet")
    assert any(name.startswith("vendor/") for name in made.written)
    (copied,) = re.findall(r"^COPY \. (\S+)$", CONTAINER, re.MULTILINE)
    (script,) = re.findall(r"^RUN (cd .*)$", CONTAINER, re.MULTILINE)
    shutil.copytree(tmp_path / "fleet" / "vendor", f"{tmp_path}{copied}")
    pip = tmp_path / "pip"
    pip.write_text(
        '#!/bin/sh\nfor last; do :; done\ngrep -o "^[.]/[^ ]*whl" "$last" | while read -r f; do ls "$f"; done\n'
    )
    pip.chmod(0o755)
    here = script.replace("/tmp/install", f"{tmp_path}/tmp/install").partition(" && rm ")[0]
    done = subprocess.run(
        ["sh", "-ec", here], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and done.stdout.startswith("./vendor/container_reconciler-"), done
    assert "--require-hashes" in here
