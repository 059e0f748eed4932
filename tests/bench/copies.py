"""How fast 512 MiB get from host to host: our link, and what people use instead."""

from __future__ import annotations

import asyncio
import statistics
import time

from reconciler.hosts.link import LinkOptions
from reconciler.hosts.ssh import SshFleet
from reconciler.load import load
from reconciler.model.command import Tree
from tests.bench import manual
from tests.bench.cells import MIB, BrokenRun
from tests.bench.ground import DESTINATION, SOURCE, Ground, touch_memory

SIZE = 512 * MIB
FROM, TO = "/tmp/bench-from", "/tmp/bench-to"
"""On tmpfs, as images are. Half of it is random, half compresses well, as in the workload's memory."""
OURS = "ours"
_FILL = f"""
mkdir -p {FROM} && cd {FROM} && {{ head -c 256M /dev/urandom; yes reconciler | head -c 256M; }} >pages-1.img
"""
PAGE_PORT = 9876
_HOLDER = f"""
import time
pages = open("{FROM}/pages-1.img", "rb").read()
open("/tmp/bench-held", "w").close()
time.sleep(3600)
"""
"""A process with the same memory, for CRIU's page server: that sends what it dumps, and nothing else."""


def measure(ground: Ground, n: int) -> dict[str, float]:
    """Median bytes per second of each way; one round first, which does not count. BrokenRun: a copy differed."""
    touch_memory(2 * SIZE)
    ground.lab.exec(SOURCE, ["sh", "-c", _FILL])
    hold = (
        f"rm -f /tmp/bench-held; setsid python3 -c '{_HOLDER}' </dev/null >/dev/null 2>&1 &"
        " echo $! >/tmp/bench-pid; until [ -e /tmp/bench-held ]; do sleep 0.1; done"
    )
    ground.lab.exec(SOURCE, ["sh", "-c", hold])
    try:
        seconds = asyncio.run(_rounds(ground, n))
    finally:
        ground.lab.exec(SOURCE, ["sh", "-c", "kill $(cat /tmp/bench-pid); rm -rf /tmp/bench-[hip]*"], check=False)
        for host in (SOURCE, DESTINATION):
            ground.lab.exec(host, ["rm", "-rf", FROM, TO])
    return {way: SIZE / statistics.median(took) for way, took in seconds.items()}


async def _rounds(ground: Ground, n: int) -> dict[str, list[float]]:
    hosts = load([ground.folder / "specs"], allow_empty=True).hosts
    fleets = {
        OURS: (SshFleet(hosts), "none"),
        "ours, lz4": (SshFleet(hosts), "lz4"),
        "ours, zstd": (SshFleet(hosts), "zstd"),
        "ours, through the controller": (SshFleet(hosts, links=LinkOptions(direct=False)), "none"),
    }
    there = ground.lab.spec.address(DESTINATION)
    ssh = f"{manual.SCP.replace('scp -q', 'ssh')} root@{there}"
    commands = {
        "CRIU's page server, with the dump, in the clear": _page_server(ssh, there),
        "scp": f"{manual.SCP} {FROM}/pages-1.img root@{there}:{TO}/",
        "tar | ssh": f"tar -C {FROM} -cf - . | {ssh} tar -C {TO} -xf -",
        "tar | zstd -1 | ssh": f"tar -C {FROM} -cf - . | zstd -1 -T0 -c | {ssh} 'zstd -dc | tar -C {TO} -xf -'",
        "rsync -W": f"rsync -aW -e '{ssh.rpartition(' ')[0]}' {FROM}/ root@{there}:{TO}/",
        **{f"dd | ssh, {n} streams": _streams(ssh, n) for n in (2, 4)},
    }
    seconds: dict[str, list[float]] = {name: [] for name in (*fleets, *commands)}
    try:
        for turn in range(n + 1):
            for number, (name, (fleet, compression)) in enumerate(fleets.items()):
                _empty(ground)
                key = f"bench-{number}"
                await fleet.open_link(SOURCE, DESTINATION, key, compression)
                pairs = [(Tree("images", FROM), Tree("images", TO))]
                began = time.monotonic()
                await fleet.copy_trees(SOURCE, DESTINATION, key, pairs, lambda done: None)
                _note(seconds[name], turn, began)
                await fleet.close_link(SOURCE, DESTINATION, key)
            for name, command in commands.items():
                _empty(ground)
                began = time.monotonic()
                await asyncio.to_thread(ground.lab.exec, SOURCE, ["sh", "-c", command])
                _note(seconds[name], turn, began)
        _compare(ground)
    finally:
        for fleet, _ in fleets.values():
            await fleet.close()
    return seconds


def _page_server(ssh: str, there: str) -> str:
    where = f"--address {there} --port {PAGE_PORT}"
    return (
        f"rm -rf /tmp/bench-images; mkdir /tmp/bench-images;"
        f" {ssh} 'criu page-server -D {TO} {where} --daemon </dev/null >/dev/null 2>&1' &&"
        f" criu dump -t $(cat /tmp/bench-pid) -D /tmp/bench-images --leave-running --manage-cgroups=ignore"
        f" --page-server {where}"
    )


def _streams(ssh: str, n: int) -> str:
    """The file in equal parts over so many connections at once."""
    blocks = SIZE // 65536 // n
    name = "pages-1.img"
    parts = (
        f"dd if={FROM}/{name} bs=64k skip={part * blocks} count={blocks} status=none | "
        f"{ssh} dd of={TO}/{name} bs=64k seek={part * blocks} iflag=fullblock conv=notrunc status=none &"
        for part in range(n)
    )
    return f"{' '.join(parts)} wait"


def _note(seconds: list[float], turn: int, began: float) -> None:
    if turn > 0:
        seconds.append(time.monotonic() - began)


def _empty(ground: Ground) -> None:
    ground.lab.exec(DESTINATION, ["sh", "-c", f"rm -rf {TO} && mkdir -p {TO}"])


def _compare(ground: Ground) -> None:
    sums = [
        ground.lab.exec(host, ["sh", "-c", f"cd {folder} && sha256sum pages-1.img"]).stdout
        for host, folder in ((SOURCE, FROM), (DESTINATION, TO))
    ]
    if sums[0] != sums[1]:
        raise BrokenRun("the copied file differs")
