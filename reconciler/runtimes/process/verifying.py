"""Whether what runs is what the spec says (I4): read from the kernel, not from what made it. Images come from
another host, and decide nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from reconciler.core import answers
from reconciler.core.lines import sections
from reconciler.core.made_from import changed_fields
from reconciler.model.base import parse_size
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.process import ProcessTree
from reconciler.model.world import TreeFacts
from reconciler.runtimes.process import settings

_UNLIMITED = "max"
_SPACES = {"mnt", "net", "pid", "uts", "ipc"}


def problems(spec: ProcessTree, facts: TreeFacts, truth: str, carried: Collection[str] = ()) -> list[str]:
    """What is not as it should be, in words. `carried`: files that it has brought."""
    parts = sections(truth)
    if "end" not in parts:
        return ["what it is could not be read to the end"]
    changed = changed_fields(spec, facts.labels.get(LABEL_SPEC, ""))
    found = [f"`{field or 'process'}` is another" for field in changed]
    unlike = filter(None, parts.get("unlike", "").splitlines())
    return [
        *found,
        *_rights(spec, parts),
        *_places(spec, parts, carried),
        *_limits(spec, parts.get("limits", "")),
        *unlike,
    ]


def _rights(spec: ProcessTree, parts: dict[str, str]) -> Iterator[str]:
    """Who has a `user` has nothing else, and can gain nothing. The first process is ours, and root's."""
    if spec.user is None:
        return
    uid = parts.get("user", "").strip()
    for title, text in parts.items():
        kind, _, pid = title.partition(" ")
        if kind != "process":
            continue
        rows = {key: value.split() for key, _, value in (line.partition(":") for line in text.splitlines())}
        name = " ".join(rows.get("Name", [pid]))
        if set(rows.get("Uid", [])) != {uid}:
            yield f"{name} has the user {' '.join(rows.get('Uid', [])[:1]) or '(unknown)'}, not {uid}"
        masks = [(rows.get(key) or ["1"])[0] for key in ("CapEff", "CapPrm")]
        if uid != "0" and any(answers.mask(mask, "the capabilities of a process") for mask in masks):
            yield f"{name} has capabilities"
        if rows.get("NoNewPrivs") != ["1"]:
            yield f"{name} can gain rights"


def _places(spec: ProcessTree, parts: dict[str, str], carried: Collection[str]) -> Iterator[str]:
    if spec.attach:
        if apart := sorted(_SPACES - set(parts.get("shared", "").split())):
            yield f"it has not its host's own {', '.join(apart)}"
        return
    have = {line.replace("\\040", " ") for line in parts.get("mounts", "").splitlines()} - {""}
    wanted = settings.targets(spec) | set(carried)
    if extra := sorted(have - wanted):
        yield f"it has mounts that its spec does not have: {', '.join(extra)}"
    if missing := sorted(wanted - have):
        yield f"it lacks mounts: {', '.join(missing)}"
    shared = set(parts.get("shared", "").split()) - ({"net"} if spec.host_network else set())
    if shared:
        yield f"it shares with the host: {', '.join(sorted(shared))}"


def _limits(spec: ProcessTree, text: str) -> Iterator[str]:
    seen = {name: value for name, _, value in (line.partition(" ") for line in text.splitlines())}
    limits = spec.limits
    memory = str(parse_size(limits.memory)) if limits.memory else _UNLIMITED
    pids = str(limits.pids) if limits.pids is not None else _UNLIMITED
    for file, wanted in (("memory.max", memory), ("pids.max", pids)):
        if file in seen and not _same(seen[file], wanted):
            yield f"{file} is {seen[file]}, not {wanted}"
        if file not in seen and wanted != _UNLIMITED:
            yield f"it has no {file}"


def _same(seen: str, wanted: str) -> bool:
    """The kernel rounds memory down to whole pages."""
    if _UNLIMITED in (seen, wanted) or not seen.isdigit():
        return seen == wanted
    return abs(int(seen) - int(wanted)) < 2**16
