"""What goes on beside the runtime's commands in memory: what a host says of itself, pages after a lazy restore,
and actions of a move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from reconciler.hosts.memory.machine import ImageSet, Machine, MemoryContainer
from reconciler.model.command import Result, Seconds

PAGES_TIME: Seconds = 0.8
PAGES_SLOW: Seconds = 900.0
PERSIST_TIME: Seconds = 0.4
PARTS = 4
"""Of memory that follows from a source, which come one by one."""
ACTION_TIME: Seconds = 0.03
ON_THEIR_WAY, LOST = 1, 3
"""How `templates/criu/drain.sh` ends when not all pages have arrived."""


async def serve_pages(machine: Machine, container: MemoryContainer) -> None:
    """The daemon that serves a lazily restored container; when it dies, tasks wait for what has not arrived."""
    name = container.name
    if machine.take("pages"):
        await machine.work(PAGES_TIME / 2)
        if name in machine.pages:
            machine.pages[name], container.waits = 1, True
            machine.changed(f"the page daemon of {name} died")
        return
    if machine.take("pages-slow"):
        await asyncio.sleep(PAGES_SLOW)  # as long as that also on a slow host: ten times as long no test waits
    else:
        await machine.work(PAGES_TIME)
    if name in machine.pages:
        machine.pages[name] = 0
        container.whole = True
        machine.changed(f"all pages of {name} have arrived")


async def serve_later(machine: Machine, container: MemoryContainer) -> None:
    """The same of pages that follow from the source: while somebody feeds them from its images, and the hosts
    reach each other. They are waited for as long as it takes."""
    name, left = container.name, PARTS
    while left and name in machine.pages:
        if machine.take("pages"):
            machine.pages[name], container.waits = 1, True
            machine.changed(f"the page daemon of {name} died")
            return
        await machine.work(PAGES_TIME / PARTS)
        source = machine.fed_by.get(name)
        images = source.dumps.get(name) if source and source.answers else None
        container.waits = images is None or machine.universe.cut_links
        left -= not container.waits
        machine.left[name] = left
        if container.waits:
            await asyncio.sleep(1.0)
    if name in machine.pages:
        machine.pages[name], container.whole = 0, True
        machine.changed(f"all pages of {name} have arrived")


async def persist(machine: Machine, images: ImageSet) -> None:
    """Images get on the disk, where a loss of power leaves them."""
    images.persisting = True
    await machine.work(PERSIST_TIME)
    images.on_disk = True
    machine.changed(f"images of {images.dump.workload} are on disk")


async def drain(machine: Machine, name: str, seconds: str) -> Result:
    """Wait until a page daemon has ended, as `drain.sh` does."""
    loop = asyncio.get_running_loop()
    until = loop.time() + float(seconds)
    while name in machine.pages and machine.pages[name] is None:
        if loop.time() >= until:
            return Result(
                ON_THEIR_WAY, f"{machine.left.get(name, PARTS)}\n", "memory pages are still on their way\n"
            )
        await asyncio.sleep(0.05 if until - loop.time() < 1 else 1.0)
    if machine.pages.get(name, 0) != 0:
        return Result(LOST, "", "the daemon that serves memory pages ended\n")
    machine.pages.pop(name, None)
    return Result(0)


PROGRAMS = "iptables-restore nsenter flock setsid timeout tar ip perl python3"
MEMORY_KIB, DISK = 8 * 2**20, 50 * 2**30


def is_look(argv: Sequence[str]) -> bool:
    """Whether this is the script that says what a host is."""
    return argv[3:] == ("facts",)


def look(machine: Machine) -> Result:
    """What the script says. The clock only where it is wrong, so that each look at the same host says the same."""
    parts = {
        "tools": PROGRAMS,
        "uid": "0",
        "machine": machine.name,
        "kernel": "6.18.0",
        "arch": "x86_64",
        "version criu": "4.2",
        "features": "uffd mem_dirty_track",
        "memory": f"available {MEMORY_KIB}",
        "disk": str(DISK),
        "clock": str(time.time() + machine.clock_offset) if machine.clock_offset else "",
        "end": "",
    }
    return Result(0, "".join(f"@@ {name}\n{text}\n" for name, text in parts.items()))


def is_action(argv: Sequence[str]) -> bool:
    """Whether this is the script of `reconciler.guard.actions`."""
    return len(argv) > 9 and argv[0] == "/bin/sh" and argv[3] == "actions"


async def act(machine: Machine, words: Sequence[str]) -> Result:
    """One action: `effect on NAME`, and its way back `effect off NAME`. Its record is a file, as it really is."""
    how, record, index, _, count, *rest = words
    do, undo = rest[: int(count)], rest[int(count) :]
    key = f"{record} {index}"

    def note(state: str) -> None:
        machine.files[key] = state

    async def take_back() -> int:
        return await _effect(machine, undo, "undo")

    state = machine.files.get(key, "") if record in machine.files else ""
    match how, state:
        case ("do", "done") | ("undo", "" | "undone"):
            return Result(0)
        case ("undo", "done"):
            if status := await take_back():
                return Result(status, "", "the way back failed\n")
            note("undone")
            return Result(0)
        case ("undo", "begun"):
            await take_back()
            note("undone")
            return Result(0)
        case ("do", "begun"):
            await take_back()
    machine.files[record] = "there"
    note("begun")
    status = await _effect(machine, do, "action")
    if status == 0:
        note("done")
        return Result(0)
    await take_back()
    note("undone")
    return Result(status, "", "the action failed\n")


async def _effect(machine: Machine, words: Sequence[str], trouble: str) -> int:
    await machine.work(ACTION_TIME)
    if machine.take(trouble):
        return 1
    _, how, name = words
    (machine.effects.add if how == "on" else machine.effects.discard)(name)
    machine.changed(f"effect {name} {how}")
    await machine.work(ACTION_TIME)
    return 0
