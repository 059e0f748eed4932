"""The main job on real hosts: create, move, put back, through the real program and real specs."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from reconciler.lab import Lab
from reconciler.lab.probe import Probe
from tests.lab.clients import Datagrams, Pushed
from tests.lab.repo import Repo, interrupt, kill

pytestmark = pytest.mark.lab


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Repo:
    return Repo(tmp_path, clean_lab)


def test_three_moves_keep_one_connection_and_then_there_is_nothing_to_do(repo: Repo) -> None:
    address = repo.counter()
    repo.apply()
    with Probe(address, checksums=True) as probe:
        for host in ("h2", "h1", "h2"):
            repo.place("counter", host)
            repo.apply()
            assert repo.running_on() == [host]
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert "Nothing to do" in repo.apply().stdout
    repo.run("plan", "--detailed-exitcode")
    listed = repo.lab.exec("h2", ["podman", "ps", "--format", "{{.Status}}"]).stdout
    assert "years" not in listed, "Podman knows when it was started"
    assert repo.lab.exec("h1", ["podman", "ps", "-aq"]).stdout == "", "nothing is left on the source"


def test_what_is_on_its_way_while_it_moves_is_not_waited_for_and_segments_keep_their_size(repo: Repo) -> None:
    """What a restored socket sends first must be answered: without an answer it is sent again after 1.000 s."""
    address = repo.counter()
    repo.apply()
    before = _segment_size(repo, "h1", address)
    with Probe(address) as probe, Pushed(address) as pushed:
        repo.place("counter", "h2")
        repo.apply()
        seen = pushed.stop()
        outage = probe.stop().longest_wait_seconds
        after = _segment_size(repo, "h2", address)
    assert not seen.error and seen.counts == sorted(seen.counts), "nothing is missing, nothing comes twice"
    assert seen.longest_gap_seconds < outage + 0.9, (seen.longest_gap_seconds, outage)
    assert after == before
    tables = repo.lab.exec("h2", ["nft", "list", "tables"]).stdout
    assert "reconciler" not in tables


def test_a_client_of_datagrams_sees_no_error(repo: Repo) -> None:
    address = repo.counter()
    repo.apply()
    with Datagrams(address) as asking:
        repo.place("counter", "h2")
        repo.apply()
        before = asking.answers
        time.sleep(0.5)
        seen = asking.stop()
    assert seen.errors == [] and seen.answers > before > 0


def _segment_size(repo: Repo, host: str, address: str) -> str:
    """What the kernel sends at most at once, over a connection of the moment; and the card's MTU."""
    script = """
        pid=$(podman container inspect --format '{{.State.Pid}}' counter)
        nsenter --net=/proc/$pid/ns/net ss -tin | grep -o ' mss:[0-9]*' | sort -u
        nsenter --net=/proc/$pid/ns/net ip -o link show dev eth0 | grep -o ' mtu [0-9]*'
    """
    with Probe(address):
        time.sleep(0.3)
        return repo.lab.exec(host, ["sh", "-c", script]).stdout


def test_files_move_with_modes_owners_and_deletions(repo: Repo) -> None:
    volumes = [{"name": "counter-data", "target": "/data"}]
    address = repo.counter(container={"volumes": volumes})
    repo.apply()
    script = """
        echo kept > /data/kept; chmod 640 /data/kept; chown 1234:4321 /data/kept; ln -s kept /data/link
        mkdir -p /new/deep; echo root > /new/deep/file; chmod 4755 /new/deep/file; mkfifo /new/pipe
        rm /bin/vi; rm -rf /var; mkdir /var; echo back > /var/only
    """
    repo.lab.exec("h1", ["podman", "exec", "counter", "sh", "-c", script])
    with Probe(address) as probe:
        repo.place("counter", "h2")
        repo.apply()
        assert probe.stop().survived
    look = (
        "stat -c '%n %a %u:%g' /data/kept /new/deep/file /new/pipe; cat /data/link /new/deep/file; ls /var /bin/vi"
    )
    seen = repo.lab.exec("h2", ["podman", "exec", "counter", "sh", "-c", look], check=False)
    assert "/data/kept 640 1234:4321" in seen.stdout and "/new/deep/file 4755 0:0" in seen.stdout
    assert "kept\nroot" in seen.stdout and "only" in seen.stdout
    assert "/bin/vi: No such file" in seen.stderr, "deletions move too"
    assert "counter-data" not in repo.lab.exec("h1", ["podman", "volume", "ls"]).stdout


