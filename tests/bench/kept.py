"""What it costs to carry what engines leave out: attributes of many files, and holes.

In seconds of processors that both hosts and the controller work, so that a busy machine measures much the same as
a quiet one."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from tests.bench.cells import Cell
from tests.bench.figures import Figure
from tests.bench.ground import DESTINATION, SOURCE, Ground

FILES = 10_000
MORE = 1.1
"""How many times as much work it may be."""
CELL = Cell(4)
VOLUME = "kept-files"
_FILL = """
use strict; my ($acl, $folder) = @ARGV;
my ($name, $all) = ('system.posix_acl_access', 0xffffffff);
my $list = pack 'L (S S L)5', 2, 1, 6, $all, 2, 4, 1234, 4, 4, $all, 16, 4, $all, 32, 0, $all;
for my $n (1 .. FILES) {
    my $at = "$folder/f$n";
    open my $file, '>', $at or die "$at: $!";
    print $file "file $n\\n";
    close $file;
    !$acl || syscall(188, $at, $name, $list, length $list, 0) == 0 or die "$at: $!"; # setxattr of x86_64
}
""".replace("FILES", str(FILES))


def measure(ground: Ground, n: int) -> list[Figure]:
    """In turns, so that what else the machine does falls on all."""
    ways = {"plain": files(acl=False), "listed": files(acl=True), "holes": sparse, "bare": nothing}
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(n):
        for name, fill in ways.items():
            took[name].append(move(ground, fill))
    middle = {name: statistics.median(seconds) for name, seconds in took.items()}
    acl, hole = middle["listed"] / middle["plain"], middle["holes"] / middle["bare"]
    return [
        Figure(f"a move of {FILES:,} files with ACLs, against one without ACLs", acl, "times", MORE),
        Figure("a move with a file of 100 GB that is one hole, against one without it", hole, "times", MORE),
    ]


def files(*, acl: bool) -> Callable[[Ground], None]:
    def fill(ground: Ground) -> None:
        ground.lab.exec(SOURCE, ["perl", "-e", _FILL, "1" if acl else "0", folder(ground)], timeout_seconds=300)

    return fill


def nothing(_: Ground) -> None:
    """The volume stays empty."""


def sparse(ground: Ground) -> None:
    ground.lab.exec(SOURCE, ["truncate", "-s", "100G", f"{folder(ground)}/hole"])


def folder(ground: Ground) -> str:
    shown = ground.lab.exec(SOURCE, ["podman", "volume", "inspect", "--format", "{{.Mountpoint}}", VOLUME])
    return shown.stdout.strip()


def move(ground: Ground, fill: Callable[[Ground], None]) -> float:
    """Seconds of work for one move of a workload whose volume was filled so."""
    ground.reset()
    for host in (SOURCE, DESTINATION):
        ground.lab.exec(host, ["podman", "volume", "rm", "--force", VOLUME], check=False)
    place(ground, SOURCE)
    ground.reconcile("apply", "--yes")
    fill(ground)
    place(ground, DESTINATION)
    before = worked(ground)
    done = ground.reconcile("apply", "--yes")
    return worked(ground) - before + done.cpu_s


def place(ground: Ground, host: str) -> None:
    ground.place(CELL, host)
    specs = ground.folder / "specs" / "counter.yaml"
    text = specs.read_text()
    volume = f"    volumes: [{{name: {VOLUME}, target: /data}}]\n"
    specs.write_text(text.replace("  placement:", f"{volume}  placement:"))


def worked(ground: Ground) -> float:
    """Seconds that the processors have worked for both hosts so far."""
    return sum(used(ground, host) for host in (SOURCE, DESTINATION))


def used(ground: Ground, host: str) -> float:
    told = ground.lab.exec(host, ["sed", "-n", "s/^usage_usec //p", "/sys/fs/cgroup/cpu.stat"]).stdout
    return int(told) / 1e6
