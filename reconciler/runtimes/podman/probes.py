"""A closer look at a host for a plan: one command, beyond the observation. Pure parsers of what it prints."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence

from reconciler.core import answers
from reconciler.errors import HostError
from reconciler.model.command import Command, Program, Seconds
from reconciler.model.question import Question
from reconciler.model.world import (
    ContainerFacts,
    DeletedFile,
    Folder,
    HostFacts,
    Preflight,
    ProcessFacts,
)
from reconciler.runtimes.oci.verifying import CAPABILITIES
from reconciler.runtimes.podman import parse, paths

LOOK_LIMIT: Seconds = 30.0
HARMLESS_DEVICES = frozenset(
    f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts/ptmx", "console")
)


def preflight(host: HostFacts, question: Question) -> Program[HostFacts]:
    """The host's facts with the answers to one part in them. Changes nothing."""
    looked = yield Command(paths.shell("preflight", *arguments(question)), timeout=LOOK_LIMIT)
    parts = parse.sections(looked.stdout)
    if "end" not in parts:
        raise HostError("the closer look stopped early", code=answers.CODE)
    instances = tuple(
        facts.model_copy(update={"held": held(parts[f"container {facts.id}"], facts)})
        if f"container {facts.id}" in parts and isinstance(facts, ContainerFacts)
        else facts
        for facts in host.instances
    )
    looked_at = of_host(parts, question) if question.host else host.preflight
    deep = {**host.deep, **{asked: _deep(parts.get(f"deep {asked}", "")) for asked in question.deep}}
    return host.model_copy(update={"preflight": looked_at, "instances": instances, "deep": deep})


def arguments(question: Question) -> Sequence[str]:
    """The question as the script takes it."""
    words: list[str] = ["host", "itself"] if question.host else []
    for path in question.paths:
        words += ["path", path]
    for address in question.addresses:
        words += ["address", address]
    for name in question.names:
        words += ["name", name]
    for folder in question.folders:
        words += ["folder", folder]
    for path in question.contents:
        words += ["contents", path]
    for path in question.shared:
        words += ["shared", path]
    for profile in question.profiles:
        words += ["profile", profile]
    for asked in question.deep:
        words += ["deep", asked]
    for container_id, pid in question.containers:
        words += ["container", container_id, str(pid)]
    return words


def of_host(parts: Mapping[str, str], question: Question) -> Preflight:
    """What concerns the host as a whole."""
    rows = _rows(parts.get("host", ""))
    criu = parts.get("criu", "").strip()
    replies = [line.split() for line in parts.get("answers", "").splitlines()]
    return Preflight(
        complaint="" if criu == "ok" else answers.shown(" ".join(criu.split()), "what CRIU says"),
        libcriu="libcriu" in rows,
        confinement=tuple(sorted(answers.word(row, "a security module") for row in rows.get("confinement", ()))),
        seccomp="seccomp" in rows,
        capabilities=capabilities(*rows.get("capabilities", ())),
        addresses=tuple(answers.address(row, "an address of its own") for row in rows.get("address", ())),
        listening=tuple(filter(None, map(_listener, parts.get("listening", "").splitlines()))),
        sudo=answers.word(next(iter(rows.get("sudo", ())), ""), "the version of sudo"),
        paths={
            path: answers.word(parts.get(f"path {path}", "").strip(), "the file system of a path")
            for path in question.paths
        },
        answers={
            answers.address(row[0], "an address that answers"): answers.mac(row[1], "the MAC that answers")
            for row in replies
            if len(row) == 2
        },
        folders={path: _folder(parts.get(f"folder {path}", "")) for path in question.folders},
        profiles=tuple(name for name in question.profiles if parts.get(f"profile {name}", "").strip() == "loaded"),
        contents={
            path: answers.word("-".join(parts.get(f"contents {path}", "").split()), "the digest of a mount")
            for path in question.contents
        },
        shared={
            path: answers.word(
                "-".join(parts.get(f"shared {path}", "").split()), "the file system of a shared folder"
            )
            for path in question.shared
        },
        units={name: _names(parts.get(f"units {name}", "")) for name in question.names},
    )


def _deep(text: str) -> tuple[str, ...]:
    return tuple(sorted(answers.shown(row, "a path") for row in _rows(text).get("long", ())))


def _folder(text: str) -> Folder:
    kind, _, owner = text.strip().partition(" ")
    return Folder(kind=answers.word(kind, "a folder"), owner=answers.shown(owner, "the owner of a folder"))


def _names(text: str) -> tuple[str, ...]:
    return tuple(sorted({answers.shown(word, "a systemd unit") for word in text.split()}))


