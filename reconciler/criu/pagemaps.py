"""CRIU's maps of memory pages on a destination, changed before a restore (`core.pagemap`): fetched, computed, and
written back."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field

from reconciler.core import pagemap
from reconciler.core.pagemap import Pagemap, Spans
from reconciler.criu.tasks import Tasks, shell
from reconciler.errors import HostError, InputError
from reconciler.model.command import Command, Program


@dataclass
class _Maps:
    """By the PID in the files' names: the dump's map, those of rounds 1, 2, ..., and where memory may follow of
    processes none of whose pages CRIU has marked."""

    dump: dict[str, Pagemap] = field(default_factory=dict)
    rounds: dict[int, dict[str, Pagemap]] = field(default_factory=dict)
    unmarked: dict[str, Spans] = field(default_factory=dict)


def arrange(tasks: Tasks) -> Program[None]:
    """After a pre-copy: pages that did not change since round 1 follow the restore, the few others come first."""
    maps = yield from _fetch(tasks)
    first = maps.rounds.get(1, {})
    first |= {pid: pagemap.marked(first[pid], spans) for pid, spans in maps.unmarked.items() if pid in first}
    in_order = [maps.rounds[number] for number in sorted(maps.rounds)]
    written = []
    for pid, dump in sorted(maps.dump.items()):
        restored, served = pagemap.divide(dump, [known.get(pid) for known in in_order])
        written += [(f"checkpoint/pagemap-{pid}.img", restored), (f"lazy/pagemap-{pid}.img", served)]
    yield from _write(tasks, written, folder="lazy")


def mark(tasks: Tasks) -> Program[None]:
    """Without a pre-copy: let pages follow where CRIU has marked none of a process."""
    maps = yield from _fetch(tasks)
    yield from _write(
        tasks,
        [
            (f"checkpoint/pagemap-{pid}.img", pagemap.marked(maps.dump[pid], spans))
            for pid, spans in sorted(maps.unmarked.items())
            if pid in maps.dump
        ],
    )


def _fetch(tasks: Tasks) -> Program[_Maps]:
    answer = yield Command(shell("maps", tasks.home))
    maps = _Maps()
    try:
        for line in answer.stdout.splitlines():
            path, _, data = line.partition(" ")
            image = base64.b64decode(data, validate=True)
            folder, _, name = path.rpartition("/")
            kind, _, pid = name.removesuffix(".img").partition("-")
            if kind == "mm":
                maps.unmarked[pid] = pagemap.can_be_lazy(image, path)
            elif folder == "checkpoint":
                maps.dump[pid] = pagemap.parse(image, path)
            else:
                maps.rounds.setdefault(int(folder.rpartition("/")[2]), {})[pid] = pagemap.parse(image, path)
    except (ValueError, binascii.Error, InputError) as error:
        raise HostError("CRIU's maps of memory pages cannot be read", code="H290", why=str(error)) from error
    return maps


def _write(tasks: Tasks, found: Iterable[tuple[str, Pagemap]], *, folder: str = "") -> Program[None]:
    text = "".join(f"{path} {base64.b64encode(pagemap.encode(image)).decode()}\n" for path, image in found)
    yield Command(shell("lay-out", tasks.home, folder), stdin=text.encode(), changes=True)