def test_destination_dies_in_the_transfer_and_the_workload_runs_on_at_the_source(repo: Repo) -> None:
    address = repo.counter(memory=128)
    repo.apply()
    repo.place("counter", "h2")
    with Probe(address, checksums=True) as probe:
        output, _ = repo.apply_until("hold h1", lambda _: repo.lab.kill_sshd("h2"), expect=1)
        assert repo.running_on() == ["h1"]
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert "put back" in output and "h1" in output
    repo.lab.start_sshd("h2")
    repo.run("resume")
    repo.apply()
    assert repo.running_on() == ["h2"]


@contextmanager
def before_criu_works(lab: Lab, host: str, what: str) -> Iterator[None]:
    """CRIU on a host, as runtimes call it, with a shell command before it begins."""
    script = f'#!/bin/sh\n[ "$1" = swrk ] && {what}\nexec /usr/sbin/criu.real "$@"\n'
    lab.exec(host, ["mv", "/usr/sbin/criu", "/usr/sbin/criu.real"])
    lab.exec(host, ["sh", "-c", "cat > /usr/sbin/criu; chmod 755 /usr/sbin/criu"], input=script)
    try:
        yield
    finally:
        lab.exec(host, ["mv", "/usr/sbin/criu.real", "/usr/sbin/criu"])


def test_destination_that_cannot_restore_gives_it_back(repo: Repo) -> None:
    address = repo.counter()
    repo.apply()
    repo.place("counter", "h2")
    with before_criu_works(repo.lab, "h2", "exit 1"):
        with Probe(address, checksums=True) as probe:
            output = repo.apply(expect=1).stdout
            assert repo.running_on() == ["h1"]
            seen = probe.stop()
        assert seen.survived and seen.memory_intact, seen
        assert "put back" in output
        assert repo.lab.exec("h2", ["podman", "ps", "-aq"]).stdout == "", "the destination is clean"


def test_a_client_does_not_wait_much_longer_than_the_freeze(repo: Repo) -> None:
    """Its kernel would double its pauses: after 1.4 s without an answer it would try again only at 3.0 s."""
    address = repo.counter()
    repo.apply()
    repo.place("counter", "h2")
    with before_criu_works(repo.lab, "h2", "sleep 1.5"), Probe(address, checksums=True) as probe:
        repo.apply()
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    frozen = repo.json("history", "counter")["runs"][0]["changes"][0]["frozenS"]
    assert frozen > 1.5
    assert seen.longest_wait_seconds < frozen + 0.6
    for host in ("h1", "h2"):
        assert "reconciler" not in repo.lab.exec(host, ["nft", "list", "tables"]).stdout


@pytest.mark.parametrize("boundary", ["stage", "hold", "transfer", "commit", "restore", "confirm"])
def test_a_killed_controller_is_followed_by_one_that_knows_nothing(repo: Repo, boundary: str) -> None:
    address = repo.counter()
    repo.apply()
    repo.place("counter", "h2")
    with Probe(address, checksums=True) as probe:
        repo.apply_until(f"+ counter: {boundary}", kill, expect=-9)
        repo.journal = "another.db"
        repo.run("resume")
        finished = boundary in ("commit", "restore", "confirm")
        assert repo.running_on() == (["h2"] if finished else ["h1"])
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert "No hand-over is unfinished" in repo.run("status").stdout
    repo.journal = "journal.db"
    repo.run("resume")  # the first controller's journal learns what the other did
    repo.apply()
    assert repo.running_on() == ["h2"]


def test_ctrl_c_before_the_commit_puts_back(repo: Repo) -> None:
    address = repo.counter(memory=256)
    repo.apply()
    repo.place("counter", "h2")
    with Probe(address) as probe:
        repo.apply_until("hold h1", interrupt, expect=130)
        assert repo.running_on() in (["h1"], ["h2"])
        assert probe.stop().survived
    assert "No hand-over is unfinished" in repo.run("status").stdout


