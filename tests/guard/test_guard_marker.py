"""Markers and fenced commands."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

LOWER, BROKEN, PHASE, BUSY, USAGE, HOST, OTHER = 75, 76, 77, 81, 82, 83, 84


def test_mark_is_idempotent_and_refuses_lower_epochs(host: Any) -> None:
    host("mark", "web", 3, "reserved", "source", "run-1", "h2")
    host("mark", "web", 3, "reserved", "source", "run-1", "h2")
    refused = host("mark", "web", 2, "running", "owner", "-", "-", expect=LOWER)
    assert "epoch 3" in refused.stderr
    row = host.show("web")
    assert (row["epoch"], row["phase"], row["role"], row["run"], row["peer"]) == (
        3,
        "reserved",
        "source",
        "run-1",
        "h2",
    )
    host("mark", "web", 4, "running", "owner", "-", "-")
    assert host.show("web")["run"] == ""


@pytest.mark.parametrize(
    ("role", "before", "after", "allowed"),
    [
        ("source", "held", "committed", True),
        ("source", "committed", "retired", True),
        ("source", "committed", "held", False),
        ("source", "committed", "running", False),
        ("destination", "committed", "confirmed", True),
        ("destination", "committed", "running", True),
        ("destination", "committed", "reserved", False),
        ("destination", "reserved", "running", True),
        ("source", "retired", "running", False),
        ("source", "fenced", "reserved", False),
    ],
)
def test_a_late_command_takes_no_decision_back(
    host: Any, role: str, before: str, after: str, allowed: bool
) -> None:
    host("mark", "web", 5, before, role, "r", "p")
    host("mark", "web", 5, after, role, "r", "p", expect=0 if allowed else PHASE)
    host("mark", "web", 6, after, role, "r", "p")


def test_a_marker_of_another_run_under_the_same_epoch_stays(host: Any) -> None:
    host("mark", "web", 5, "reserved", "destination", "one", "p")
    host("mark", "web", 5, "reserved", "destination", "two", "p", expect=OTHER)
    host("mark", "web", 6, "fenced", "destination", "one", "p")
    host("mark", "web", 6, "fenced", "destination", "two", "p")  # fenced is fenced, whoever did it
    host("mark", "web", 8, "reserved", "destination", "two", "p")
    host("mark", "web", 8, "running", "owner", "-", "-")


GOOD = "reconciler-marker 1 web 3 held source run-1 h2\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 94,
        GOOD.encode(),
        (GOOD + GOOD).encode()[:-1],
        (GOOD + GOOD).encode()[:-20],
        (GOOD + GOOD + "more").encode(),
        (GOOD + GOOD.replace("3", "4")).encode(),
        (GOOD * 2).replace("web", "db").encode(),
        (GOOD * 2).replace("marker 1", "marker 2").encode(),
        (GOOD * 2).replace("held", "hold").encode(),
        (GOOD * 2).replace(" 3 ", " 03 ").encode(),
        (GOOD * 2).replace("h2", "h2;*").encode(),
        b"name: web\nname: web\n",
        b"\xff\xfe\n\xff\xfe\n",
    ],
)
def test_a_marker_that_cannot_be_trusted_is_refused(host: Any, content: bytes) -> None:
    path = host.path("web", "marker")
    path.write_bytes(content)
    for words in (
        ("mark", "web", 9, "running", "owner", "-", "-"),
        ("run", "web", 9, "any", "--", "true"),
        ("resume", "web", 9),
        ("commit", "web", 9),
        ("clean", "web"),
    ):
        assert str(path) in host(*words, expect=BROKEN).stderr
    row = host.show("web")
    assert str(path) in row["broken"]
    assert path.read_bytes() == content


def test_a_marker_that_cannot_be_trusted_is_mended_and_kept(host: Any) -> None:
    path = host.path("web", "marker")
    torn = (GOOD + GOOD)[:-20]
    path.write_text(torn)
    assert "epoch 3" in host("mend", "web", 2, expect=LOWER).stderr, "what is left of it still counts"
    host("mend", "web", 5)
    row = host.show("web")
    assert (row["epoch"], row["phase"], row["broken"]) == (5, "fenced", "")
    assert host.path("web", "marker.broken").read_text() == torn
    host("mend", "web", 4)  # nothing is broken any more
    assert host.show("web")["epoch"] == 5
    host("mark", "web", 6, "running", "owner", "-", "-")


def test_a_marker_of_a_later_format_is_read_as_such_and_never_replaced(host: Any) -> None:
    path = host.path("web", "marker")
    later = (GOOD * 2).replace("marker 1", "marker 2").replace("h2", "h2 more of it")
    path.write_text(later)
    row = host.show("web")
    assert row["newer"] == "2"
    assert "another release" in row["broken"]
    host("mend", "web", 9, expect=BROKEN)
    assert path.read_text() == later


def test_markers_are_read_by_a_guard_that_is_not_installed(host: Any) -> None:
    host("mark", "web", 3, "held", "source", "run-1", "h2")
    script = Path(host.argv()[len(host.shell)]).read_bytes()
    words = [*host.shell, "-s", "--", "show"]
    done = subprocess.run(words, env=host.env, input=script, capture_output=True)
    assert b'"phase":"held"' in done.stdout


@pytest.mark.parametrize(
    "name", ["", "-web", "../web", "we/b", "Web", "web.", "a" * 64, "w$(id)", "we b", "we\nb"]
)
def test_bad_names_are_refused_and_make_nothing(host: Any, name: str) -> None:
    host("mark", name, 1, "running", "owner", "-", "-", expect=USAGE)
    assert [p.name for p in (host.root / "workloads").iterdir()] == ["web"]


@pytest.mark.parametrize("epoch", ["", "-1", "01", "1x", "1;2", "9" * 16, "$((1))"])
def test_bad_epochs_are_refused(host: Any, epoch: str) -> None:
    host("mark", "web", epoch, "running", "owner", "-", "-", expect=USAGE)


def test_run_asks_epoch_and_phase_and_passes_the_status_on(host: Any) -> None:
    assert host("run", "web", 1, "none", "--", "echo", "a b", "$(id)", "*").stdout == "a b $(id) *\n"
    host("mark", "web", 3, "committed", "destination", "r", "h1")
    host("run", "web", 2, "any", "--", "true", expect=LOWER)
    host("run", "web", 3, "held,running", "--", "true", expect=PHASE)
    host("run", "web", 3, "commit", "--", "true", expect=PHASE)
    failed = host(
        "run", "web", 3, "held,committed", "--", "sh", "-c", "echo out; echo err >&2; exit 125", expect=125
    )
    assert (failed.stdout, failed.stderr) == ("out\n", "err\n")
    host("run", "web", 3, "any", "--", "/does/not/exist", expect=127)
    assert host.path("web", "run.out").stat().st_size == 0


def test_run_passes_stdin(host: Any) -> None:
    words = host.argv("run", "web", 1, "any", "--", "cat")
    done = subprocess.run(words, env=host.env, input=b"secret", capture_output=True)
    assert done.stdout == b"secret"


def test_a_child_that_stays_keeps_neither_lock_nor_connection(host: Any) -> None:
    began = time.monotonic()
    host("run", "web", 1, "any", "--", "sh", "-c", "exec 3>&-; sleep 8 & echo started")
    host("run", "web", 1, "any", "--", "true")
    assert time.monotonic() - began < 6.0


def test_mark_waits_for_a_command_under_way_and_then_fences_the_next(
    host: Any, tmp_path: Path, until: Any
) -> None:
    host("mark", "web", 1, "running", "owner", "-", "-")
    started, ended = tmp_path / "started", tmp_path / "ended"
    running = host.start(
        "run", "web", 1, "running", "--", "sh", "-c", f"touch {started}; sleep 0.5; touch {ended}"
    )
    until(started.exists)
    host("mark", "web", 2, "fenced", "source", "-", "-")
    assert ended.exists()
    assert running.wait() == 0
    host("run", "web", 1, "any", "--", "true", expect=LOWER)


def test_a_command_survives_its_connection(host: Any, tmp_path: Path, until: Any) -> None:
    started, ended = tmp_path / "started", tmp_path / "ended"
    running = host.start(
        "run", "web", 1, "any", "--", "sh", "-c", f"touch {started}; sleep 0.4; echo x; touch {ended}"
    )
    until(started.exists)
    running.stdout.close()
    running.stderr.close()
    running.terminate()
    until(ended.exists)
    running.wait()


def test_racing_marks_leave_the_highest_epoch(host: Any) -> None:
    processes = [host.start("mark", "web", n, "reserved", "source", f"r{n}", "-") for n in range(1, 21)]
    codes = [p.wait() for p in processes]
    assert codes[-1] == 0
    assert set(codes) <= {0, LOWER}
    assert host.show("web")["epoch"] == 20
    for process in processes:
        process.communicate()


def test_what_lies_around_does_not_disturb(host: Any) -> None:
    (host.root / "workloads" / "No Name").mkdir()
    (host.root / "workloads" / "file").write_text("")
    host("mark", "web", 1, "running", "owner", "-", "-")
    host.path("web", "marker.new").write_text("torn")
    host("mark", "web", 2, "running", "owner", "-", "-")
    assert host("show").stdout.count("\n") == 1
    assert host("show", "nothing").stdout == ""


def test_files_are_for_root_only(host: Any) -> None:
    host("mark", "web", 1, "running", "owner", "-", "-")
    assert host.path("web").stat().st_mode & 0o777 == 0o700
    assert host.path("web", "marker").stat().st_mode & 0o777 == 0o600
