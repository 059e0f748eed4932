"""Which trees, networks and volumes of this runtime a host has, and what the trees use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from reconciler.core import answers
from reconciler.core.connections import tcp_established
from reconciler.core.lines import numbers
from reconciler.model.command import Command, Program, Seconds
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.process import HOST_ROOT, ProcessTree
from reconciler.model.question import Question
from reconciler.model.world import (
    HostFacts,
    InstanceNetwork,
    InstanceState,
    NetworkFacts,
    Preflight,
    RuntimeFacts,
    TreeFacts,
    VolumeFacts,
)
from reconciler.runtimes.process import attached, places, settings

NAME = "process"
LIMIT: Seconds = 60.0
_ROWS = ("started", "exit", "images", "frozen", "pid", "processes", "memory", "own")


def observe(host: HostFacts) -> Program[RuntimeFacts]:
    parts = yield from _look()
    return RuntimeFacts(
        version=host.version("criu") or None,
        settings=tuple(answers.word(word, "what starts things at boot") for word in parts.get("boot", "").split()),
        instances=tuple(
            tree.model_copy(update={"state": InstanceState.HELD}) if name in host.holds else tree
            for name, tree in sorted(_trees(parts).items())
        ),
        networks=networks(parts.get("networks", "")),
        volumes=volumes(parts.get("volumes", "")),
    )


def tree(name: str) -> Program[TreeFacts | None]:
    """A tree by its name; None when there is none."""
    parts = yield from _look(places.home(name))
    return _trees(parts).get(name)


def _look(*homes: str) -> Program[dict[str, str]]:
    result = yield Command(places.shell("observe", *homes), timeout=LIMIT)
    return answers.whole(result.stdout, "what it says of its trees of processes")


def _trees(parts: Mapping[str, str]) -> dict[str, TreeFacts]:
    found = {}
    for title, text in parts.items():
        kind, _, name = title.partition(" ")
        if kind == "made":
            name = answers.name(name, "the name of a tree")
            found[name] = _tree(name, text, parts.get(f"now {name}", ""), parts.get(f"tcp {name}", ""))
            mapped = _mapped(found[name], parts.get(f"mapped {name}", ""))
            carried = tuple(
                answers.path(line, f"what {name} carries") for line in parts.get(f"carried {name}", "").split()
            )
            mapped = tuple(path for path in mapped if path not in carried)
            if (said := parts.get(f"found {name}")) is not None:
                there = attached.found(name, said, parts.get(f"tcp {name}", ""))
                mapped = tuple(sorted({*mapped, *_outside(there.reads, found[name])}))
                found[name] = found[name].model_copy(update={"found": there})
            found[name] = found[name].model_copy(update={"mapped": mapped, "carried": carried})
    return found


def _tree(name: str, made: str, now: str, tcp: str) -> TreeFacts:
    what = f"of {name}"
    head, _, tree_id = made.strip().rpartition("\n")
    raw = answers.mapping(answers.parsed(head, f"how {name} was made"), f"how {name} was made")
    workload = answers.name(raw.get("workload"), f"the workload {what}")
    spec = answers.string(raw.get("spec"), f"the spec {what}", answers.MOST_LABEL)
    seen, given = numbers(now, _ROWS), {line.partition(" ")[0] for line in now.splitlines()}
    process = _spec(spec)
    return TreeFacts(
        id=answers.full_id(tree_id, f"the ID {what}"),
        name=name,
        runtime=NAME,
        state=_state(seen, given),
        labels={LABEL_WORKLOAD: workload, LABEL_SPEC: spec},
        pid=seen["pid"],
        exit_code=seen["exit"],
        started_at=float(seen["started"]),
        networks=_networks(process),
        mounted=tuple(v.name for v in process.volumes) if process else (),
        memory_bytes=seen["memory"],
        rootfs_bytes=seen["own"],
        tcp_established=tcp_established(tcp),
        processes=seen["processes"],
        attached=bool(process and process.attach),
        restart=process.restart.value if process else "no",
        home=places.home(name),
    )


def _mapped(tree: TreeFacts, text: str) -> tuple[str, ...]:
    """Paths on the host. What lies on the tree's own mounts moves along or has its own checks; what has no name
    any more is in the images."""
    process = _spec(tree.labels[LABEL_SPEC])
    if process is None:
        return ()
    root = "" if process.root == HOST_ROOT else process.root.rstrip("/")
    lines = [
        answers.path(line, f"a file that {tree.name} has mapped")
        for line in text.splitlines()
        if not line.endswith(" (deleted)") and not line.startswith("/memfd:")
    ]
    return tuple(root + line for line in _outside(lines, tree))


def _outside(paths: Iterable[str], tree: TreeFacts) -> tuple[str, ...]:
    """Those that are their host's: in none of the places that a tree has for itself, or that go along."""
    process = _spec(tree.labels[LABEL_SPEC])
    if process is None:
        return ()
    own = {mount.target for mount in process.carried} if process.attach else settings.targets(process) - {"/"}
    return tuple(path for path in paths if not path.startswith(tuple(f"{target}/" for target in own)))


