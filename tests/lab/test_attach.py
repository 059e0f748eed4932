"""Daemons that were started by hand are declared, and moved with their clients: the real program, specs, CRIU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.lab import Lab
from reconciler.lab.probe import Probe
from tests.lab.daemons import ended
from tests.lab.repo import Repo
from tests.lab.trees import PROGRAM, built, put

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

PIDFILE = "/run/counter/pid"
FOLDER = "/srv/counter"
INDEX = 106
START = f"""
mkdir -p {FOLDER} /run/counter
cd /
setsid sh -c 'echo $$ >{PIDFILE}; exec {PROGRAM} --memory 16 --file {FOLDER}/count' \\
    </dev/null >>{FOLDER}/out 2>&1 &
until [ -s {PIDFILE} ]; do sleep 0.05; done
sleep 0.2
"""


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Iterator[Repo]:
    for host in ("h1", "h2"):
        clean_lab.exec(host, ["rm", "-rf", FOLDER, "/run/counter"])
    put(clean_lab, built())
    repo = Repo(tmp_path, clean_lab)
    with ended(clean_lab, "counter"):
        try:
            yield repo
        finally:
            for host in ("h1", "h2"):
                clean_lab.exec(host, ["ip", "addr", "del", f"{address(repo)}/32", "dev", "e0"], check=False)


def address(repo: Repo) -> str:
    return str(repo.lab.subnet[INDEX])


def on(repo: Repo, host: str, script: str, check: bool = True) -> str:
    return repo.lab.exec(host, ["sh", "-c", script], check=check, timeout_seconds=60).stdout.strip()


def declare(repo: Repo, host: str = "h1", **more: object) -> None:
    attach = {
        "pidfile": PIDFILE,
        "addresses": [{"ip": address(repo), "card": "e0"}],
        "folders": [FOLDER],
        **more,
    }
    attach = {key: value for key, value in attach.items() if value is not None}
    repo.workloads["counter"] = {
        "runtime": "process",
        "process": {"attach": attach},
        "placement": {"host": host},
        "health": {"tcp": {"port": 9000}, "within": "5s"},
    }
    repo.write()


def start(repo: Repo, host: str = "h1", script: str = START) -> None:
    on(repo, host, f"ip addr add {address(repo)}/32 dev e0; {script}")


def running_on(repo: Repo) -> list[str]:
    return [host for host in ("h1", "h2", "h3") if on(repo, host, "pgrep -x counter || true")]


def refused(repo: Repo, rule: str, command: str = "plan") -> str:
    """What the rule says; nothing is changed."""
    told = repo.json(command, expect=None)
    found = [finding for finding in told["findings"] if finding["code"] == rule]
    assert found, told["findings"]
    return " ".join(finding["message"] for finding in found)


def test_there_and_back_twice_on_one_connection(repo: Repo) -> None:
    start(repo)
    pid = on(repo, "h1", f"cat {PIDFILE}")
    declare(repo)
    repo.apply()
    assert on(repo, "h1", f"cat {PIDFILE}") == pid and "Nothing to do" in repo.apply().stdout
    with Probe(address(repo), checksums=True) as probe:
        for host in ("h2", "h1", "h2", "h1"):
            repo.place("counter", host)
            repo.apply()
            assert running_on(repo) == [host]
            assert on(repo, host, f"cat {PIDFILE}; cat /proc/{pid}/comm") == f"{pid}\ncounter"
        seen = probe.stop()
    print(f"longest wait {seen.longest_wait_seconds:.2f} s")
    assert seen.survived and seen.memory_intact, seen
    left = f"ls -d {FOLDER} {PIDFILE} /sys/fs/cgroup/reconciler-*; ip -o addr show | grep {address(repo)}/"
    assert on(repo, "h2", f"{left}; ls /var/lib/reconciler/processes", check=False) == ""
    counted = [int(line) for line in on(repo, "h1", f"cat {FOLDER}/count").split()]
    assert counted == sorted(set(counted)), "each second is written once"
    repo.workloads["counter"]["state"] = "absent"
    repo.write()
    said = repo.apply("--allow-removals", "1")
    assert "runs on" in said.stdout + said.stderr
    assert running_on(repo) == ["h1"], "it is let go"
    assert on(repo, "h1", "ls -d /sys/fs/cgroup/reconciler-*", check=False) == ""


def test_its_number_is_taken_there_and_nothing_is_frozen(repo: Repo) -> None:
    start(repo)
    declare(repo)
    repo.apply()
    pid = int(on(repo, "h1", f"cat {PIDFILE}"))
    on(
        repo,
        "h2",
        f"echo {pid - 1} >/proc/sys/kernel/ns_last_pid; setsid sleep 300 </dev/null >/dev/null 2>&1 & sleep 0.2",
    )
    if on(repo, "h2", f"cat /proc/{pid}/comm", check=False) != "sleep":
        pytest.skip("this kernel gives no chosen process number")
    try:
        repo.place("counter", "h2")
        with Probe(address(repo), checksums=True) as probe:
            assert f"{pid} (sleep)" in refused(repo, "attach.ids")
            assert "attach.ids" in repo.apply("--json", expect=None).stdout
            seen = probe.stop()
        assert seen.survived and seen.longest_wait_seconds < 1, seen
        assert running_on(repo) == ["h1"]
    finally:
        on(repo, "h2", f"kill {pid}")
    repo.apply()
    assert running_on(repo) == ["h2"]


FAILS = """#!/bin/sh
[ "$1" != {verb} ] || {{ echo 'Error (fake.c:1): it cannot be done' >&2; exit 1; }}
exec /usr/sbin/criu "$@"
"""


@pytest.mark.parametrize(("verb", "host"), [("dump", "h1"), ("restore", "h2")])
def test_it_runs_on_with_its_connection_when_a_move_fails(repo: Repo, verb: str, host: str) -> None:
    start(repo)
    declare(repo)
    repo.apply()
    fake = "cat > /usr/local/sbin/criu && chmod 755 /usr/local/sbin/criu"
    repo.lab.exec(host, ["sh", "-c", fake], input=FAILS.format(verb=verb))
    try:
        with Probe(address(repo), checksums=True) as probe:
            repo.place("counter", "h2")
            repo.apply(expect=1)
            assert running_on(repo) == ["h1"]
            seen = probe.stop()
    finally:
        repo.lab.exec(host, ["rm", "/usr/local/sbin/criu"])
    assert seen.survived and seen.memory_intact, seen
    assert address(repo) in on(repo, "h1", "ip -o addr show dev e0")
    assert address(repo) not in on(repo, "h2", "ip -o addr show dev e0")
    assert on(repo, "h2", f"ls -d {FOLDER} {PIDFILE} /sys/fs/cgroup/reconciler-*", check=False) == ""
    repo.apply()
    assert running_on(repo) == ["h2"]


def test_what_cannot_be_attached_to_is_named(repo: Repo) -> None:
    declare(repo)
    assert "there is no /run/counter/pid" in refused(repo, "attach.found")
    start(repo)
    pid = on(repo, "h1", f"cat {PIDFILE}")
    for content, word in (
        ("1", "first process"),
        ("x", "no process ID"),
        ("4194303", "no process 4194303"),
        ("$(pgrep -o -x sshd)", "reaches the host through"),
    ):
        on(repo, "h1", f"echo {content} >{PIDFILE}")
        assert word in refused(repo, "attach.found")
    on(repo, "h1", f"echo {pid} >{PIDFILE}; chown nobody {PIDFILE}")
    assert "belongs to the user 65534" in refused(repo, "attach.found")
    on(repo, "h1", f"chown root {PIDFILE}; chmod 666 {PIDFILE}")
    assert "anybody may write" in refused(repo, "attach.found")
    on(repo, "h1", f"chmod 644 {PIDFILE}")
    on(
        repo,
        "h1",
        "setsid unshare --mount --ipc sleep 300 </dev/null >/dev/null 2>&1 & sleep 0.3;"
        " pgrep -n -x sleep >/run/boxed.pid",
    )
    try:
        declare(repo, pidfile="/run/boxed.pid")
        assert "namespaces of its own (mnt, ipc)" in refused(repo, "attach.found")
    finally:
        on(repo, "h1", "pkill -F /run/boxed.pid; rm /run/boxed.pid")
    declare(repo)
    repo.run("plan")
    assert running_on(repo) == ["h1"]


SYSTEMCTL = """#!/bin/sh
case "$*" in
*MainPID*) cat /run/counter/pid ;;
*UnitFileState*) cat /run/counter/enabled ;;
*Restart*) cat /run/counter/restart ;;
esac
"""


def test_a_unit_is_asked_for_its_process_and_what_systemd_would_do(repo: Repo) -> None:
    """Systemd is played: these hosts have none."""
    start(repo)
    repo.lab.exec(
        "h1", ["sh", "-c", "cat > /usr/local/bin/systemctl && chmod 755 /usr/local/bin/systemctl"], input=SYSTEMCTL
    )
    try:
        on(repo, "h1", "echo always >/run/counter/restart; echo enabled >/run/counter/enabled")
        declare(repo, pidfile=None, unit="counter.service")
        assert "Restart=always" in refused(repo, "attach.found")
        on(repo, "h1", "echo no >/run/counter/restart")
        repo.apply()
        repo.place("counter", "h2")
        assert "starts counter.service at boot" in refused(repo, "attach.boot")
        on(repo, "h1", "echo disabled >/run/counter/enabled")
        repo.apply()
        assert running_on(repo) == ["h2"]
    finally:
        on(repo, "h1", "rm -f /usr/local/bin/systemctl")


def test_what_left_its_tree_or_writes_elsewhere_cannot_move(repo: Repo) -> None:
    start(repo, script=START.replace(f"{FOLDER}/out", "/srv/elsewhere"))
    declare(repo)
    told = repo.json("plan", expect=None)
    warned = {f["code"]: f["message"] for f in told["findings"] if f["code"].startswith("attach.")}
    assert "/srv/elsewhere" in warned["attach.files"] and not told["refused"], told["findings"]
    repo.apply()
    repo.place("counter", "h2")
    assert "/srv/elsewhere" in refused(repo, "attach.files")
    group = "/sys/fs/cgroup/reconciler-*/cgroup.procs"
    on(
        repo,
        "h1",
        "setsid sleep 300 </dev/null >/dev/null 2>&1 & sleep 0.2;"
        f" pgrep -n -x sleep | tee /run/stray >$(echo {group})",
    )
    try:
        assert "not below counter" in refused(repo, "attach.tree")
    finally:
        on(repo, "h1", "pkill -F /run/stray; rm /run/stray /srv/elsewhere")
    on(repo, "h1", f"cp {PROGRAM} {PROGRAM}.new; mv {PROGRAM}.new {PROGRAM}")
    assert PROGRAM in refused(repo, "attach.tree")
    assert running_on(repo) == ["h1"]
