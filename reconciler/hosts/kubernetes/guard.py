"""The guard of a place in a cluster: what `guard.sh` decides on a host, decided over annotations and a ConfigMap.

Each change is read, decided, and written under the resourceVersion that was read; where another was faster it is
decided anew. So two controllers can never both write what only one may."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.core import answers
from reconciler.errors import CommandFailed
from reconciler.hosts.kubernetes import kept
from reconciler.hosts.kubernetes.kept import KeptMarks, NotAllowed, Row
from reconciler.model.cluster import MachineRef
from reconciler.model.command import CONFLICT, ApiCall, Result, Seconds, Verb
from reconciler.model.labels import KEPT, LABEL_WORKLOAD
from reconciler.model.resources import CONFIG_MAP, VM

LEASED = 78
TRIES = 8
"""Times that a change is decided anew because another one was faster."""
LEASES = "reconciler-leases"

Call = Callable[[ApiCall], Awaitable[Result]]


@dataclass(frozen=True)
class MarkedMachine:
    """The virtual machine of a workload, as it was read."""

    namespace: str
    name: str
    version: str
    kept: KeptMarks


class ClusterGuard:
    """One place's guard. `refs`: namespace and name of the virtual machines that specs name, by workload. `now`:
    by the clock that all controllers share."""

    def __init__(
        self, node: str, namespace: str, refs: Mapping[str, MachineRef], call: Call, now: Callable[[], Seconds]
    ) -> None:
        self._node = node
        self._namespace = namespace
        self._refs = refs
        self._call = call
        self._now = now

    async def answer(self, words: Sequence[str], stdin: bytes) -> Result:
        """What the script would answer to these words."""
        verb, *rest = words
        try:
            match verb:
                case "install" | "hook" | "clean" | "present":
                    return Result(0)
                case "show":
                    return Result(0, await self._show(*rest))
                case "mark":
                    await self._mark(*rest)
                    return Result(0)
                case "mend":
                    name, epoch = rest
                    await self._change(name, lambda found: found.mended(name, self._node, int(epoch)))
                    return Result(0)
                case "dossier":
                    found = await self.find(rest[0])
                    text = found.kept.dossier_at(self._node) if found else ""
                    return Result(0 if text else 1, text)
                case "run" if rest[3:] == ["dossier"]:
                    await self._keep_dossier(rest, stdin.decode())
                    return Result(0)
                case "lease":
                    return Result(0, await self._lease(*rest))
        except NotAllowed as refused:
            return Result(refused.status, "", f"reconciler-guard[{refused.status}]: {refused}\n")
        text = f"a cluster's guard does not know `{verb}`"
        return Result(kept.USAGE, "", f"reconciler-guard[{kept.USAGE}]: {text}\n")

    async def find(self, workload: str) -> MarkedMachine | None:
        """By the name that specs give it, else by the label that it got when it was first marked."""
        if workload in self._refs:
            namespace, name, _ = self._refs[workload]
            told = await self._call(ApiCall(Verb.GET, VM, name, namespace, ok=(404,)))
            return _found(answers.parsed(told.stdout, "a virtual machine")) if told.status < 400 else None
        told = await self._call(ApiCall(Verb.LIST, VM, selector=f"{LABEL_WORKLOAD}={workload}"))
        listed = answers.items(answers.mapping(answers.parsed(told.stdout, "a list"), "a list").get("items"), "it")
        if len(listed) > 1:
            raise NotAllowed(kept.BROKEN, f"{len(listed)} virtual machines carry the label of {workload}")
        return _found(listed[0]) if listed else None

    async def allow(self, workload: str, epoch: int, phases: tuple[str, ...]) -> None:
        """NotAllowed unless something may be done with it at this place."""
        found = await self.find(workload)
        (found.kept if found else KeptMarks()).allowed(workload, self._node, epoch, phases)

    async def _mark(self, name: str, epoch: str, phase: str, role: str, run: str, peer: str) -> None:
        row = Row(int(epoch), phase, role, run, peer)
        await self._change(name, lambda found: found.marked(name, self._node, row))

    async def _keep_dossier(self, words: Sequence[str], text: str) -> None:
        name, epoch, phases, _ = words

        def change(found: KeptMarks) -> KeptMarks:
            found.allowed(name, self._node, int(epoch), tuple(phases.split(",")))
            return found.with_dossier(self._node, text)

        await self._change(name, change)

    async def _change(self, name: str, change: Callable[[KeptMarks], KeptMarks]) -> None:
        """What has no virtual machine has no marker either: there is nothing that it could keep from running."""
        for _ in range(TRIES):
            found = await self.find(name)
            if found is None:
                change(KeptMarks())
                return
            wanted = change(found.kept)
            if wanted == found.kept:
                return
            metadata = {
                "resourceVersion": found.version,
                "labels": {LABEL_WORKLOAD: name},
                "annotations": {KEPT: wanted.text},
            }
            body = json.dumps({"metadata": metadata})
            call = ApiCall(Verb.PATCH, VM, found.name, found.namespace, body=body, ok=(CONFLICT, 404))
            told = await self._call(call)
            if told.status not in (CONFLICT, 404):
                if _found(answers.parsed(told.stdout, "a virtual machine")).kept.text != wanted.text:
                    raise answers.refused("", "the marker that was written", "the one that was to be")
                return
        raise CommandFailed(f"{name} changes all the time; it could not be marked", code="C390")

    async def _show(self, name: str = "") -> str:
        found = await self.find(name) if name else None
        if found is None:
            return ""
        row = found.kept.row(self._node)
        shown: dict[str, Any] = {"workload": name, "epoch": row.epoch, "phase": row.phase, "role": row.role}
        shown |= {"run": row.run.removeprefix("-"), "peer": row.peer.removeprefix("-"), "hook": "none"}
        return json.dumps(shown | {"broken": found.kept.broken}) + "\n"

    # --- leases ---

    async def _lease(self, verb: str, name: str, owner: str = "", ttl: str = "0") -> str:
        """One entry of a ConfigMap for each lease: its owner, since when, until when, and for how long."""
        for _ in range(TRIES):
            told = await self._call(ApiCall(Verb.GET, CONFIG_MAP, LEASES, self._namespace, ok=(404,)))
            there = answers.mapping(answers.parsed(told.stdout, "the leases"), "the leases")
            missing = told.status == 404
            data = {} if missing else answers.labels(there.get("data"), "the leases")
            held, now = _holder(data.get(name, "")), self._now()
            if verb == "show":
                return json.dumps({"workload": name, **held, "left_cs": round((held["until"] - now) * 100)})
            if verb == "drop" and held["owner"] != owner:
                return ""
            if verb == "beat" and held["owner"] != owner:
                raise NotAllowed(LEASED, f"{name} is leased by {held['owner'] or 'nobody'}, not by {owner}")
            if held["owner"] not in ("", owner) and held["until"] > now:
                raise NotAllowed(LEASED, f"{name} is leased by {held['owner']}")
            seconds = float(ttl) or held["ttl"]
            row = {"owner": owner, "since": now, "until": now + seconds, "ttl": seconds}
            metadata: dict[str, Any] = {"name": LEASES, "namespace": self._namespace}
            if not missing:
                metadata["resourceVersion"] = _metadata(there).get("resourceVersion")
            body = json.dumps(
                {"metadata": metadata, "data": {name: None if verb == "drop" else json.dumps(row)}}
                if not missing
                else {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": metadata,
                    "data": {name: json.dumps(row)},
                }
            )
            how = Verb.CREATE if missing else Verb.PATCH
            call = ApiCall(how, CONFIG_MAP, LEASES, self._namespace, body=body, ok=(CONFLICT,))
            told = await self._call(call)
            if told.status != CONFLICT:
                written = answers.mapping(answers.parsed(told.stdout, "the leases"), "the leases")
                kept_now = answers.labels(written.get("data"), "the leases").get(name)
                if kept_now != (None if verb == "drop" else json.dumps(row)):
                    raise answers.refused("", "the lease that was written", "the one that was to be")
                return ""
        raise CommandFailed("the lease changes all the time", code="C390")


def _holder(text: str) -> dict[str, Any]:
    raw = answers.mapping(answers.parsed(text or "{}", "a lease"), "a lease")
    return {
        "owner": answers.word(raw.get("owner"), "a lease's owner"),
        "since": answers.real(raw.get("since"), "a lease's time"),
        "until": answers.real(raw.get("until"), "a lease's time"),
        "ttl": answers.real(raw.get("ttl"), "a lease's time"),
    }


def _metadata(found: object) -> dict[str, Any]:
    return answers.mapping(answers.mapping(found, "an object").get("metadata"), "an object's metadata")


def _found(vm: object) -> MarkedMachine:
    metadata = _metadata(vm)
    annotations = answers.labels(metadata.get("annotations"), "annotations")
    return MarkedMachine(
        answers.name(metadata.get("namespace"), "a namespace"),
        answers.name(metadata.get("name"), "the name of a virtual machine"),
        answers.string(metadata.get("resourceVersion"), "a version"),
        kept.parse(annotations.get(KEPT, "")),
    )
