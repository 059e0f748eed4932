"""Checkpoints that others read, and that others took. Real: everything, Podman's own restore too."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.lab import Lab, Probe
from tests.lab.repo import Repo

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

VOLUME = {"volumes": [{"name": "counter-data", "target": "/data"}]}


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Repo:
    made = Repo(tmp_path, clean_lab)
    made.counter(container=VOLUME)
    made.apply()
    return made


def inside(repo: Repo, host: str, script: str) -> str:
    return repo.lab.exec(host, ["podman", "exec", "counter", "sh", "-c", script]).stdout.strip()


def ssh(repo: Repo, host: str, command: str) -> list[str]:
    return ["ssh", "-F", str(repo.lab.inventory_path.with_name("ssh_config")), host, command]


@pytest.mark.nightly
def test_podman_restores_what_is_exported(repo: Repo) -> None:
    inside(repo, "h1", "echo before >/data/kept; echo before >/fresh; rm /bin/uptime /bin/wc; echo $$ >/dev/shm/n")
    first = repo.json("checkpoint", "counter")["checkpoint"]["id"]
    inside(repo, "h1", "echo after >/data/kept")
    last = repo.json("checkpoint", "counter")["checkpoint"]["id"]
    found = repo.json("checkpoints", "show", f"counter@{first}")
    assert found["processes"][0]["command"][0] == "/bin/counter" and found["origin"]["engine"] == "podman"
    assert "fresh" in [file["path"] for file in found["changed"]] and "bin/wc" in found["deleted"]
    assert [(v["name"], v["files"][0]["path"]) for v in found["volumes"]] == [("/data", "kept")]
    changed = repo.json("checkpoints", "diff", f"counter@{first}", f"counter@{last}")["differences"]
    assert ("volume", "/data kept") in [(one["about"], one["what"]) for one in changed]
    archive = repo.folder / "counter.tar"
    assert (
        repo.json("checkpoints", "export", f"counter@{first}", "-o", str(archive))["bytes"]
        == archive.stat().st_size
    )
    assert repo.run("checkpoints", "export", f"counter@{first}", "-o", str(archive), expect=4).stderr.count("E206")
    assert repo.json("checkpoints", "files", str(archive))["volumes"][0]["name"] == "counter-data"
    repo.lab.exec("h1", ["podman", "rm", "-f", "-t", "0", "counter"])
    with archive.open("rb") as content:
        subprocess.run(ssh(repo, "h2", "cat >/tmp/counter.tar"), stdin=content, check=True, timeout=60)
    restore = [
        "podman",
        "container",
        "restore",
        "--file-locks",
        "--tcp-established",
        "--import",
        "/tmp/counter.tar",
    ]
    try:
        repo.lab.exec("h2", restore)
        with Probe(repo.address(), checksums=True) as probe:
            seen = probe.stop()
        assert seen.memory_intact, seen
        assert inside(repo, "h2", "cat /data/kept /fresh; ls /bin/wc /bin/uptime 2>&1 | grep -c 'No such'") == (
            "before\nbefore\n2"
        )
        assert inside(repo, "h2", "test -s /dev/shm/n && echo there") == "there"
        labels = repo.lab.exec("h2", ["podman", "inspect", "--format", "{{json .Config.Labels}}", "counter"])
        assert labels.stdout.strip() in ("null", "{}")
    finally:
        repo.lab.exec("h2", ["podman", "rm", "-f", "-t", "0", "-v", "counter"], check=False)
        repo.lab.exec("h2", ["sh", "-c", "rm -f /tmp/counter.tar; podman volume rm -f counter-data"], check=False)
    assert repo.lab.exec(
        "h1", ["sh", "-c", "ls -A /var/lib/reconciler/checkpoints/counter"]
    ).stdout.split() == sorted([first, last])


@pytest.mark.nightly
def test_what_podman_took_is_brought_back(repo: Repo) -> None:
    inside(repo, "h1", "echo before >/data/kept; echo before >/fresh; rm /bin/wc; echo n >/dev/shm/n")
    take = "podman container checkpoint --leave-running --tcp-established --file-locks -e /tmp/c.tar counter >&2"
    repo.lab.exec("h1", ["sh", "-c", take])
    archive = repo.folder / "foreign.tar"
    with archive.open("wb") as sink:
        subprocess.run(ssh(repo, "h1", "cat /tmp/c.tar; rm /tmp/c.tar"), stdout=sink, check=True, timeout=60)
    inside(repo, "h1", "echo after >/data/kept; echo after >/fresh")
    told = repo.json("checkpoints", "import", str(archive), "--to", "h2")
    kept = told["checkpoint"]
    assert (kept["workload"], kept["host"], kept["takenOn"], kept["commit"]) == ("counter", "h2", None, None)
    assert [note["code"] for note in told["untidied"]] == ["C381"]
    assert "from nobody knows where" in repo.run("checkpoints", "list").stdout
    repo.run("checkpoints", "verify", "counter")
    repo.lab.exec("h1", ["podman", "rm", "-f", "-t", "0", "counter"])
    repo.run("restore", "counter", "--on", "h2")
    assert repo.running_on() == ["h2"]
    with Probe(repo.address(), checksums=True) as probe:
        seen = probe.stop()
    assert seen.memory_intact, seen
    said = inside(repo, "h2", "cat /data/kept /fresh /dev/shm/n; ls /bin/wc 2>&1 | grep -c 'No such'")
    assert said == "before\nbefore\nn\n1"
    left = repo.lab.exec("h2", ["ls", "-A", "/var/lib/reconciler/checkpoints/counter"]).stdout
    assert left.split() == [kept["id"]]
