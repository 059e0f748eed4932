"""What differs between two checkpoints. Pure. Processes pair up by their number, which a restore keeps."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.inspection.facts import Changed, Checkpoint
from reconciler.model.base import Model

ADDED, REMOVED, CHANGED = "+", "-", "~"


class FileDifference(Model):
    """`sign` is `+` only in the second, `-` only in the first, `~` in both and not the same."""

    about: str
    sign: str
    what: str
    first: str = ""
    second: str = ""


def differences(first: Checkpoint, second: Checkpoint) -> tuple[FileDifference, ...]:
    return (
        *_between("provenance", _provenance(first), _provenance(second)),
        *_between("size", _numbers(first.sizes), _numbers(second.sizes)),
        *_between("process", _processes(first), _processes(second)),
        *_between("memory", _memory(first), _memory(second)),
        *_between("socket", _sockets(first), _sockets(second)),
        *_between("file", _files(first), _files(second)),
        *_between("environment", dict.fromkeys(first.environment, ""), dict.fromkeys(second.environment, "")),
        *(
            FileDifference(about="environment", sign=CHANGED, what=name)
            for name in sorted(first.environment.keys() & second.environment.keys())
            if first.environment[name] != second.environment[name]
        ),
        *_between("rootfs", _rootfs(first), _rootfs(second)),
        *_between("volume", _volumes(first), _volumes(second)),
    )


def _between(about: str, first: Mapping[str, str], second: Mapping[str, str]) -> list[FileDifference]:
    out = []
    for what in sorted(first.keys() | second.keys()):
        one, two = first.get(what), second.get(what)
        if one != two:
            sign = ADDED if one is None else REMOVED if two is None else CHANGED
            out.append(FileDifference(about=about, sign=sign, what=what, first=one or "", second=two or ""))
    return out


def _provenance(checkpoint: Checkpoint) -> dict[str, str]:
    return {k: str(v) for k, v in checkpoint.provenance.model_dump(exclude={"freeze_ms"}).items()}


def _numbers(sizes: Mapping[str, int]) -> dict[str, str]:
    return {name: str(size) for name, size in sizes.items()}


def _processes(checkpoint: Checkpoint) -> dict[str, str]:
    return {f"{p.pid}": " ".join(p.command) or p.name for p in checkpoint.processes}


def _memory(checkpoint: Checkpoint) -> dict[str, str]:
    return {f"{p.pid} {kind}": str(size) for p in checkpoint.processes for kind, size in p.mapped.items()}


def _sockets(checkpoint: Checkpoint) -> dict[str, str]:
    return {f"{s.pid} {s.protocol} {s.local} {s.peer}".strip(): s.state for s in checkpoint.sockets}


def _files(checkpoint: Checkpoint) -> dict[str, str]:
    return {f"{p.pid} fd {f.fd}": f"{f.kind} {f.text}".strip() for p in checkpoint.processes for f in p.files}


def _rootfs(checkpoint: Checkpoint) -> dict[str, str]:
    changed = {c.path: _file(c) for c in checkpoint.changed}
    return changed | dict.fromkeys(checkpoint.deleted, "deleted")


def _volumes(checkpoint: Checkpoint) -> dict[str, str]:
    return {f"{volume.name} {c.path}": _file(c) for volume in checkpoint.volumes for c in volume.files}


def _file(one: Changed) -> str:
    return f"{one.kind} of {one.bytes} bytes" + (f", {one.modified}" if one.modified else "")