def hashes(host: HostFacts, question: Question) -> Program[HostFacts]:
    """The host's facts with what its files are that trees which move have mapped, and what those that are attached
    to meet. Changes nothing."""
    host = yield from attached.closer(host, question)
    if not question.files:
        return host
    result = yield Command(places.shell("files", *question.files), timeout=LIMIT)
    parts = answers.whole(result.stdout, "what its files are")
    files = {path: answers.word(parts.get(f"file {path}", "").strip(), "a file's sum") for path in question.files}
    known = host.preflight or Preflight()
    return host.model_copy(update={"preflight": known.model_copy(update={"files": {**known.files, **files}})})


def _state(seen: Mapping[str, int], given: set[str]) -> InstanceState:
    if seen["processes"]:
        return InstanceState.PAUSED if seen["frozen"] else InstanceState.RUNNING
    if "started" not in given:
        return InstanceState.CREATED
    return InstanceState.CHECKPOINTED if seen["images"] and "exit" not in given else InstanceState.EXITED


def _spec(text: str) -> ProcessTree | None:
    try:
        return ProcessTree.model_validate_json(text)
    except ValidationError:  # of another release
        return None


def _networks(process: ProcessTree | None) -> tuple[InstanceNetwork, ...]:
    return tuple(InstanceNetwork(name=n.name, ip=n.ip, mac=n.mac) for n in (process.networks if process else ()))


def networks(text: str) -> tuple[NetworkFacts, ...]:
    """Those that were made for trees: a JSON object a line."""
    what = "a network of its trees"
    found = []
    for line in filter(None, text.splitlines()):
        raw = answers.mapping(answers.parsed(line, what), what)
        found.append(
            NetworkFacts(
                name=answers.name(raw.get("name"), what),
                driver=answers.word(raw.get("driver"), what),
                subnets=(answers.subnet(raw.get("subnet"), what),),
                parent=answers.word(raw.get("parent"), what),
                runtime=NAME,
            )
        )
    return tuple(found)


def volume(name: str) -> Program[VolumeFacts | None]:
    """A volume by its name; None when there is none."""
    result = yield Command(places.shell("labels", name), timeout=LIMIT)
    parts = answers.whole(result.stdout, f"whose the volume {name} is")
    return next(iter(volumes(parts.get("volumes", ""))), None)


def volumes(text: str) -> tuple[VolumeFacts, ...]:
    what = "a volume of its trees"
    found = []
    for line in filter(None, text.splitlines()):
        name, _, labels = line.partition(" ")
        name = answers.name(name, what)
        raw = answers.labels(answers.parsed(labels, what), what)
        found.append(VolumeFacts(name=name, mountpoint=places.volume_data(name), labels=raw))
    return tuple(found)


def labels_text(labels: Mapping[str, str]) -> bytes:
    return json.dumps(dict(labels)).encode()
