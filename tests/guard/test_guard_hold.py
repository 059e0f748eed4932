"""Holding a source: the hook under a runtime that dies, is told, or is left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

LOWER, PHASE, RESUMED, NOT_HELD, OTHER, COMMITTED = 75, 77, 79, 80, 84, 85


def kill_hook(host: Any) -> None:
    os.kill(int(host.path("web", "hook", "held").read_text().split()[1]), signal.SIGKILL)


def outcome(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    return row


def test_held_committed_released(host: Any, state_of: Any, until: Any) -> None:
    pid = host.victim()
    assert host.hold("web", 2, pid)["outcome"] == "held"
    assert state_of(pid) == "T"
    row = host.show("web")
    assert (row["phase"], row["role"], row["epoch"], row["hook"]) == ("held", "source", 2, "held")
    host("release", "web", 2, expect=PHASE)
    host("commit", "web", 2)
    host("commit", "web", 2)
    assert host.show("web")["phase"] == "committed"
    assert state_of(pid) == "T"
    for _ in range(2):
        answer = outcome(host("release", "web", 2))
        assert (answer["outcome"], answer["status"]) == ("exited", 0)
    until(lambda: state_of(pid) in ("Z", ""))
    host("mark", "web", 2, "retired", "source", "-", "-")
    host("clean", "web")
    assert not host.path("web", "hook").exists()
    assert outcome(host("release", "web", 2))["outcome"] == "gone"


def test_resume_lets_the_source_run_at_once(host: Any, state_of: Any, until: Any) -> None:
    pid = host.victim()
    host.hold("web", 2, pid)
    began = time.monotonic()
    waiting = host.start("resume", "web", 2)
    until(lambda: state_of(pid) != "T")
    assert time.monotonic() - began < 0.5  # 0.02 on an idle machine
    assert json.loads(waiting.communicate()[0].splitlines()[0])["outcome"] == "resumed"
    row = host.show("web")
    assert (row["phase"], row["role"]) == ("running", "owner")
    host("commit", "web", 2, expect=RESUMED)
    assert outcome(host("resume", "web", 2))["outcome"] == "resumed"
    host("clean", "web")
    assert host.show("web")["phase"] == "running"


def test_a_committed_source_resumes_only_once_it_is_claimed_back(host: Any, state_of: Any) -> None:
    pid = host.victim()
    host.hold("web", 2, pid, silence=1)
    host("commit", "web", 2)
    host("resume", "web", 2, expect=COMMITTED)
    time.sleep(2.0)
    host("resume", "web", 4, expect=COMMITTED)
    assert state_of(pid) == "T"
    host("mark", "web", 4, "verified", "source", "-", "-")
    assert state_of(pid) == "T"
    host("release", "web", 2, expect=LOWER)
    assert outcome(host("resume", "web", 4))["outcome"] == "resumed"
    assert state_of(pid) in ("S", "R")
    row = host.show("web")
    assert (row["phase"], row["epoch"]) == ("running", 4)
    host("release", "web", 2, expect=75)


def test_a_released_source_cannot_resume(host: Any, state_of: Any) -> None:
    pid = host.victim()
    host.hold("web", 2, pid)
    host("commit", "web", 2)
    host("release", "web", 2)
    host("mark", "web", 4, "verified", "source", "-", "-")
    assert outcome(host("resume", "web", 4))["outcome"] == "gone"
    row = host.show("web")
    assert (row["phase"], row["epoch"]) == ("held", 4)


def test_another_run_neither_joins_nor_resumes_a_hold(host: Any, state_of: Any) -> None:
    """Two controllers that planned from the same state have the same epochs."""
    pid = host.victim()
    host.hold("web", 2, pid)  # of run r
    host("hold", "web", 2, 30, 60, "transactional", 0, "other", "p", "--", "true", expect=OTHER)
    host("mark", "web", 2, "reserved", "source", "other", "p", expect=OTHER)
    host("commit", "web", 2)
    for epoch in (2, 3):
        host("resume", "web", epoch, "other", expect=OTHER)
    assert state_of(pid) == "T"
    row = host.show("web")
    assert (row["phase"], row["epoch"]) == ("committed", 2)


def test_silence_resumes_and_beats_keep(host: Any, state_of: Any, until: Any) -> None:
    pid = host.victim()
    host.hold("web", 2, pid, silence=1)
    for _ in range(5):
        time.sleep(0.4)
        assert json.loads(host("beat", "web", "other").stdout.splitlines()[0])["hook"] == "held"
    assert state_of(pid) == "T"
    assert until(lambda: state_of(pid) != "T", 4.0) < 3.0
    row = host.show("web")
    assert (row["phase"], row["verdict"]) == ("running", "resume")
    assert "silent" in host.path("web", "hook", "trouble").read_text()
    host("commit", "web", 2, expect=RESUMED)
    host("run", "web", 2, "held", "--", "true", expect=PHASE)


def test_the_freeze_is_limited_in_spite_of_beats(host: Any, state_of: Any, until: Any) -> None:
    pid = host.victim()
    host.hold("web", 2, pid, freeze=1)

    def beaten() -> bool:
        host("beat", "web")
        return bool(state_of(pid) != "T")

    assert until(beaten, 4.0) < 3.0
    assert "frozen" in host.path("web", "hook", "trouble").read_text()


def test_holding_costs_little_cpu(host: Any) -> None:
    host.hold("web", 2, host.victim())
    before = os.times()
    hook = int(host.path("web", "hook", "held").read_text().split()[1])

    def ticks() -> int:
        fields = Path(f"/proc/{hook}/stat").read_text().rpartition(")")[2].split()
        return sum(int(f) for f in fields[11:15])

    began = ticks()
    time.sleep(2.0)
    assert ticks() - began <= 6, before  # of 200 ticks


def test_the_controller_may_die_while_it_waits(host: Any, state_of: Any, until: Any) -> None:
    pid = host.victim()
    process = subprocess.Popen(
        host.argv(*host.hold_words("web", 2, pid, dump=0.5)),
        env=host.env,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    until(host.path("web", "hook", "out").exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    until(host.path("web", "hook", "held").exists)
    assert host.hold("web", 2, pid)["outcome"] == "held"  # joins, does not start another
    assert state_of(pid) == "T"
    host("resume", "web", 2)


def test_resume_before_the_dump_is_complete(host: Any, state_of: Any, until: Any) -> None:
    pid = host.victim()
    waiting = host.start(*host.hold_words("web", 2, pid, dump=0.4))
    until(host.path("web", "hook", "runner").exists)
    assert outcome(host("resume", "web", 2))["outcome"] == "resumed"
    assert json.loads(waiting.communicate()[0].splitlines()[0])["outcome"] in ("resumed", "exited")
    assert state_of(pid) in ("S", "R")
    assert not host.path("web", "hook", "net.fenced").exists()


def test_a_dump_that_fails(host: Any) -> None:
    failing = ["sh", "-c", "echo cannot dump tcp; exit 125"]
    done = host("hold", "web", 2, 30, 60, "transactional", 0, "r", "p", "--", *failing)
    assert outcome(done)["status"] == 125
    assert "cannot dump tcp" in done.stdout
    host("commit", "web", 2, expect=NOT_HELD)
    assert outcome(host("resume", "web", 2))["outcome"] == "resumed"


def test_restore_back(host: Any) -> None:
    words = [
        "hold",
        "web",
        2,
        30,
        60,
        "restore-back",
        0,
        "r",
        "p",
        "--",
        "sh",
        "-c",
        f"echo x >>'{host.path('n')}'",
    ]
    host.path("n").parent.mkdir(exist_ok=True)
    for _ in range(2):  # the second finds it done
        done = outcome(host(*words))
        assert (done["outcome"], done["status"]) == ("exited", 0)
    assert len(host.path("n").read_text().splitlines()) == 1
    assert host.show("web")["phase"] == "held"
    host("commit", "web", 2)
    host("resume", "web", 2, expect=COMMITTED)
    host("mark", "web", 4, "verified", "source", "-", "-")
    assert outcome(host("resume", "web", 4))["outcome"] == "gone"
    assert host("run", "web", 4, "held", "--", "echo", "restored").stdout == "restored\n"
    host("mark", "web", 4, "running", "owner", "-", "-")


def test_no_second_hold_on_a_committed_or_held_workload(host: Any) -> None:
    pid = host.victim()
    host.hold("web", 2, pid)
    words = host.hold_words("web", 3, pid)
    host(*words, expect=PHASE)
    host("mark", "web", 2, "running", "owner", "-", "-", expect=PHASE)
    host("clean", "web", expect=PHASE)
    host("commit", "web", 2)
    host(*words, expect=PHASE)


def test_a_killed_hook_before_commit_means_resumed(host: Any, state_of: Any, until: Any) -> None:
    pid = host.victim()
    host.hold("web", 2, pid)
    kill_hook(host)
    until(lambda: state_of(pid) != "T")
    until(host.path("web", "hook", "verdict").exists)
    host("commit", "web", 2, expect=RESUMED)
    assert host.show("web")["phase"] == "running"


def test_a_killed_hook_after_commit_never_brings_the_source_back(host: Any, state_of: Any, until: Any) -> None:
    pid = host.victim()
    host.hold("web", 2, pid)
    host("commit", "web", 2)
    kill_hook(host)
    until(lambda: state_of(pid) in ("Z", ""))
    assert "killed" in host.path("web", "hook", "trouble").read_text()


@pytest.mark.parametrize("committed", [False, True])
def test_a_killed_criu(host: Any, state_of: Any, until: Any, committed: bool) -> None:
    pid = host.victim()
    host.hold("web", 2, pid)
    if committed:
        host("commit", "web", 2)
    hook = int(host.path("web", "hook", "held").read_text().split()[1])
    criu = int(Path(f"/proc/{hook}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(criu, signal.SIGKILL)
    until(host.path("web", "hook", "ended").exists)
    if committed:
        until(lambda: state_of(pid) in ("Z", ""))
    else:
        host("commit", "web", 2, expect=RESUMED)


def test_fencing_a_held_source_ends_its_right_to_resume(host: Any, state_of: Any, until: Any) -> None:
    pid = host.victim()
    host.hold("web", 2, pid, silence=1)
    host("mark", "web", 4, "fenced", "source", "-", "-")
    time.sleep(2.0)
    assert state_of(pid) == "T"
    host("release", "web", 4)
    until(lambda: state_of(pid) in ("Z", ""))


def test_commit_against_silence_has_one_winner(host: Any, state_of: Any, tmp_path: Path, until: Any) -> None:
    """200 times: exactly one of commit and the hook's own resume wins, and the process obeys it."""
    hook = host.path("web", "hook.sh").resolve()
    hook.write_text(hook.read_text().replace("sleep 0.5 &&", "sleep 0.01 &&"))
    winners = {"commit": 0, "resume": 0}
    proc = tmp_path / "proc"
    (proc / "sys/kernel/random").mkdir(parents=True)
    (proc / "sys/kernel/random/boot_id").write_text("aaaa-1\n")
    host.env["RECONCILER_PROC"] = str(proc)
    uptime, fresh = proc / "uptime", proc / "uptime.new"

    def set_uptime(seconds: float) -> None:
        fresh.write_text(f"{seconds:.2f} 0\n")
        fresh.rename(uptime)

    for n in range(200 if host.shell[0] == "dash" else 40):
        set_uptime(1000.0)
        pid = host.victim()
        host("mark", "web", n + 1, "reserved", "source", "-", "-")
        host.hold("web", n + 1, pid, silence=1, dump=0)
        # Either side gets a head start in turn, so that both win on quick and on slow machines.
        with ThreadPoolExecutor() as pool:
            if n % 2:
                set_uptime(1100.0)
                time.sleep((n % 20) * 0.003)
            committing = pool.submit(host, "commit", "web", n + 1, expect=None)
            time.sleep((n % 20) * 0.0005)
            set_uptime(1100.0)
            done = committing.result()
        if done.returncode == 0:
            winners["commit"] += 1
            until(lambda pid=pid: state_of(pid) == "T")  # a stop reaches it when it is its turn on a processor
            assert host.show("web")["phase"] == "committed"
            host("release", "web", n + 1)
            until(lambda pid=pid: state_of(pid) in ("Z", ""))
        else:
            assert done.returncode == RESUMED, done.stderr
            winners["resume"] += 1
            host("resume", "web", n + 1)
            assert state_of(pid) in ("S", "R")
    assert winners["commit"] and winners["resume"], winners


def test_a_plain_checkpoint_is_not_disturbed(host: Any, state_of: Any, until: Any) -> None:
    pid = host.victim()
    words = [str(Path(__file__).parent / "fakecriu.sh"), str(host.path("web")), str(pid)]
    assert subprocess.run(words, env=host.env).returncode == 0
    until(lambda: state_of(pid) in ("Z", ""))


def test_a_reboot_leaves_no_live_hold(host: Any) -> None:
    host.hold("web", 2, host.victim())
    conf = host.path("web", "hook", "conf")
    intact = conf.read_text()
    conf.write_text(intact.rpartition(" ")[0] + " another-boot\n")
    assert host.show("web")["hook"] == "lost"
    host("commit", "web", 2, expect=NOT_HELD)
    assert outcome(host("resume", "web", 2))["outcome"] == "gone"
    conf.write_text(intact)
