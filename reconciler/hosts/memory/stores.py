"""Checkpoints on a host in memory, and the scripts of stores that bring one back from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from reconciler.hosts.memory.machine import Dump, ImageSet, Machine
from reconciler.model.command import Result

VERBS = ("begin", "sums", "unpack", "change")
FREE = 50 * 2**30


@dataclass(frozen=True)
class MemoryKept:
    """The files of one checkpoint: of which process its images are, and what was in the volumes, in the order of
    its trees. `files`: size and digest of each by name. `damaged`: they are not as they were packed."""

    workload: str
    lineage: int
    files: dict[str, str] = field(default_factory=dict)
    data: tuple[str, ...] = ()
    damaged: bool = False


def is_store(argv: Sequence[str]) -> bool:
    """Whether this is one of the scripts of `templates/store`."""
    return len(argv) > 4 and argv[:2] == ("/bin/sh", "-c") and argv[3] in VERBS


def call(machine: Machine, argv: Sequence[str]) -> Result:
    """One of them, with what it says."""
    verb, *rest = argv[3:]
    match verb, *rest:
        case "begin", part:
            machine.kept.pop(part, None)
            return Result(0, f"free {FREE}\n")
        case "sums", folder, *names:
            return _sums(machine, folder, names)
        case "change", "remove", folder:
            parent, _, name = folder.rpartition("/")
            for gone in (folder, f"{parent}/.{name}.part"):
                machine.kept.pop(gone, None)
            return Result(0)
        case "unpack", folder, target, _, *number:
            return _unpack(machine, folder, target.rpartition("/")[2], int(number[0]) if number else 0)
    return Result(2, "", f"{verb} is not known here\n")


def _sums(machine: Machine, folder: str, names: Sequence[str]) -> Result:
    found = machine.kept.get(folder)
    if found is None:
        return Result(1, "", f"cannot cd to {folder}\n")
    now = {} if found.damaged else found.files
    return Result(0, "".join(f"{name} {now.get(name, 'missing')}\n" for name in names))


def _unpack(machine: Machine, folder: str, name: str, number: int) -> Result:
    """`name`: the workload's where these are images, else the volume's."""
    found = machine.kept.get(folder)
    if found is None or found.damaged or machine.take("full"):
        return Result(1, "", "it could not be unpacked\n")
    if number == 0:
        # Of no host: whoever restores them anew brings back nothing that has gone on since.
        machine.dumps[name] = ImageSet(Dump(name, found.lineage, ""), True, machine.on_disk)
    elif name not in machine.volumes:
        return Result(1, "", f"{name} is not a folder\n")
    else:
        machine.volumes[name].data = found.data[number - 1]
    machine.changed(f"{name} laid out from a checkpoint")
    return Result(0)


def copy(there: Machine, here: Machine, folder: str, part: str) -> bool:
    """The files of a checkpoint to another host; whether they arrived as they were."""
    broken = here.take("truncate") or here.take("full")
    here.kept[part] = replace(there.kept[folder], damaged=broken or there.kept[folder].damaged)
    here.changed(f"{part} arrived{' broken' if broken else ''}")
    return not broken
