"""The shapes of plans that cases strike: what is there before, what the specs want, how to tell which it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.bench import Bench
from tests.faults.grounds import NAME

INTERRUPTS = ("apply", "--yes", "--allow-interruptions", "1")


@dataclass(frozen=True)
class Scene:
    """A prepared shape. `as_before` and `as_wanted` look at the hosts; `apply`: how the specs are applied."""

    source: str
    destination: str
    as_before: Callable[[], bool]
    as_wanted: Callable[[], bool]
    apply: tuple[str, ...] = ("apply", "--yes")
    runs: bool = True
    """Whether the workload is to run in the end."""

    @property
    def hosts(self) -> dict[str, str]:
        return {"source": self.source, "destination": self.destination}


MEMORY, MUCH = 8, 64
"""MiB of the workload; of one whose memory takes its time."""
SLOW = "tc qdisc replace dev e0 root tbf rate 80mbit burst 256kb latency 200ms"
"""Of a source: its memory takes some 7 s."""


def move(bench: Bench) -> Scene:
    return _move(bench, MEMORY)


def postcopy(bench: Bench) -> Scene:
    scene = _move(bench, MUCH)
    bench.lab.exec(scene.source, ["sh", "-c", SLOW])
    return scene


def _move(bench: Bench, memory: int) -> Scene:
    bench.dirty, bench.memory = bench.dirty or bench.memory != memory, memory
    source = bench.settle()
    destination = "h2" if source == "h1" else "h1"
    bench.repo.place(NAME, destination)
    return Scene(
        source, destination, lambda: bench.running() == [source], lambda: bench.running() == [destination]
    )


def move_volume(bench: Bench) -> Scene:
    bench.reset()
    volumes = {"container": {"volumes": [{"name": "counter-data", "target": "/data"}]}}
    bench.declare("h1", **volumes)
    bench.run("apply", "--yes")
    bench.declare("h2", **volumes)
    return Scene("h1", "h2", lambda: bench.running() == ["h1"], lambda: bench.running() == ["h2"])


def create(bench: Bench) -> Scene:
    bench.reset()
    bench.declare("h1")
    return Scene("h1", "h1", lambda: bench.running() == [], lambda: bench.running() == ["h1"])


def start(bench: Bench) -> Scene:
    host = bench.settle()
    bench.lab.exec(host, ["podman", "stop", "--time", "0", NAME])
    return Scene(host, host, lambda: bench.running() == [], lambda: bench.running() == [host])


def stop(bench: Bench) -> Scene:
    host = bench.settle()
    bench.declare(host, state="stopped")
    before, after = (lambda: bench.running() == [host]), (lambda: bench.running() == [])
    return Scene(host, host, before, after, INTERRUPTS, runs=False)


def remove(bench: Bench) -> Scene:
    host = bench.settle()
    bench.declare(host, state="absent")
    apply = ("apply", "--yes", "--allow-removals", "1")

    def gone() -> bool:
        return bench.running() == [] and bench.lab.exec(host, ["podman", "ps", "-aq"]).stdout == ""

    return Scene(host, host, lambda: bench.running() == [host], gone, apply, runs=False)


def recreate(bench: Bench) -> Scene:
    """The container is made anew on the same host."""
    source = bench.settle()
    return _recreate(bench, source, source, {}, lambda: True)


def recreate_elsewhere(bench: Bench) -> Scene:
    """On the other host, where it must find what was in its volume."""
    bench.reset()
    volumes = {"container": {"volumes": [{"name": "counter-data", "target": "/data"}]}}
    bench.declare("h1", **volumes)
    bench.run("apply", "--yes")
    bench.lab.exec("h1", ["podman", "exec", NAME, "sh", "-c", "echo precious >/data/file"])

    def has_data() -> bool:
        argv = ["podman", "exec", NAME, "cat", "/data/file"]
        return bench.lab.exec(bench.running()[0], argv, check=False).stdout == "precious\n"

    return _recreate(bench, "h1", "h2", volumes, has_data)


def _recreate(
    bench: Bench, source: str, destination: str, more: dict[str, Any], whole: Callable[[], bool]
) -> Scene:
    bench.declare(destination, **more)
    container = bench.repo.workloads[NAME]["container"]
    container["env"] = {"GENERATION": "new"}
    bench.repo.write()

    def new() -> bool:
        argv = ["podman", "inspect", NAME, "--format", "{{.Config.Env}}"]
        return "GENERATION=new" in bench.lab.exec(bench.running()[0], argv, check=False).stdout

    return Scene(
        source,
        destination,
        lambda: bench.running() == [source] and not new() and whole(),
        lambda: bench.running() == [destination] and new() and whole(),
        INTERRUPTS,
    )


SHAPES: dict[str, Callable[[Bench], Scene]] = {
    "move": move,
    "postcopy": postcopy,
    "move-volume": move_volume,
    "create": create,
    "start": start,
    "stop": stop,
    "remove": remove,
    "recreate": recreate,
    "recreate-elsewhere": recreate_elsewhere,
}
