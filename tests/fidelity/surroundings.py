"""What is around the processes: their namespaces' state, control group, and the engine's word on the container."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from reconciler.lab import Lab
from tests.fidelity.processes import Facts, shown

LOOKS = {
    "links": "ip -d -o link",
    "addresses": "ip -d -o addr",
    "routes": "ip route show table all",
    "routes6": "ip -6 route show table all",
    "rules": "ip rule; ip -6 rule",
    "neighbours": "ip neigh show nud permanent",
    "multicast": "ip maddr",
    "nft": "nft list ruleset",
    "iptables": r"{ iptables-save -c; ip6tables-save -c; } | sed '/^#/d; s/^\(:.*\) \[.*/\1/'",
    "names": "hostname; cat /proc/sys/kernel/domainname",
    "queues": "cat /proc/sysvipc/msg /proc/sysvipc/sem /proc/sysvipc/shm",
    "semaphores": "for i in $(ipcs -s | awk '$2 ~ /^[0-9]+$/ {print $2}'); do ipcs -s -i $i; done",
}
"""By name, what a host's shell says inside a container's network, IPC and UTS namespaces, line by line."""
SYSCTLS = (
    "cd /proc/sys && find net fs/mqueue kernel/msg* kernel/sem kernel/shm* -type f -exec grep -sH . {} + || :"
)
TABLES = {
    **dict.fromkeys(("tcp", "tcp6", "udp", "udp6", "raw", "raw6"), (1, 2, 3)),
    "unix": (3, 4, 5, 7),
    "packet": (2, 3, 4, 5),
    "netlink": (1, 3),
    "arp": (0, 1, 2, 3, 5),
    "route": (0, 1, 2, 3, 6, 7),
    "ipv6_route": (0, 1, 2, 3, 4, 9),
    "ptype": (0, 1, 2),
    "if_inet6": (0, 2, 3, 5),
    "igmp": (0, 1),
    "igmp6": (1, 2),
    "dev_mcast": (1, 4),
}
"""Files of /proc/net with a row for each thing there is, and the columns that are no addresses or counters."""
COUNTERS = ("dev", "netstat", "protocols", "snmp", "snmp6", "sockstat", "sockstat6")


def record(lab: Lab, host: str, name: str, pid: int) -> Facts:
    """`pid`: of its first process, outside."""
    facts: Facts = {}
    inspected = lab.exec(host, ["podman", "container", "inspect", name]).stdout
    said = json.loads(inspected)[0]
    facts |= _flat("inspect", said)
    logs = lab.exec(host, ["podman", "logs", name])
    facts |= {"logs/stdout": logs.stdout, "logs/stderr": logs.stderr}
    script = "".join(f"printf '\\n@@ {key}\\n'; {look}\n" for key, look in {**LOOKS, "sysctls": SYSCTLS}.items())
    inside = ["nsenter", f"--target={said['State']['Pid']}", "--net", "--ipc", "--uts", "sh", "-c", script]
    for part in lab.exec(host, inside).stdout.split("\n@@ ")[1:]:
        key, _, text = part.partition("\n")
        facts |= dict(_lines(key, text))
    net = Path(f"/proc/{pid}/net")
    for file, columns in TABLES.items():
        if (net / file).exists():
            facts |= dict(_lines(f"table/{file}", "\n".join(_columns((net / file).read_text(), columns))))
    facts |= {f"network/counters/{file}": (net / file).read_text() for file in COUNTERS if (net / file).exists()}
    return facts | _cgroup(pid)


def _lines(key: str, text: str) -> Iterator[tuple[str, str]]:
    if key == "sysctls":
        for line in text.splitlines():
            knob, _, value = line.partition(":")
            yield f"sysctl/{knob}", value
        return
    count: dict[str, int] = {}
    for line in text.splitlines():  # in no order that means anything, and some several times
        line = re.sub(
            r"^\d+: |@if\d+|link-netnsid \d+|valid_lft \w+|preferred_lft \w+", "", " ".join(line.split())
        )
        count[line] = count.get(line, 0) + 1
    for line, times in count.items():
        yield f"network/{key}/{line}", str(times)


def _columns(text: str, columns: tuple[int, ...]) -> Iterator[str]:
    for line in text.splitlines():
        words = line.split()
        yield " ".join(words[n] for n in columns if n < len(words))


def _flat(key: str, value: object) -> Facts:
    if isinstance(value, dict):
        return {k: v for name, one in value.items() for k, v in _flat(f"{key}/{name}", one).items()}
    if isinstance(value, list):
        value = sorted(value) if key.endswith("/Env") else value  # in no order that lasts
        return {k: v for number, one in enumerate(value) for k, v in _flat(f"{key}/{number}", one).items()}
    return {key: json.dumps(value)}


def _cgroup(pid: int) -> Facts:
    facts: Facts = {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        number, _, path = line.split(":", 2)
        for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
            folder = Path(top + path)
            if number == "0" and folder.is_dir():
                for file in sorted(folder.iterdir()):
                    if file.is_file() and file.stat().st_mode & 0o444:
                        facts[f"cgroup/{file.name}"] = " ".join(shown(_read(file)).split())
    return facts


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        return re.sub(r"\W+", " ", str(error.strerror)).encode()
