"""The log of a whole apply. Real: everything but the hosts (in memory) and leases."""

import json
import logging
import os

import pytest

from reconciler.cli import logs
from reconciler.cli.main import run
from tests.sim.test_example_runtime import HOST, WORKLOAD, fleet, no_leases  # noqa: F401  (a fixture)

SECRET = "planted-secret-7c1"


@pytest.fixture
def here(fleet, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("TOKEN", SECRET)
    web = WORKLOAD.replace('image: "app"', 'image: "app", secretEnv: {TOKEN: {fromEnv: TOKEN}}')
    (tmp_path / "specs").mkdir()
    text = HOST % ("h1", 1) + HOST % ("h2", 2) + web % ("web", "podman", "h1", "running", "[]")
    (tmp_path / "specs" / "all.yaml").write_text(text)
    return tmp_path


def test_it_is_off(here, capsys):
    assert run(["apply", "--yes"]) == 0
    assert " engine " not in capsys.readouterr().err
    assert logging.getLogger("reconciler").level == logging.NOTSET


def test_json_lines_have_fields_and_no_secret(here, capsys):
    assert run(["--log-level", "debug", "--log-file", "log", "--log-format", "json", "apply", "--yes"]) == 0
    text = (here / "log").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert {"commands", "engine", "hosts", "load", "state"} == {line["logger"].partition(".")[2] for line in lines}
    began = next(line for line in lines if line["message"] == "create began")
    assert began.keys() == {"at", "level", "logger", "message", "run", "workload", "host", "step"}
    assert (began["workload"], began["host"], began["level"]) == ("web", "h1", "info")
    (ended,) = [line for line in lines if line["message"].startswith("ended")]
    assert (ended["message"], ended["run"]) == ("ended: done", began["run"])
    assert SECRET not in text
    assert (here / "log").stat().st_mode & 0o777 == 0o600


def test_text_goes_to_stderr_and_a_line_stays_a_line(here, capsys):
    assert run(["--log-level", "info", "apply", "--yes"]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "create began" in line]
    assert " info    engine   create began  run=" in line
    assert run(["--log-level", "loud", "plan"]) == 4


def test_what_hosts_say_makes_no_lines_of_its_own(tmp_path):
    logs.start(logs.Level.INFO, tmp_path / "log", None)
    logging.getLogger("reconciler.hosts").info("%s", "one\ntwo\x1b[2J", extra={"host": "h1"})
    assert logs.finish() == ""
    assert (tmp_path / "log").read_text().endswith("info    hosts    one\\ntwo\\x1b[2J  host=h1\n")


def test_a_log_that_cannot_be_written_changes_nothing(here, capsys):
    assert run(["--log-level", "debug", "--log-file", "/dev/full", "apply", "--yes"]) == 0
    assert "warning: the log /dev/full is not complete (No space left on device)" in capsys.readouterr().err
    assert run(["--log-file", str(here / "none" / "log"), "plan"]) == 4
    os.mkfifo(here / "pipe")
    assert run(["--log-file", str(here / "pipe"), "plan"]) == 4, "nobody reads it"


def test_a_reader_that_does_not_read_costs_lines_and_two_seconds(here, capsys, monkeypatch):
    os.mkfifo(here / "pipe")
    reader = os.open(here / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    filler = os.open(here / "pipe", os.O_WRONLY | os.O_NONBLOCK)
    while True:
        try:
            os.write(filler, b"x" * 4096)
        except BlockingIOError:
            break
    assert run(["--log-level", "debug", "--log-file", str(here / "pipe"), "apply", "--yes"]) == 0
    assert "is not complete (nobody takes it)" in capsys.readouterr().err
    os.close(reader)
    os.close(filler)