def test_two_workloads_cross_each_other(repo: Repo) -> None:
    first = repo.counter("one", on="h1", number=1)
    second = repo.counter("two", on="h2", number=2)
    repo.apply()
    with Probe(first, checksums=True) as one, Probe(second, checksums=True) as two:
        repo.place("one", "h2")
        repo.place("two", "h1")
        repo.apply()
        for probe in (one, two):
            seen = probe.stop()
            assert seen.survived and seen.memory_intact, seen
    assert repo.running_on("one") == ["h2"] and repo.running_on("two") == ["h1"]


def test_two_workloads_go_the_same_way_at_once(repo: Repo) -> None:
    addresses = [repo.counter(name, on="h1", number=number) for number, name in enumerate(("one", "two", "three"))]
    repo.apply()
    with ExitStack() as stack:
        probes = [stack.enter_context(Probe(address, checksums=True)) for address in addresses]
        for name in ("one", "two", "three"):
            repo.place(name, "h2")
        repo.apply()
        for probe in probes:
            seen = probe.stop()
            assert seen.survived and seen.memory_intact, seen
    for name in ("one", "two", "three"):
        assert repo.running_on(name) == ["h2"]


def test_two_applies_at_once_exclude_each_other(repo: Repo, tmp_path: Path, clean_lab: Lab) -> None:
    repo.counter(memory=64)
    repo.apply()
    repo.place("counter", "h2")
    other = Repo(tmp_path / "other", clean_lab)
    other.workloads = repo.workloads
    other.write()
    refused = []

    def meanwhile(first: subprocess.Popen[str]) -> None:
        """It must not come to its end before the other has looked, however busy this machine is."""
        first.send_signal(signal.SIGSTOP)
        try:
            refused.append(other.apply(expect=6))
        finally:
            first.send_signal(signal.SIGCONT)

    repo.apply_until("reserve", meanwhile, expect=0)
    assert "works on" in refused[0].stderr
    assert repo.running_on() == ["h2"]


def test_a_reviewed_plan_is_refused_when_the_world_has_moved(repo: Repo) -> None:
    repo.counter()
    repo.apply()
    repo.place("counter", "h2")
    repo.run("plan", "--out", "plan.json")
    repo.apply()
    stale = repo.run("apply", "plan.json", expect=8)
    assert "changed since the plan" in stale.stderr


def test_removal_needs_consent_and_never_touches_what_is_not_ours(repo: Repo) -> None:
    repo.counter()
    repo.apply()
    foreign = ["podman", "run", "-d", "--name", "foreign", "localhost/reconciler-demo:1", "sleep", "600"]
    repo.lab.exec("h1", foreign)
    repo.workloads["counter"]["state"] = "absent"
    repo.write()
    refused = repo.apply(expect=1)
    assert "--allow-removals" in refused.stderr and repo.running_on() == ["h1"]
    repo.apply("--allow-removals", "1")
    assert repo.running_on() == [] and repo.running_on("foreign") == ["h1"]


def test_a_changed_container_is_made_anew_and_the_old_one_comes_back_when_it_is_not_healthy(repo: Repo) -> None:
    repo.counter()
    repo.apply()
    repo.workloads["counter"]["container"]["command"] = ["/bin/counter", "--port", "9001"]
    repo.workloads["counter"]["health"]["within"] = "1s"
    repo.write()
    refused = repo.apply(expect=1)
    assert "--allow-interruptions" in refused.stderr
    repo.apply("--allow-interruptions", "1", expect=1)
    assert repo.running_on() == ["h1"]
    assert "9000" in repo.lab.exec("h1", ["podman", "inspect", "counter", "--format", "{{.Args}}"]).stdout
    repo.workloads["counter"]["health"] = {"tcp": {"port": 9001}}
    repo.write()
    repo.apply("--allow-interruptions", "1")
    assert "9001" in repo.lab.exec("h1", ["podman", "inspect", "counter", "--format", "{{.Args}}"]).stdout
    assert len(repo.lab.exec("h1", ["podman", "ps", "-aq"]).stdout.split()) == 1


