"""The program's edge: exit codes, suggestions, crash reports, pipes. Runs the real program."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli import main

RECONCILE = Path(sys.executable).with_name("reconcile")


def run(*arguments, **options):
    options.setdefault("env", {**os.environ, "NO_COLOR": "1"})
    return subprocess.run([RECONCILE, *arguments], capture_output=True, text=True, timeout=60, **options)


def test_help_is_quick_because_commands_import_what_they_need_when_they_run():
    listed = run("--help")
    assert listed.returncode == 0 and "apply" in listed.stdout
    heavy = ("pydantic", "asyncssh", "jinja2", "rich")
    probe = f"import sys, reconciler.cli.main; print([m for m in {heavy} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize(("arguments", "says"), [(["plann"], "'plan'"), (["plan", "--jso"], "--json")])
def test_unknown_command_or_flag_is_bad_input_with_a_suggestion(arguments, says):
    done = run(*arguments)
    assert done.returncode == 4 and says in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("group", [[], ["lab"], ["checkpoints"], ["tend"], ["hosts"]])
def test_without_a_command_the_usage_is_shown_as_what_it_is(group, capsys):
    assert main.run(group) == 4
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("Usage: ") and "error[" not in told.err


def test_no_traceback_reaches_the_user_and_the_report_holds_no_arguments(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def crash(*_, **__):
        raise RuntimeError("a mistake")

    monkeypatch.setattr(main, "app", crash)
    assert main.run(["plan", "--set", "password=hunter2"]) == 1
    said = capsys.readouterr().err
    reports = list((tmp_path / "reconciler" / "reports").iterdir())
    assert len(reports) == 1 and str(reports[0]) in said and "Traceback" not in said
    text = reports[0].read_text()
    assert "a mistake" in text and "hunter2" not in text
    assert reports[0].stat().st_mode & 0o077 == 0


def test_a_report_that_cannot_be_saved_is_no_crash_of_its_own(monkeypatch, capsys):
    def crash(*_, **__):
        raise RuntimeError("a mistake")

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(main, "app", crash)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert main.run(["plan"]) == 1
    said = capsys.readouterr().err
    assert "not saved: this user has no home folder" in said and "Traceback" not in said


def test_findings_have_the_same_names_in_every_json(tmp_path):
    (tmp_path / "bad.yaml").write_text("kind: Nothing\n")
    done = run("plan", "--json", str(tmp_path / "bad.yaml"), cwd=tmp_path)
    assert done.returncode == 4
    (finding, *_) = json.loads(done.stdout)["findings"]
    assert finding["where"]["file"] == str(tmp_path / "bad.yaml") and "sourceLine" in finding["where"]


def test_a_reader_that_goes_away_is_no_error():
    with subprocess.Popen([RECONCILE, "schema", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as job:
        job.stdout.close()
        assert b"Traceback" not in job.stderr.read()


def test_output_to_a_full_disk_is_said():
    with open("/dev/full", "w") as full:
        done = subprocess.run([RECONCILE, "schema", "--json"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "could not be written" in done.stderr and "Traceback" not in done.stderr


def test_apply_without_terminal_and_without_yes_or_with_a_broken_plan_file(tmp_path):
    (tmp_path / "plan.json").write_text("{}")
    done = run("apply", "plan.json", cwd=tmp_path)
    assert done.returncode == 4 and "not a plan file" in done.stderr
