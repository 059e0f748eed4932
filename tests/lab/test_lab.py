"""The lab itself: it comes up, goes down, survives crashes, and its hosts behave like hosts."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.errors import CommandFailed, LabError
from reconciler.lab import DEMO_IMAGE, Lab, Probe, lab_names, remove

pytestmark = pytest.mark.lab
MAC = "02:00:00:00:01:00"


def ssh(lab: Lab, host: str, *command: str) -> subprocess.CompletedProcess[str]:
    argv = ["ssh", "-o", "ConnectTimeout=2", "-F", str(lab.ssh_config_path), host, *command]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def traces(lab: Lab) -> list[str]:
    """All that a lab leaves in the kernel and on disk."""
    identity = lab._paths.identity
    cgroups = [str(path) for path in Path("/sys/fs/cgroup").rglob(f"{identity}*")]
    links = [path.name for path in Path("/sys/class/net").glob(f"{identity}*")]
    netns = [path.name for path in Path("/run/netns").glob(f"{identity}*")]
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(lab.folder) in line]
    folders = [str(path) for path in (lab.folder, lab._paths.lock) if path.exists()]
    return cgroups + links + netns + mounts + folders


def userdata(lab: Lab, host: str, name: str) -> str:
    container = lab.exec(host, ["podman", "inspect", "--format", "{{.Id}}", name]).stdout.strip()
    return f"/var/lib/containers/storage/overlay-containers/{container}/userdata"


def test_up_is_idempotent(clean_lab: Lab) -> None:
    before = clean_lab.hosts
    again = Lab.up(clean_lab.name, hosts=3)
    assert again.hosts == before
    assert all(host.state == "up" for host in before)


def test_ssh_knows_every_host_key(clean_lab: Lab) -> None:
    for host in clean_lab.hosts:
        assert ssh(clean_lab, host.name, "hostname").stdout.strip() == host.name


def test_hosts_see_each_other(clean_lab: Lab) -> None:
    script = "exec 3<>/dev/tcp/h2/22 && head -c 3 <&3"
    assert clean_lab.exec("h1", ["bash", "-c", script]).stdout == "SSH"


def test_exec_passes_input_status_and_arguments(clean_lab: Lab) -> None:
    assert clean_lab.exec("h1", ["cat"], input="a b").stdout == "a b"
    assert clean_lab.exec("h1", ["echo", "a  b", "$HOME"]).stdout == "a  b $HOME\n"
    assert clean_lab.exec("h1", ["sh", "-c", "exit 7"], check=False).returncode == 7
    with pytest.raises(CommandFailed) as caught:
        clean_lab.exec("h1", ["sh", "-c", "echo cause >&2; exit 7"])
    assert caught.value.status == 7
    assert "cause" in caught.value.stderr


def test_init_reaps_orphans(clean_lab: Lab) -> None:
    clean_lab.exec("h1", ["sh", "-c", "for i in 1 2 3; do setsid -f true; done; sleep 0.2"])
    assert "Z" not in clean_lab.exec("h1", ["ps", "-eo", "stat="]).stdout


def test_the_demo_image_has_one_id_everywhere(clean_lab: Lab) -> None:
    inspect = ["podman", "image", "inspect", "--format", "{{.Id}}", DEMO_IMAGE]
    assert len({clean_lab.exec(host.name, inspect).stdout for host in clean_lab.hosts}) == 1


def test_automatic_container_addresses_differ(clean_lab: Lab) -> None:
    run = ["podman", "run", "-d", "--name", "auto", "--network", "lab", DEMO_IMAGE]
    inspect = ["podman", "inspect", "--format", "{{.NetworkSettings.Networks.lab.IPAddress}}", "auto"]
    found = []
    for host in ("h1", "h2"):
        clean_lab.exec(host, run)
        found.append(clean_lab.exec(host, inspect).stdout.strip())
    assert len(set(found)) == 2


def test_a_container_moves_with_its_connection(clean_lab: Lab) -> None:
    """The road every driver builds on: checkpoint here, restore there, same address, same connection."""
    address = str(clean_lab.subnet[100])
    options = ["--name", "c", "--network", "lab", "--ip", address, "--mac-address", MAC, DEMO_IMAGE]
    options += ["counter", "--memory", "32"]
    clean_lab.exec("h1", ["podman", "run", "-d", *options])
    clean_lab.exec("h2", ["podman", "create", *options])
    for step in ("init", "stop"):
        clean_lab.exec("h2", ["podman", step, "c"])
    with Probe(address, checksums=True) as probe:
        time.sleep(0.3)
        clean_lab.exec("h1", ["podman", "container", "checkpoint", "c", "--keep", "--tcp-established"])
        source, destination = (f"{userdata(clean_lab, host, 'c')}/checkpoint" for host in ("h1", "h2"))
        send = subprocess.Popen(
            clean_lab.exec_argv("h1", ["tar", "-C", source, "-cf", "-", "."]), stdout=subprocess.PIPE
        )
        unpack = f"mkdir -p {destination} && tar -C {destination} -xf -"
        subprocess.run(clean_lab.exec_argv("h2", ["sh", "-c", unpack]), stdin=send.stdout, check=True)
        assert send.wait() == 0
        # Its address comes up before its sockets: what arrives in between would end the connection.
        chain = "chain c { type filter hook ingress device e0 priority 0; meta l4proto tcp drop; }\n"
        clean_lab.exec("h2", ["nft", f"table netdev early {{\n{chain}}}"])
        clean_lab.exec("h2", ["podman", "container", "restore", "c", "--keep", "--tcp-established"])
        clean_lab.exec("h2", ["nft", "delete table netdev early"])
        replies, deadline = probe.result().replies, time.monotonic() + 30
        while probe.result().replies == replies and time.monotonic() < deadline:
            time.sleep(0.1)
        result = probe.stop()
    assert result.survived, result.error
    assert result.replies > replies
    assert result.memory_intact


def test_an_action_script_that_refuses_leaves_the_container_running(clean_lab: Lab) -> None:
    """CRIU's `org.criu.config` annotation and its post-dump hook: the base of transactional cut-over."""
    folder = "/var/lib/reconciler"
    hook = f"#!/bin/sh\necho $CRTOOLS_SCRIPT_ACTION >> {folder}/log\n[ $CRTOOLS_SCRIPT_ACTION != post-dump ]\n"
    clean_lab.exec("h1", ["sh", "-c", f"cat > {folder}/hook && chmod 700 {folder}/hook"], input=hook)
    clean_lab.exec("h1", ["sh", "-c", f"echo 'action-script {folder}/hook' > {folder}/c.conf"])
    address = str(clean_lab.subnet[100])
    annotation = f"org.criu.config={folder}/c.conf"
    run = ["podman", "run", "-d", "--name", "c", "--annotation", annotation, "--network", "lab"]
    clean_lab.exec("h1", [*run, "--ip", address, "--mac-address", MAC, DEMO_IMAGE])
    with Probe(address) as probe:
        checkpoint = ["podman", "container", "checkpoint", "c", "--keep", "--tcp-established"]
        done = clean_lab.exec("h1", checkpoint, check=False)
        time.sleep(0.2)
        result = probe.stop()
    assert done.returncode == 125
    assert result.survived, result.error
    assert "post-dump" in clean_lab.exec("h1", ["cat", f"{folder}/log"]).stdout