def test_restore_back_when_the_policy_says_so(repo: Repo) -> None:
    repo.policy("back", cutover="restore-back")
    address = repo.counter(migration={"policy": "back"})
    repo.apply()
    repo.place("counter", "h2")
    assert "restore-back" in repo.run("plan").stdout
    with Probe(address, checksums=True) as probe:
        repo.apply()
        assert repo.running_on() == ["h2"]
        repo.place("counter", "h1")
        repo.apply_until("hold h2", lambda _: repo.lab.kill_sshd("h1"), expect=1)
        assert repo.running_on() == ["h2"], "restored from its images on the source"
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert links(repo) != "", "what was made on h1 could not be taken away while it did not answer"
    repo.lab.start_sshd("h1")
    repo.run("resume")
    assert repo.running_on() == ["h2"]
    assert links(repo) == ""


def links(repo: Repo) -> str:
    """What moves leave for copies between hosts: folders, and keys that a host accepts."""
    script = "ls /run/reconciler/links; grep reconciler-link: /root/.ssh/authorized_keys"
    hosts = (host.name for host in repo.lab.hosts)
    return "".join(repo.lab.exec(host, ["sh", "-c", script], check=False).stdout for host in hosts)


def test_an_unreachable_host_is_unknown_and_nothing_is_done_about_it(repo: Repo) -> None:
    repo.counter()
    repo.apply()
    repo.lab.kill_sshd("h1")
    plan = repo.json("plan", expect=1)
    assert [one["host"] for one in plan["unknownHosts"]] == ["h1"] and plan["steps"] == []
    time.sleep(0.1)
    repo.lab.start_sshd("h1")
    repo.run("plan", "--detailed-exitcode")


def test_a_rehearsal_freezes_for_a_moment_and_changes_nothing_else(repo: Repo) -> None:
    address = repo.counter(memory=64)
    repo.apply()
    repo.place("counter", "h2")
    with Probe(address, checksums=True) as probe:
        shown = repo.run("plan", "--rehearse", "--out", "plan.json").stdout
        seen = probe.stop()
    assert "rehearsed" in shown and "it was frozen for" in shown
    assert seen.survived and seen.memory_intact, seen
    assert repo.running_on() == ["h1"]
    repo.run("apply", "plan.json")
    assert repo.running_on() == ["h2"]


def test_a_rehearsal_finds_what_facts_cannot_show(repo: Repo) -> None:
    address = repo.counter()
    repo.apply()
    repo.place("counter", "h2")
    broken = '#!/bin/sh\n[ "$1" = swrk ] && exit 1\nexec /usr/sbin/criu.real "$@"\n'
    repo.lab.exec("h1", ["mv", "/usr/sbin/criu", "/usr/sbin/criu.real"])
    repo.lab.exec("h1", ["sh", "-c", "cat > /usr/sbin/criu; chmod 755 /usr/sbin/criu"], input=broken)
    try:
        with Probe(address) as probe:
            refused = repo.run("plan", "--rehearse", expect=1).stdout
            assert probe.stop().survived
        assert "rehearsal.failed" in refused
        assert repo.running_on() == ["h1"]
    finally:
        repo.lab.exec("h1", ["mv", "/usr/sbin/criu.real", "/usr/sbin/criu"])


def test_a_copy_whose_memory_does_not_all_arrive_is_given_up_for_the_source(repo: Repo) -> None:
    address = repo.counter(memory=512)
    repo.apply()
    repo.place("counter", "h2")

    def end_page_daemon(_: object) -> None:
        repo.lab.exec(
            "h2",
            [
                "sh",
                "-c",
                "kill -9 $(cat /var/lib/containers/storage/overlay-containers/*/userdata/lazy-pages.pid)",
            ],
        )

    with Probe(address, checksums=True) as probe:
        output, _ = repo.apply_until("restore h2", end_page_daemon, expect=1)
        assert repo.running_on() == ["h1"]
        seen = probe.stop()
    assert "memory" in output
    assert not seen.error.startswith("the count"), seen
    with Probe(address) as probe:
        assert probe.stop() is not None
    assert "No hand-over is unfinished" in repo.run("status").stdout
