"""Checkpoints in repositories of restic: kept, looked into, brought back, and what goes wrong with repositories.
Real: hosts, Podman, CRIU, and this machine's restic, which the hosts are given: it is one file."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from reconciler.lab import Lab, Probe
from tests.lab.repo import RECONCILE, Repo
from tests.lab.test_checkpoints import left_behind, on

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

SLOW = """#!/bin/sh
case $1 in backup) echo yes >/tmp/uploading; sleep 20 ;; esac
exec /usr/bin/restic "$@"
"""
"""A restic that takes its time; found before the real one."""
PASSWORD = "correct-horse-battery"
FOLDER = "/srv/repository"
LEFT = "ls -A /var/lib/reconciler/restic/vault/.brought; ls -d /var/lib/reconciler/restic/vault/*/.*.part"
"""What was brought out of a repository, or captured for it, and not removed."""


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repo]:
    program = shutil.which("restic")
    if program is None:
        pytest.skip("there is no restic on this machine; `make ready` installs it")
    monkeypatch.setenv("VAULT_PASSWORD", PASSWORD)
    for host in clean_lab.hosts:
        shutil.copy(program, f"/proc/{host.pid}/root/usr/bin/restic")
    made = Repo(tmp_path, clean_lab)
    made.counter()
    store(made)
    made.apply()
    yield made
    for host in made.lab.hosts:
        on(made, host.name, f"rm -rf /usr/bin/restic {FOLDER} /var/lib/reconciler/restic /root/.ssh/id_test*")


def store(repo: Repo, name: str = "vault", **more: object) -> None:
    spec = {"on": "h2", "repository": FOLDER, "fleet": "test", "password": {"fromEnv": "VAULT_PASSWORD"}} | more
    document = {"apiVersion": "reconciler/v1alpha1", "kind": "CheckpointStore", "metadata": {"name": name}}
    text = yaml.safe_dump(document | {"spec": {"restic": spec}})
    (repo.folder / "specs" / f"store-{name}.yaml").write_text(text)


def restic(repo: Repo, host: str, *words: str, check: bool = True) -> str:
    argv = ["env", f"RESTIC_PASSWORD={PASSWORD}", "restic", "-r", FOLDER, *words]
    return repo.lab.exec(host, argv, check=check, timeout_seconds=120).stdout


def packs(repo: Repo) -> dict[str, int]:
    said = on(repo, "h2", f"find {FOLDER}/data -type f -printf '%p %s\\n'")
    return {path: int(size) for path, size in (line.split() for line in said.splitlines())}


def listed(repo: Repo) -> list[tuple[str, str, bool]]:
    found = repo.json("checkpoints", "list", "counter")["checkpoints"]
    return [(kept["id"], kept["store"], kept["pinned"]) for kept in found]


def test_kept_looked_into_and_brought_back(repo: Repo, tmp_path: Path) -> None:
    restic(repo, "h2", "init")
    with Probe(repo.address(), checksums=True) as probe:
        first = repo.json("checkpoint", "counter", "--to", "vault")["checkpoint"]
        before = packs(repo)
        second = repo.json("checkpoint", "counter", "--to", "vault")["checkpoint"]
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert (first["host"], first["store"], first["repository"]) == ("h2", "vault", FOLDER)
    new = {path: size for path, size in packs(repo).items() if path not in before}
    assert sum(new.values()) < sum(before.values()) / 2, "most of the second is there already"
    assert listed(repo) == [(second["id"], "vault", False), (first["id"], "vault", False)]
    assert on(repo, "h1", "ls /var/lib/reconciler/checkpoints/counter") == ""
    assert left_behind(repo, "h1") == on(repo, "h2", LEFT) == ""
    repo.run("checkpoints", "pin", f"counter@{first['id']}")
    assert listed(repo)[1] == (first["id"], "vault", True)
    assert "is pinned" in repo.run("checkpoints", "rm", f"counter@{first['id']}", expect=1).stderr
    repo.run("checkpoints", "unpin", f"counter@{first['id']}")
    shown = repo.run("checkpoints", "show", f"counter@{second['id']}").stdout
    assert "/bin/counter" in shown
    repo.run("checkpoints", "files", "counter@latest")
    repo.run("checkpoints", "diff", f"counter@{first['id']}", "counter@latest")
    repo.run("checkpoints", "export", "counter@latest", "-o", str(tmp_path / "counter.tar"))
    assert (tmp_path / "counter.tar").stat().st_size > 1 << 20
    repo.run("checkpoints", "copy", "counter@latest", "--to", "h3")
    repo.run("checkpoints", "rm", f"counter@{second['id']}", "--in", "h3", "--last")
    repo.run("checkpoints", "verify", "counter")
    assert on(repo, "h2", LEFT) == ""
    restic(repo, "h2", "check", "--read-data")
    # One of its packs is damaged: said, and the one before is taken.
    worst = max(new, key=new.__getitem__)
    on(
        repo,
        "h2",
        f"chmod u+w {worst}; printf 'not what it was' | dd of={worst} bs=1 seek={new[worst] // 2} conv=notrunc",
    )
    verified = repo.json("checkpoints", "verify", "counter", expect=1)["checkpoints"]
    assert [bool(one["wrong"]) for one in verified] == [True, False], verified
    repo.lab.exec("h1", ["podman", "kill", "counter"])
    back = repo.json("restore", "counter", "--from", "latest", "--on", "h3")
    assert back["checkpoint"]["id"] == first["id"] and "damaged" in str(back["skipped"])
    assert repo.running_on() == ["h3"] and on(repo, "h2", LEFT) == left_behind(repo, "h3") == ""
    with Probe(repo.address(), checksums=True) as probe:
        assert probe.stop().checksum_before == seen.checksum_before
    for word in (PASSWORD, PASSWORD.encode().hex()):
        assert word not in (repo.folder / "journal.db").read_bytes().decode("latin-1")


def test_rehearsed_out_of_a_repository(repo: Repo) -> None:
    """Brought out, restored for trial on the very host of its workload and on a third one, and noted; a damaged
    one is noted as that. The workload's clients notice nothing, and nothing of it stays."""
    restic(repo, "h2", "init")

    def tried(reference: str, where: str, expect: int) -> dict[str, object]:
        (one,) = repo.json(
            "checkpoints", "verify", reference, "--in", "vault", "--rehearse", "--on", where, expect=expect
        )["checkpoints"]
        return dict(one["checkpoint"]["rehearsed"])

    with Probe(repo.address(), checksums=True) as probe:
        good = repo.json("checkpoint", "counter", "--to", "vault")["checkpoint"]
        before = packs(repo)
        bad = repo.json("checkpoint", "counter", "--to", "vault")["checkpoint"]
        for where in ("h1", "h3"):
            told = tried(f"counter@{good['id']}", where, 0)
            assert (told["ok"], told["host"], told["why"]) == (True, where, ""), told
        new = {path: size for path, size in packs(repo).items() if path not in before}
        worst = max(new, key=new.__getitem__)
        spoil = f"dd of={worst} bs=1 seek={new[worst] // 2} conv=notrunc"
        on(repo, "h2", f"chmod u+w {worst}; printf 'not what it was' | {spoil}")
        told = tried(f"counter@{bad['id']}", "h3", 1)
        assert told["ok"] is False and "damaged" in str(told["why"]), told
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    found = repo.json("checkpoints", "list", "counter")["checkpoints"]
    assert {one["id"]: one["rehearsed"]["ok"] for one in found} == {good["id"]: True, bad["id"]: False}
    assert "rehearsed=ok" in restic(repo, "h2", "snapshots", "--json")
    assert repo.json("get")["copies"] == [] and repo.running_on() == ["h1"]
    assert on(repo, "h2", LEFT) == left_behind(repo, "h1") == left_behind(repo, "h3") == ""


