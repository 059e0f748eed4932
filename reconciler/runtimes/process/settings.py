"""The one place where a Process spec becomes what a tree is started, dumped and restored with (I4)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping

from reconciler.errors import Refused
from reconciler.guard.guard import guard_path
from reconciler.model.base import canonical_json, parse_size
from reconciler.model.process import MADE, OWN_FOLDER, ProcessTree
from reconciler.model.spec import Workload
from reconciler.runtimes.process import places

OUTPUT = f"{OWN_FOLDER}/output"
_CPU_PERIOD_US = 100_000
_NODES = ("null", "zero", "full", "random", "urandom")


def process_of(workload: Workload) -> ProcessTree:
    found = workload.spec.process
    if found is None:
        name = workload.metadata.name
        raise Refused(f"{name} has no `process`", code="P446", fix="give it one, or another runtime")
    return found


_AT_BOOT = ("boot", "again", "start", "setup", "init")
"""Scripts that a host needs to start a tree without a controller."""


def files(workload: Workload, secrets: Mapping[str, bytes]) -> bytes:
    """What `create.sh` takes: lines of a file's name and its content in base64."""
    spec = process_of(workload)
    made = {"workload": workload.metadata.name, "spec": canonical_json(spec)}
    env = [f"{name}={value}".encode() for name, value in spec.env.items()]
    env += [f"{name}=".encode() + value for name, value in sorted(secrets.items())]
    content = {
        "made.json": json.dumps(made).encode(),
        "settings": _settings(workload.metadata.name, spec).encode(),
        "argv": _words(word.encode() for word in spec.command),
        "env": _words(iter(env)),
    }
    if spec.start_at_boot:
        content |= {f"boot/{script}": places.script(script).encode() for script in _AT_BOOT}
        content["boot/guard"] = f"{guard_path()}\n".encode()
    return b"".join(name.encode() + b" " + base64.b64encode(data) + b"\n" for name, data in content.items())


def _words(words: Iterator[bytes]) -> bytes:
    return b"".join(base64.b64encode(word) + b"\n" for word in words)


def _settings(name: str, spec: ProcessTree) -> str:
    limits = spec.limits
    rows: list[tuple[str, ...]] = [
        ("root", spec.root),
        ("hostname", spec.hostname or name),
        ("restart", spec.restart.value),
        ("output", spec.stdout or OUTPUT),
        ("workdir", spec.workdir or "/"),
        ("network", *_network(spec)),
    ]
    rows += [("address", one.ip, one.card) for one in spec.attach.addresses] if spec.attach else []
    rows += [("user", spec.user)] if spec.user else []
    rows += [("groups", ",".join(spec.groups))] if spec.groups else []
    rows += [("memory", str(parse_size(limits.memory)))] if limits.memory else []
    rows += [("pids", str(limits.pids))] if limits.pids is not None else []
    if limits.cpus is not None:
        rows.append(("cpu", f"{round(limits.cpus * _CPU_PERIOD_US)} {_CPU_PERIOD_US}"))
    rows += [tuple(["mount", *row]) for row in mounts(spec)]
    return "".join("\t".join(row) + "\n" for row in rows)


def _network(spec: ProcessTree) -> tuple[str, ...]:
    if spec.host_network or spec.attach:
        return ("host",)
    return next((("macvlan", n.name, n.ip or "", n.mac or "") for n in spec.networks), ("none",))


def mounts(spec: ProcessTree) -> list[tuple[str, str, str, str]]:
    """Kind, source on the host, target in the tree, and `ro` or `rw`; outer ones first."""
    found = [("bind", m.source, m.target, m.read_only) for m in spec.mounts]
    found += [("volume", places.volume_data(v.name), v.target, v.read_only) for v in spec.volumes]
    return [(k, s, t, "ro" if ro else "rw") for k, s, t, ro in sorted(found, key=lambda row: row[2])]


def _outside(name: str, spec: ProcessTree) -> Iterator[tuple[str, str, str]]:
    """Mounts that are no part of the images: their key, their place in the tree, and what is there on the host."""
    if spec.attach:
        return  # it has the host's own
    yield "own", OWN_FOLDER, f"{places.home(name)}/own"
    for node in _NODES:
        yield node, f"/dev/{node}", f"/dev/{node}"
    for number, (_, source, target, _) in enumerate(mounts(spec)):
        yield f"mount{number}", target, source


def dump_options(name: str, spec: ProcessTree) -> list[str]:
    return [word for key, inside, _ in _outside(name, spec) for word in ("--external", f"mnt[{inside}]:{key}")]


def restore_options(name: str, spec: ProcessTree) -> list[str]:
    return [word for key, _, there in _outside(name, spec) for word in ("--external", f"mnt[{key}]:{there}")]


def targets(spec: ProcessTree) -> set[str]:
    """Where a tree has mounts."""
    own = {"/", *MADE, OWN_FOLDER, *(f"/dev/{node}" for node in _NODES)}
    return own | {target for _, _, target, _ in mounts(spec)}