def test_a_reboot_keeps_the_disk_and_nothing_else(clean_lab: Lab) -> None:
    clean_lab.exec("h3", ["podman", "run", "-d", "--name", "c", DEMO_IMAGE, "sleep", "1000"], check=False)
    clean_lab.exec("h3", ["sh", "-c", "echo disk | tee /root/f /var/lib/reconciler/f /run/f > /tmp/f"])
    boot = clean_lab.exec("h3", ["cat", "/proc/sys/kernel/random/boot_id"]).stdout
    clean_lab.reboot("h3")
    assert ssh(clean_lab, "h3", "cat /root/f /var/lib/reconciler/f").stdout == "disk\ndisk\n"
    assert clean_lab.exec("h3", ["ls", "/run/f", "/tmp/f"], check=False).returncode != 0
    assert clean_lab.exec("h3", ["cat", "/proc/sys/kernel/random/boot_id"]).stdout != boot
    assert "c" not in clean_lab.exec("h3", ["podman", "ps", "--format", "{{.Names}}"]).stdout.split()


def test_a_killed_sshd_stays_dead_until_it_is_started(clean_lab: Lab) -> None:
    argv = ["ssh", "-F", str(clean_lab.ssh_config_path), "h2", "echo up; sleep 100"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdout is not None
        assert session.stdout.readline() == "up\n"
        clean_lab.kill_sshd("h2")
        assert session.wait(timeout=10) == 255
    assert "refused" in ssh(clean_lab, "h2", "true").stderr
    clean_lab.start_sshd("h2")
    clean_lab.start_sshd("h2")
    assert ssh(clean_lab, "h2", "true").returncode == 0


def test_a_pulled_cable(clean_lab: Lab) -> None:
    clean_lab.set_link("h2", False)
    assert ssh(clean_lab, "h2", "true").returncode == 255
    assert clean_lab.exec("h2", ["true"]).returncode == 0
    clean_lab.set_link("h2", True)
    deadline = time.monotonic() + 30  # this machine may still think that its neighbour is gone
    while (answer := ssh(clean_lab, "h2", "true")).returncode != 0:
        assert time.monotonic() < deadline, answer.stderr
        time.sleep(0.2)


def test_a_dead_host_is_silent_and_up_boots_it(clean_lab: Lab) -> None:
    clean_lab.kill_host("h3")
    assert clean_lab.hosts[2].state == "down"
    done = ssh(clean_lab, "h3", "true")
    assert "refused" not in done.stderr
    with pytest.raises(LabError, match="down"):
        clean_lab.exec("h3", ["true"])
    others = clean_lab.hosts[:2]
    Lab.up(clean_lab.name)
    assert clean_lab.hosts[:2] == others
    assert ssh(clean_lab, "h3", "true").returncode == 0


def test_up_repairs_what_a_crash_left(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory("crash", hosts=2)
    lab.exec("h1", ["sh", "-c", "echo kept > /root/f"])
    pid = lab.hosts[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    subprocess.run(["ip", "netns", "del", f"{lab._paths.identity}-sw"], check=True)
    (lab.folder / "known_hosts").unlink()
    lab = lab_factory("crash")
    assert [host.state for host in lab.hosts] == ["up", "up"]
    assert ssh(lab, "h1", "cat /root/f").stdout == "kept\n"
    assert ssh(lab, "h2", "true").returncode == 0
    lab.down()
    assert traces(lab) == []


def test_labs_live_side_by_side_and_down_removes_only_its_own(lab: Lab, lab_factory: Callable[..., Lab]) -> None:
    first, second = lab_factory("a", hosts=1, rate="500mbit"), lab_factory("b", hosts=1)
    assert len({lab.subnet, first.subnet, second.subnet}) == 3
    assert ssh(first, "h1", "true").returncode == 0
    first.down()
    assert traces(first) == []
    assert first.name not in lab_names()
    assert not remove(first.name)
    with pytest.raises(LabError, match="no lab"):
        Lab.load(first.name)
    assert ssh(second, "h1", "true").returncode == 0
    second.down()
    assert [host.state for host in lab.hosts] == ["up"] * 3


def test_down_removes_half_a_lab_with_a_frozen_container(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory("half", hosts=1)
    lab.exec("h1", ["podman", "run", "-d", "--name", "c", "--network", "lab", DEMO_IMAGE])
    lab.exec("h1", ["podman", "pause", "c"])
    (lab.folder / "lab.json").unlink()
    (lab.folder / "hosts" / "h1" / "pid").unlink()
    assert remove(lab.name)
    assert traces(lab) == []


def test_the_rate_limits_both_directions(lab_factory: Callable[..., Lab]) -> None:
    lab = lab_factory("rate", hosts=1, rate="100mbit")
    size = 5_000_000
    for argv, source in (
        (["cat", ">/dev/null"], f"head -c {size} /dev/zero"),
        ([f"head -c {size} /dev/zero"], "true"),
    ):
        command = subprocess.list2cmdline(["ssh", "-F", str(lab.ssh_config_path), "h1"])
        begin = time.monotonic()
        script = f"{source} | {command} '{' '.join(argv)}' > /dev/null"
        subprocess.run(["bash", "-c", script], check=True)
        assert time.monotonic() - begin > 0.8 * size * 8 / 100e6
    lab.down()
