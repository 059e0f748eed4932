"""Virtual machines as lab hosts: stock Debian, so what namespaces cannot show is shown here (systemd, pre-copy).

Slow where KVM does not work: few tests, one pair of machines. What both backends share is tested in `test_lab.py`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.errors import LabError
from reconciler.lab import DEMO_IMAGE, Lab, Probe
from tests.lab.repo import Repo

pytestmark = [pytest.mark.lab, pytest.mark.vm, pytest.mark.timeout(1200)]
MAC = "02:00:00:00:01:00"


@pytest.fixture(scope="module")
def machines(lab_factory: Callable[..., Lab]) -> Lab:
    return lab_factory("vm", hosts=2, backend="vm")


@pytest.fixture
def vms(machines: Lab) -> Iterator[Lab]:
    yield machines
    Lab.up(machines.name)
    for host in machines.hosts:
        machines.set_link(host.name, True)
        machines.start_sshd(host.name)
        machines.exec(host.name, ["podman", "rm", "--all", "--force", "--time", "0"])
        machines.exec(host.name, ["sh", "-c", "rm -rf /var/lib/reconciler/*"])


def ssh(lab: Lab, host: str, *command: str) -> subprocess.CompletedProcess[str]:
    argv = ["ssh", "-o", "ConnectTimeout=10", "-F", str(lab.ssh_config_path), host, *command]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def processes(lab: Lab) -> list[str]:
    """Processes of this machine whose command line names the lab's files or sockets."""
    marks = (str(lab.folder), f"/run/{lab._paths.identity}")
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_text(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if any(mark in words for mark in marks):
            found.append(words[:80])
    return found


def traces(lab: Lab) -> list[str]:
    identity = lab._paths.identity
    cgroups = [str(path) for path in Path("/sys/fs/cgroup").rglob(f"{identity}*")]
    links = [path.name for path in Path("/sys/class/net").glob(f"{identity}*")]
    folders = [*Path("/run").glob(f"{identity}*"), *Path("/run/netns").glob(f"{identity}*")]
    folders += [path for path in (lab.folder, lab._paths.lock) if path.exists()]
    return cgroups + links + [str(path) for path in folders] + processes(lab)


def userdata(lab: Lab, host: str, name: str) -> str:
    container = lab.exec(host, ["podman", "inspect", "--format", "{{.Id}}", name]).stdout.strip()
    return f"/var/lib/containers/storage/overlay-containers/{container}/userdata"


def test_hosts_are_stock_debian(vms: Lab) -> None:
    script = (
        "cat /proc/1/comm /etc/hostname; hostname; stat -f -c %T /sys/fs/cgroup; systemctl is-active ssh;"
        "criu check --feature mem_dirty_track; podman info --format '{{.Host.CgroupManager}}'"
    )
    script = script.replace("/etc/hostname", "/etc/debian_version")
    words = vms.exec("h2", ["sh", "-c", script]).stdout.split("\n")
    assert words[0] == "systemd"
    assert words[1].startswith("13")
    assert words[2:5] == ["h2", "cgroup2fs", "active"]
    assert "supported" in words[5]
    assert words[6] == "systemd"
    assert vms.versions["criu"].startswith("4.1")


def test_up_changes_nothing_on_running_machines(vms: Lab) -> None:
    before = vms.hosts
    begin = time.monotonic()
    assert Lab.up(vms.name, backend="vm").hosts == before
    assert time.monotonic() - begin < 10
    with pytest.raises(LabError, match="backend vm"):
        Lab.up(vms.name, backend="namespace")


def test_exec_passes_input_status_and_arguments(vms: Lab) -> None:
    assert vms.exec("h1", ["cat"], input="a b").stdout == "a b"
    assert vms.exec("h1", ["echo", "a  b", "$HOME", "*", "it's"]).stdout == "a  b $HOME * it's\n"
    assert vms.exec("h1", ["sh", "-c", "exit 7"], check=False).returncode == 7


def test_a_container_moves_with_its_connection(vms: Lab) -> None:
    """Stock CRIU, pure cgroup v2, kernel 6.12: same address, same connection, same memory."""
    address = str(vms.subnet[100])
    options = ["--name", "c", "--network", "lab", "--ip", address, "--mac-address", MAC, DEMO_IMAGE]
    options += ["counter", "--memory", "8"]
    vms.exec("h1", ["podman", "run", "-d", *options])
    vms.exec("h2", ["sh", "-c", 'podman create "$@" && podman init c && podman stop c', "sh", *options])
    source, destination = (f"{userdata(vms, host, 'c')}/checkpoint" for host in ("h1", "h2"))
    with Probe(address, checksums=True) as probe:
        time.sleep(0.5)
        vms.exec("h1", ["podman", "container", "checkpoint", "c", "--keep", "--tcp-established"])
        send = subprocess.Popen(
            vms.exec_argv("h1", ["tar", "-C", source, "-cf", "-", "."]), stdout=subprocess.PIPE
        )
        unpack = f"mkdir -p {destination} && tar -C {destination} -xf -"
        subprocess.run(vms.exec_argv("h2", ["sh", "-c", unpack]), stdin=send.stdout, check=True)
        assert send.wait() == 0
        vms.exec("h2", ["podman", "container", "restore", "c", "--keep", "--tcp-established"])
        replies = probe.result().replies
        time.sleep(3)
        result = probe.stop()
    assert result.survived, result.error
    assert result.replies > replies
    assert result.memory_intact


LIMITS = """set -e
pid=$(podman inspect --format '{{.State.Pid}}' counter)
for file in memory.max cpu.max pids.max; do
    group=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
    while [ "$group" != / ]; do
        value=$(cat "/sys/fs/cgroup$group/$file")
        case $value in max*) group=${group%/*}; group=${group:-/} ;; *) break ;; esac
    done
    echo "$file $value"
done
podman inspect --format '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.NanoCpus}}' counter
podman inspect --format '{{.State.Pid}} {{.State.StartedAt}}' counter
"""
"""What the kernel and Podman say of them; last, which process it is."""


def _run(repo: Repo, *words: str, expect: int = 0) -> str:
    """Emulated machines on a busy one may be too slow for a login: what saw none of them is said again."""
    ends = time.monotonic() + 300
    while (done := repo.run(*words, expect=None)).returncode == 7 and time.monotonic() < ends:
        time.sleep(5)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout


def test_limits_change_while_it_runs(tmp_path: Path, vms: Lab) -> None:
    """Where control groups have all their controllers: same process, memory and connection, other limits. What the
    kernel refuses leaves all as it was; what would end processes is not done while it runs."""
    repo = Repo(tmp_path, vms, patience=600)
    address = repo.counter(container={"limits": {"memory": "256MiB", "cpus": 1, "pids": 100, "cpuset": "0"}})
    wanted = repo.workloads["counter"]
    wanted["health"]["within"] = "60s"
    repo.write()
    _run(repo, "apply", "--yes")

    def limits() -> list[str]:
        return vms.exec("h1", ["sh", "-c", LIMITS]).stdout.splitlines()

    *before, process = limits()
    assert before[:3] == [f"memory.max {256 * 2**20}", "cpu.max 100000 100000", "pids.max 100"]
    with Probe(address, checksums=True) as probe:
        wanted["container"]["limits"] |= {"memory": "128MiB", "cpus": 0.5, "pids": 50}
        repo.write()
        assert "1 to update" in _run(repo, "plan")
        _run(repo, "apply", "--yes")
        *changed, same = limits()
        assert changed[:3] == [f"memory.max {128 * 2**20}", "cpu.max 50000 100000", "pids.max 50"]
        assert same == process
        _run(repo, "plan", "--detailed-exitcode")
        wanted["container"]["limits"] |= {"cpuset": "0-9999", "pids": 70}  # more than any kernel has
        repo.write()
        assert "failed, put back" in _run(repo, "apply", "--yes", expect=1)
        assert limits() == [*changed, process]
        wanted["container"]["limits"] |= {"memory": "8MiB", "cpuset": "0", "pids": 50}
        repo.write()
        _run(repo, "apply", "--yes", expect=1)  # it would be made anew for that, which nobody has agreed to
        assert limits() == [*changed, process]
        wanted["container"]["limits"]["memory"] = "128MiB"
        repo.write()
        _run(repo, "plan", "--detailed-exitcode")
        result = probe.stop()
    assert result.survived and result.memory_intact, result.error


PRECOPY = """set -e
id=$(podman inspect --format '{{.Id}}' c)
images=/var/lib/containers/storage/overlay-containers/$id/userdata/checkpoint
mkdir -p "$images"
mount -t tmpfs tmpfs "$images"
trap 'umount "$images"' EXIT
runc checkpoint --pre-dump --image-path "$images/p1" --work-path /tmp "$id"
runc checkpoint --pre-dump --image-path "$images/p2" --parent-path ../p1 --work-path /tmp "$id"
printf 'track-mem\\nprev-images-dir p2\\n' > /var/lib/reconciler/c.conf
podman container checkpoint c --keep >&2
du -sm "$images/p1" "$images/p2" | cut -f 1
du -cm "$images"/pages-*.img | tail -n 1 | cut -f 1
: > /var/lib/reconciler/c.conf
podman container restore c --keep >&2
sleep 1
podman exec c true
"""


def test_pre_copy_in_two_rounds(vms: Lab) -> None:
    """Each round is smaller: runc's pre-dumps, then Podman's checkpoint on top of them."""
    run = ["podman", "run", "-d", "--name", "c", "--network", "none"]
    run += ["--annotation", "org.criu.config=/var/lib/reconciler/c.conf"]
    vms.exec("h1", ["mkdir", "-p", "/var/lib/reconciler"])
    vms.exec("h1", [*run, DEMO_IMAGE, "counter", "--port", "0", "--memory", "64", "--dirty", "1"])
    vms.exec("h1", ["sh", "-c", "until podman logs c | grep -q ready; do sleep 0.5; done"])
    first, second, final = map(int, vms.exec("h1", ["sh", "-c", PRECOPY]).stdout.split())
    assert first >= 64
    assert second < first
    assert final < first


def test_a_killed_sshd_stays_dead_until_it_is_started(vms: Lab) -> None:
    assert ssh(vms, "h2", "hostname").stdout == "h2\n"
    vms.kill_sshd("h2")
    assert "refused" in ssh(vms, "h2", "true").stderr
    assert vms.exec("h2", ["systemctl", "is-active", "ssh"], check=False).stdout == "failed\n"
    vms.start_sshd("h2")
    vms.start_sshd("h2")
    assert ssh(vms, "h2", "true").returncode == 0


def test_a_pulled_cable_is_seen_by_the_guest(vms: Lab) -> None:
    vms.set_link("h2", False)
    assert ssh(vms, "h2", "true").returncode == 255
    assert "NO-CARRIER" in vms.exec("h2", ["ip", "link", "show", "e0"]).stdout
    vms.set_link("h2", True)
    assert ssh(vms, "h2", "true").returncode == 0


def test_power_is_cut_a_crash_is_repaired_and_nothing_is_left(machines: Lab) -> None:
    machines.exec("h1", ["sh", "-c", "echo kept > /root/f; sync; echo gone > /run/f"])
    pid = machines.hosts[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    subprocess.run(["ip", "netns", "del", f"{machines._paths.identity}-sw"], check=True)
    second = machines.hosts[1].pid
    lab = Lab.up(machines.name)
    assert [host.state for host in lab.hosts] == ["up", "up"]
    assert lab.hosts[1].pid == second, "a machine that ran was started again"
    assert ssh(lab, "h1", "cat /root/f; ls /run/f").stdout == "kept\n"
    assert ssh(lab, "h2", "true").returncode == 0
    # What `down` has to find without the lab's own notes.
    (lab.folder / "lab.json").unlink()
    (lab.folder / "hosts" / "h2" / "pid").unlink()
    lab.down()
    time.sleep(0.5)
    assert traces(lab) == []
