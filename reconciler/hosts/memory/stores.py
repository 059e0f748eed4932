"""Checkpoints on a host in memory, and the scripts of stores that make them and bring one back from there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from reconciler.hosts.memory.machine import Dump, ImageSet, Machine
from reconciler.model.command import Result

VERBS = ("begin", "pack", "seal", "sums", "unpack", "change", "restic", "settle")
FREE = 50 * 2**30
IMAGES = f"1 {'ab' * 32}"
"""Size and digest of what is packed here."""


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
    return len(argv) >= 4 and argv[:2] == ("/bin/sh", "-c") and argv[3] in VERBS


def call(machine: Machine, argv: Sequence[str], stdin: bytes = b"") -> Result:
    """One of them, with what it says."""
    verb, *rest = argv[3:]
    match verb, *rest:
        case "begin", part:
            parent, _, name = part.rpartition("/.")
            _drop(machine, f"{parent}/.{name.partition('.')[0]}.")
            return Result(0, f"free {FREE}\n")
        case "pack", part, images, *_:
            return _pack(machine, part, images.rpartition("/")[2])
        case "seal", part, folder, *_:
            return _seal(machine, part, folder, stdin)
        case "sums", folder, *names:
            return _sums(machine, folder, names)
        case "change", "remove", folder:
            parent, _, name = folder.rpartition("/")
            machine.kept.pop(folder, None)
            machine.files.pop(f"{folder}/manifest.json", None)
            _drop(machine, f"{parent}/.{name}.")
            return Result(0)
        case "change", "tidy", folder:
            parent, _, name = folder.rpartition("/")
            _drop(machine, f"{parent}/.{name}.")
            return Result(0)
        case "settle", *_:
            return Result(0)
        case "unpack", folder, target, _, *number:
            return _unpack(machine, folder, target.rpartition("/")[2], int(number[0]) if number else 0)
        case "restic", _, verb, folder, _, *words:
            return _restic(machine, verb, folder, words, stdin.partition(b"\n\n")[2])
    return Result(2, "", f"{verb} is not known here\n")


def _restic(machine: Machine, verb: str, folder: str, words: Sequence[str], rest: bytes) -> Result:
    """A repository, which is with the host that works on it: what is in it has the names that a folder would give
    it. Whole at once, and not without its manifest."""
    there = {
        path.removesuffix("/manifest.json"): text
        for path, text in machine.files.items()
        if path.startswith(f"{folder}/") and path.endswith("/manifest.json")
    }
    match verb, *words:
        case "list", *_:
            return Result(0, json.dumps([_snapshot(path, text) for path, text in there.items()]))
        case "manifests", *_:
            return Result(0, "".join(f"{_digest(text)} {text.strip()}\n" for text in there.values()))
        case "upload", workload, checkpoint, part:
            path = f"{folder}/{workload}/{checkpoint}"
            if path in there:
                return Result(0)
            if part not in machine.kept or machine.take("full"):
                return Result(1, "", "no space left on device\n")
            machine.kept[path] = machine.kept[part]
            machine.files[f"{path}/manifest.json"] = rest.decode()
            machine.changed(f"{path} is in the repository")
            return Result(0)
        case "bring", workload, checkpoint, part, _:
            found = machine.kept.get(f"{folder}/{workload}/{checkpoint}")
            if found is None or machine.take("full"):
                return Result(28, "", "no room\n")
            machine.kept[part] = found
            machine.changed(f"{part} came out of the repository")
            return Result(0)
    return Result(2, "", f"{verb} is not known here\n")


def _snapshot(path: str, text: str) -> dict[str, object]:
    workload, checkpoint = path.split("/")[-2:]
    return {"id": _digest(path), "tree": _digest(text), "tags": [f"workload={workload}", f"id={checkpoint}"]}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _drop(machine: Machine, halves: str) -> None:
    """Forget what has names that begin so."""
    for folder in [folder for folder in machine.kept if folder.startswith(halves)]:
        del machine.kept[folder]


def _pack(machine: Machine, part: str, name: str) -> Result:
    images, container = machine.dumps.get(name), machine.containers.get(name)
    if images is None or not images.complete or container is None or machine.take("full"):
        return Result(1, "", f"the images of {name} could not be read\n")
    volumes = (volume["name"] for volume in json.loads(container.spec or "{}").get("volumes", ()))
    data = tuple(machine.volumes[volume].data for volume in volumes)
    machine.kept[part] = MemoryKept(name, images.dump.lineage, {"images.tar": IMAGES}, data)
    return Result(0, f"packed images.tar {IMAGES}\n")


def _seal(machine: Machine, part: str, folder: str, manifest: bytes) -> Result:
    if part not in machine.kept:
        there = folder in machine.kept
        return Result(0 if there else 1, "", "" if there else f"{part} is not there\n")
    if folder in machine.kept:
        return Result(1, "", f"{folder} is there already\n")
    machine.kept[folder] = machine.kept.pop(part)
    machine.files[f"{folder}/manifest.json"] = manifest.decode()
    machine.changed(f"{folder} is whole")
    return Result(0)


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