def held(text: str, facts: ContainerFacts) -> ProcessFacts | None:
    """What one container's processes hold; None where they cannot be told from the host's own."""
    rows = _rows(text)
    if "capabilities" not in rows:
        return None
    own = {word.strip("[]") for word in rows.get("socket", ())}
    label = " ".join(rows.get("confined", ())).strip()
    cards, changed = _cards(rows.get("card", ()), facts)
    return ProcessFacts(
        programs=tuple(sorted(set(rows.get("program", ())) - {""})),
        kernel_objects=tuple(sorted({word.strip("[]") for word in rows.get("object", ())})),
        devices=tuple(sorted(set(rows.get("device", ())) - HARMLESS_DEVICES)),
        deleted_files=tuple(sorted(set(map(_deleted, rows.get("deleted", ()))), key=lambda f: (f.path, f.bytes))),
        unix_peers=tuple(sorted({peer for row in rows.get("unix", ()) if (peer := _peer(row, own))})),
        lost_watches=len(rows.get("lost-watch", ())),
        terminals=tuple(sorted(set(rows.get("terminal", ())))),
        traced=tuple(sorted(set(rows.get("traced", ())))),
        visitors=_visitors(rows.get("parent", ()), facts.pid),
        foreign_mounts=tuple(sorted({_pair(row) for row in rows.get("mount", ())})),
        seccomp="seccomp" in rows,
        confined_by="" if label.startswith("unconfined") else label,
        capabilities=capabilities(*rows.get("capabilities", ())),
        nested=tuple(sorted(set(rows.get("nested", ())))),
        backlog=tuple(sorted({parse.endpoint(row) for row in rows.get("backlog", ()) if ":" in row})),
        strange_sockets=tuple(sorted(set(rows.get("family", ())))),
        corked="corked" in rows,
        unread=tuple(sorted(set(rows.get("unread", ())))),
        socket_options=tuple(sorted(set(rows.get("option", ())))),
        made=tuple(sorted(set(rows.get("made", ())))),
        shm_holes="holes" in rows,
        dropped=tuple(sorted(set(rows.get("dropped", ())))),
        sqlite=tuple(
            sorted({row.partition(" ")[2] for row in rows.get("sqlite", ()) if row.startswith("rollback ")})
        ),
        long_paths=tuple(sorted(set(rows.get("long", ())))),
        leaderless=tuple(sorted(set(rows.get("leaderless", ())))),
        shares=tuple(sorted(set(rows.get("shares", ())))),
        apart=tuple(sorted(set(rows.get("apart", ())))),
        thread_timers=tuple(sorted(set(rows.get("timers", ())))),
        leases=tuple(sorted(set(rows.get("lease", ())))),
        deadlines=tuple(sorted(set(rows.get("deadline", ())))),
        forgotten=tuple(sorted(set(rows.get("forgotten", ())))),
        waiting=tuple(sorted(set(rows.get("waits", ())))),
        written=tuple(sorted(set(rows.get("written", ())))),
        translates="translates" in rows,
        other_health="health" in rows,
        cards=tuple(sorted(cards)),
        network=tuple(sorted({*rows.get("network", ()), *changed})),
        multicast=tuple(sorted({_group(row) for row in rows.get("group", ())})),
    )


def capabilities(mask: str = "0") -> tuple[str, ...]:
    """Names of the bits of a `CapBnd:` line; bits that are newer than us are left out."""
    bits = answers.mask(mask, "capabilities")
    return tuple(name for bit, name in enumerate(CAPABILITIES) if bits >> bit & 1)


def _rows(text: str) -> dict[str, list[str]]:
    """Lines `key value` by key."""
    rows: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key:
            rows.setdefault(key, []).append(answers.shown(value, "a row of the closer look", 4096))
    return rows


def _listener(line: str) -> str:
    protocol, _, endpoint = line.partition(" ")
    return f"{protocol}/{parse.endpoint(endpoint)}" if ":" in endpoint else ""


def _deleted(row: str) -> DeletedFile:
    size, _, path = row.partition(" ")
    return DeletedFile(path=path, bytes=int(answers.real(size, "the size of a file")))


def _peer(row: str, own: set[str]) -> str:
    """`LOCAL PEER [NAME]`: the other end of one of the container's own sockets, when it is outside."""
    local, peer, *name = row.split() if len(row.split()) > 1 else ("", "")
    return (name[0] if name else f"socket {peer}") if local in own and peer not in own else ""


def _group(row: str) -> str:
    """A multicast group as the kernel lists it: IPv4 with its bytes turned round."""
    try:
        raw = bytes.fromhex(row)
        return str(ipaddress.ip_address(raw[::-1] if len(raw) == 4 else raw))
    except ValueError:
        raise answers.refused(row, "a multicast group", "an address") from None


def _cards(rows: Sequence[str], facts: ContainerFacts) -> tuple[list[str], list[str]]:
    """Of `KIND MAC NAME` each: cards that no engine has given, and what differs of those that it has. An engine
    calls its cards eth0, eth1 and so on, and tells their MACs; of IPVLAN they are the host's."""
    given = [network.mac for network in facts.networks]
    strange, changed = [], []
    for kind, mac, name in (fields for row in rows if len(fields := row.split(None, 2)) == 3):
        if not re.fullmatch(r"eth\d{1,3}", name) or int(name[3:]) >= max(len(given), 1):
            strange.append(f"{name} ({kind})")
        elif given and all(given) and mac not in given and kind != "ipvlan":
            changed.append(f"another MAC on {name}")
    return strange, changed


def _visitors(parents: Sequence[str], first: int) -> tuple[str, ...]:
    """`PID PARENT NAME` of each process: those whose parent is outside, and which are not the first one."""
    rows = [fields for row in parents if len(fields := row.split(None, 2)) > 1]
    inside = {row[0] for row in rows}
    return tuple(sorted(row[-1] for row in rows if row[0] != str(first) and row[1] not in inside))


def _pair(row: str) -> tuple[str, str]:
    kind, _, target = row.partition(" ")
    return kind, target