def test_a_store_that_does_not_take_it(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none, then its password is another, then a secret is not there at all: it runs on, and what was
    saved is kept where it ran."""
    (row,) = [row for row in repo.json("doctor", "h2")["hosts"] if row["name"] == "h2"]
    assert "the repository of vault cannot be used" in str(row)
    with Probe(repo.address(), checksums=True) as probe:
        none = repo.run("checkpoint", "counter", "--to", "vault", expect=1).stderr
        restic(repo, "h2", "init")
        monkeypatch.setenv("VAULT_PASSWORD", "another")
        wrong = repo.run("checkpoint", "counter", "--to", "vault", expect=1).stderr
        monkeypatch.delenv("VAULT_PASSWORD")
        unset = repo.run("checkpoint", "counter", "--to", "vault", expect=None)
        monkeypatch.setenv("VAULT_PASSWORD", PASSWORD)
        seen = probe.stop()
    assert seen.survived and seen.memory_intact, seen
    assert "C372" in none and "no such file" in none and "checkpoints copy" in none
    assert "C372" in wrong and "wrong password" in wrong
    assert unset.returncode and "VAULT_PASSWORD is not set" in unset.stderr
    assert repo.json("status")["exitCode"] == 0 and left_behind(repo, "h1") == ""
    kept = [(found, name) for found, name, _ in listed(repo)]
    assert [name for _, name in kept] == [None, None], kept
    repo.run("checkpoints", "copy", f"counter@{kept[0][0]}", "--to", "vault")
    assert sorted(name or "" for _, name, _ in listed(repo)) == ["", "", "vault"]
    repo.run("checkpoints", "verify", f"counter@{kept[0][0]}")


def test_over_sftp_by_policy_and_a_controller_that_dies(repo: Repo) -> None:
    """From the workload's own host to another: uploaded from there, without a copy in between."""
    restic(repo, "h2", "init")
    lab = repo.lab
    on(repo, "h1", "mkdir -p -m 700 /root/.ssh; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_test")
    key = on(repo, "h1", "cat /root/.ssh/id_test.pub")
    on(repo, "h2", f"mkdir -p -m 700 /root/.ssh; echo '{key}' >>/root/.ssh/authorized_keys")
    address = next(host.address for host in lab.hosts if host.name == "h2")
    config = f"Host vaulthost\n HostName {address}\n IdentityFile /root/.ssh/id_test\n StrictHostKeyChecking no\n"
    on(repo, "h1", f"printf '%s' '{config}' >/root/.ssh/config")
    store(repo, on="h1", repository=f"sftp:root@vaulthost:{FOLDER}")
    policy = {"every": "1ms", "recoveryPoint": "1d", "store": "vault", "keep": {"last": 2}}
    document = {"apiVersion": "reconciler/v1alpha1", "kind": "CheckpointPolicy", "metadata": {"name": "often"}}
    (repo.folder / "specs" / "often.yaml").write_text(yaml.safe_dump(document | {"spec": policy}))
    repo.workloads["counter"]["checkpoints"] = {"policy": "often"}
    repo.write()
    try:
        taken = []
        for _ in range(3):
            (done,) = repo.json("checkpoint", "--due")["workloads"]
            taken.append(done["taken"]["id"])
        assert [one["id"] for one in done["removed"]] == taken[:1]
        assert [found for found, _, _ in listed(repo)] == taken[:0:-1]
        killed_while_it_uploads(repo)
    finally:
        on(repo, "h1", "rm -f /root/.ssh/config")


def killed_while_it_uploads(repo: Repo) -> None:
    """What was captured is whole where it ran, until it is in the repository."""
    on(repo, "h1", f"printf '%s' '{SLOW}' >/usr/local/bin/restic; chmod +x /usr/local/bin/restic")
    try:
        with Probe(repo.address(), checksums=True) as probe:
            job = subprocess.Popen(
                [RECONCILE, "checkpoint", "counter", "--to", "vault"], cwd=repo.folder, env=repo.environment()
            )
            until = time.monotonic() + 90
            while not on(repo, "h1", "cat /tmp/uploading"):
                assert time.monotonic() < until and job.poll() is None
                time.sleep(0.1)
            job.kill()
            job.wait()
            (whole,) = [found for found, name, _ in listed(repo) if name is None]
            seen = probe.stop()
        assert seen.survived and seen.memory_intact, seen
    finally:
        on(repo, "h1", "rm -f /usr/local/bin/restic /tmp/uploading")
    repo.run("resume")
    assert repo.json("status")["exitCode"] == 0
    assert whole in [found for found, _, _ in listed(repo)]
    repo.run("checkpoints", "verify", f"counter@{whole}")
    with Probe(repo.address(), checksums=True) as probe:
        assert probe.stop().memory_intact
