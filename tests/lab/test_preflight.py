"""Rules on real hosts that were broken on purpose: the plan refuses with the right rule and the way out, and the
workload's client notices nothing. Real: hosts, SSH, Podman, CRIU, processes. Fake: only what a host says of itself
where one kernel cannot differ from itself (versions, CPU flags, clocks)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reconciler.lab import DEMO_IMAGE, Probe
from reconciler.runtimes.podman import probes
from tests.lab.pair import IMAGE, Bench

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


def wrapper(name: str, body: str) -> tuple[str, str]:
    """Scripts that put a program before the real one, and take it away again."""
    path = f"/usr/local/sbin/{name}"
    text = f'#!/bin/sh\n{body}\nexec $(PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v {name}) "$@"\n'
    return f"cat >{path} <<'END'\n{text}END\nchmod 755 {path}", f"rm -f {path}"


def said(name: str, option: str, answer: str) -> tuple[str, str]:
    return wrapper(name, f'[ "$1" = "{option}" ] && echo "{answer}" && exit 0')


BROKEN = {
    "criu.network-lock": (
        ("mv /usr/sbin/iptables-restore /root/", "mv /root/iptables-restore /usr/sbin/"),
        "apt-get install iptables",
    ),
    "criu.tcp-kernel": (said("criu", "--version", "Version: 4.1.1"), "upgrade criu"),
    "criu.missing": (wrapper("criu", "exit 1"), "apt-get install criu"),
    "criu.check": (
        wrapper("criu", '[ "$*" = check ] && echo "Error (criu/cr-check.c:84): no time namespaces" && exit 1'),
        "criu check",
    ),
    "oci-runtime.missing": (wrapper("runc", "exit 127"), "apt-get install runc"),
    "cpu.features": (
        (
            "sed 's/ avx2//; s/ sse4_2//' /proc/cpuinfo >/root/cpuinfo; mount --bind /root/cpuinfo /proc/cpuinfo",
            "umount /proc/cpuinfo",
        ),
        "same CPU features",
    ),
    "arch.differs": (said("uname", "-m", "aarch64"), "same architecture"),
    "kernel.older": (said("uname", "-r", "5.10.0-1"), "upgrade the kernel"),
    "clock.offset": (
        wrapper("date", '[ "$1" = +%s.%N ] && echo "$(($(PATH=/usr/bin:/bin date +%s) + 3600)).0" && exit 0'),
        "systemd-timesyncd",
    ),
    "room.memory": (
        (
            "sed 's/^MemAvailable:.*/MemAvailable: 20000 kB/' /proc/meminfo >/root/meminfo;"
            " mount --bind /root/meminfo /proc/meminfo",
            "umount /proc/meminfo",
        ),
        "free memory",
    ),
    "room.images": (
        (
            "sed 's/^MemAvailable:.*/MemAvailable: 150000 kB/' /proc/meminfo >/root/meminfo;"
            " mount --bind /root/meminfo /proc/meminfo",
            "umount /proc/meminfo",
        ),
        "free memory on h2",
    ),
    "room.disk": (
        (
            "mount -t tmpfs -o size=96m none /var/lib/containers/storage; podman info >/dev/null",
            "umount /var/lib/containers/storage/overlay 2>/dev/null; umount -l /var/lib/containers/storage",
        ),
        "podman image prune",
    ),
    "name.taken": (
        (f"podman create --name web {DEMO_IMAGE}", "podman rm -f web"),
        "podman rename web",
    ),
    "volume.taken": (("podman volume create web-data", "podman volume rm web-data"), "podman volume rm web-data"),
    "image.differs": (
        (
            f"podman untag {DEMO_IMAGE} {IMAGE}; cd /etc && tar c hostname | podman import - {IMAGE}",
            f"podman rmi -f {IMAGE}; podman tag {DEMO_IMAGE} {IMAGE}",
        ),
        "podman untag",
    ),
    "network.missing": (
        (
            "podman network inspect lab >/root/lab.json; podman network rm lab",
            "cp /root/lab.conf /etc/containers/networks/lab.json",
        ),
        "add a Network named lab",
    ),
    "network.subnet": (
        (
            "podman network rm lab; podman network create -d macvlan -o parent=e0 --subnet 10.99.0.0/24 lab",
            "podman network rm lab; cp /root/lab.conf /etc/containers/networks/lab.json",
        ),
        "same subnet",
    ),
    "network.differs": (
        (
            "podman network rm lab; podman network create -d bridge --subnet 10.98.0.0/24 lab",
            "podman network rm lab; cp /root/lab.conf /etc/containers/networks/lab.json",
        ),
        "podman network rm lab",
    ),
    "container.unit": (
        (
            "mkdir -p /etc/systemd/system; printf '[Service]\\nExecStart=/usr/bin/podman start -a web\\n'"
            " >/etc/systemd/system/web.service",
            "rm /etc/systemd/system/web.service",
        ),
        "systemctl mask web.service",
    ),
}
WARNS = {"kernel.older", "room.images", "clock.offset", "image.differs"}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_destination_is_refused_while_the_workload_runs(bench: Bench, client: Probe, rule: str):
    (breaks, mends), fix = BROKEN[rule]
    bench.on("h2", "cp -n /etc/containers/networks/lab.json /root/lab.conf")
    try:
        bench.on("h2", breaks)
        plan = bench.plan(("web", bench.web(), "h2"))
    finally:
        bench.on("h2", mends)
    found = {finding["code"]: finding for finding in plan["findings"]}
    assert rule in found, found
    assert found[rule]["severity"] == ("warning" if rule in WARNS else "error")
    assert fix in found[rule]["fix"] and found[rule]["where"]["host"] == "h2"
    assert bool(plan["steps"]) is (rule in WARNS)


def test_the_mended_destination_is_fine(bench: Bench, client: Probe):
    plan = bench.plan(("web", bench.web(), "h2"))
    assert plan["findings"] == [] and plan["steps"]


def test_taken_addresses_and_ports_are_refused(bench: Bench, client: Probe):
    """New workloads want a host's own address, one a stranger uses, sshd's port, one a machine outside the specs
    answers for; the last may go: who answered for its address once is only remembered."""
    bench.on("h2", f"podman run -d --name stranger --network lab:ip={bench.ip(102)} {DEMO_IMAGE}")
    bench.on("h2", f"ip addr add {bench.ip(103)}/24 dev e0")
    bench.on("h1", f"ip neigh replace {bench.ip(104)} lladdr 02:aa:00:00:00:01 dev e0 nud stale")
    try:
        plan = bench.plan(
            ("web", bench.web(), "h1"),
            ("e", {"image": IMAGE, "networks": [{"name": "lab", "ip": bench.ip(104)}]}, "h1"),
            ("a", {"image": IMAGE, "networks": [{"name": "lab", "ip": bench.ip(2)}]}, "h2"),
            ("b", {"image": IMAGE, "networks": [{"name": "lab", "ip": bench.ip(102)}]}, "h2"),
            ("c", {"image": IMAGE, "ports": [{"container": 80, "host": 22}]}, "h2"),
            ("d", {"image": IMAGE, "networks": [{"name": "lab", "ip": bench.ip(103)}]}, "h1"),
        )
    finally:
        bench.on("h2", f"podman rm -f -t 0 stranger; ip addr del {bench.ip(103)}/24 dev e0")
    found = {(finding["where"]["workload"], finding["code"]) for finding in plan["findings"]}
    assert {
        ("a", "address.of-host"),
        ("b", "address.taken"),
        ("c", "port.taken"),
        ("d", "address.answers"),
    } <= found
    assert "e" not in {workload for workload, _ in found}
    assert {step["workload"] for step in plan["steps"]} == {"e"}


ODD = {
    # Name: (arguments of `odd`, more options, the rule, whether it only warns)
    "io-uring": ("io_uring", (), "process.io-uring"),
    "deleted": ("deleted 2097152", (), "process.deleted-files"),
    "watch": ("inotify /bin", (), "process.inotify"),
    "socket": ("unix /srv/sock", ("--volume=/srv:/srv",), "process.unix-sockets"),
    "device": ("open /dev/fuse", ("--device=/dev/fuse",), "process.devices"),
    "traced": ("traced", (), "process.traced"),
    "object": ("userfaultfd", (), "process.kernel-objects"),
    "terminal": ("idle", ("--tty",), "container.terminal"),
    "privileged": ("idle", ("--privileged",), "container.privileged"),
    "ipc": ("idle", ("--ipc=host",), "container.host-namespaces"),
    "gone": ("idle", ("--rm",), "container.auto-remove"),
    "session": ("idle", (), "process.exec-session"),
    "journal": ("idle", ("--log-driver=journald",), "container.log-stays"),
    "quadlet": ("idle", ("--label=PODMAN_SYSTEMD_UNIT=quadlet.service",), "container.unit"),
    "bind": ("idle", (), "mount.source-missing"),
    "fine": ("deleted 65536", (), ""),
}

ODD_AND_FREE = {"session", "journal"}
"""What only warns."""


def test_odd_containers_are_refused_all_in_one_plan(bench: Bench, client: Probe, tmp_path: Path):
    """Each holds one thing that cannot move; one has nothing odd and may go."""
    program = tmp_path / "odd"
    subprocess.run(["gcc", "-static", "-O1", "-o", program, Path(__file__).parent / "odd.c"], check=True)
    for host in ("h1", "h2"):
        argv = bench.lab.exec_argv(host, ["sh", "-c", "cat >/srv/odd; chmod 755 /srv/odd"])
        subprocess.run(argv, input=program.read_bytes(), check=True)
    bench.on("h1", "setsid /srv/odd listen /srv/sock >/dev/null 2>&1 </dev/null & mkdir -p /srv/only-here")
    containers: dict[str, dict[str, object]] = {}
    try:
        for name, (arguments, options, _) in ODD.items():
            mounts = [{"source": "/srv/odd", "target": "/odd", "readOnly": True}]
            if name == "bind":
                mounts.append({"source": "/srv/only-here", "target": "/here", "readOnly": True})
            containers[name] = {"image": IMAGE, "command": ["/odd", *arguments.split()], "mounts": mounts}
            bench.start(name, containers[name], "--security-opt=seccomp=unconfined", *options)
        bench.on("h1", "podman exec -d session /odd idle")
        plan = bench.plan(("web", bench.web(), "h1"), *((name, spec, "h2") for name, spec in containers.items()))
    finally:
        bench.on("h1", f"podman rm -f -t 0 {' '.join(ODD)}; pkill -x odd", check=False)
    found: dict[str, dict[str, str]] = {}
    for finding in plan["findings"]:
        found.setdefault(finding["where"]["workload"], {})[finding["code"]] = finding["severity"]
        assert finding["fix"]
    for name, (_, _, rule) in ODD.items():
        if rule:
            assert rule in found.get(name, {}), (name, found.get(name))
            assert found[name][rule] == ("warning" if name in ODD_AND_FREE else "error")
    assert "fine" not in found, found["fine"]
    assert {step["workload"] for step in plan["steps"]} == {"fine", *ODD_AND_FREE}


def test_a_connection_whose_address_cannot_follow_is_refused(bench: Bench, client: Probe):
    container = {"image": IMAGE, "networks": [{"name": "lab"}]}
    bench.start("roaming", container)
    try:
        address = bench.on("h1", "podman inspect --format '{{.NetworkSettings.Networks.lab.IPAddress}}' roaming")
        with Probe(address) as probe:
            plan = bench.plan(("web", bench.web(), "h1"), ("roaming", container, "h2"))
            assert probe.stop().survived
    finally:
        bench.on("h1", "podman rm -f -t 0 roaming")
    found = {finding["code"]: finding for finding in plan["findings"]}
    assert "tcp: close" in found["tcp.address-stays"]["fix"]


def test_a_busy_host_is_looked_at_in_parts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking at all six workloads in one command would take longer than a command may; in parts it does not."""
    names = [f"busy-{number}" for number in range(6)]
    plain = {"image": IMAGE, "command": ["sleep", "600"]}
    for name in names:
        bench.start(name, plain)
    slow, quick = wrapper("find", "sleep 1.5")
    bench.on("h1", slow)
    monkeypatch.setattr(probes, "LOOK_LIMIT", 16.0)
    try:
        plan = bench.plan(("web", bench.web(), "h2"), *((name, plain, "h2") for name in names))
    finally:
        bench.on("h1", quick)
        for name in names:
            bench.on("h1", f"podman rm -f -t 0 {name}")
    assert not [f for f in plan["findings"] if f["code"] == "preflight.incomplete"], plan["findings"]
    assert {row["workload"] for row in plan["verdicts"]} >= {"web", *names}


def test_what_a_host_does_not_answer_is_refused(bench: Bench, client: Probe, monkeypatch: pytest.MonkeyPatch):
    stuck, free = wrapper("find", "case $1 in /proc/*/fd) sleep 60 ;; esac")
    bench.on("h1", stuck)
    monkeypatch.setattr(probes, "LOOK_LIMIT", 4.0)
    try:
        plan = bench.plan(("web", bench.web(), "h2"))
    finally:
        bench.on("h1", free)
    found = [f for f in plan["findings"] if f["code"] == "preflight.incomplete"]
    assert [(f["severity"], f["where"]["workload"], f["where"]["host"]) for f in found] == [("error", "web", "h1")]
    assert plan["steps"] == []
