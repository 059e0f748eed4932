"""The command line of the runtime in memory, as its driver uses it, and what its answers mean."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from reconciler.guard import guard
from reconciler.model.command import DEFAULT_TIMEOUT, Command, Fence, Program, Result, Seconds
from reconciler.model.labels import ANNOTATION_CRIU, LABEL_EPOCH, LABEL_RUN, LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.plan import Phase
from reconciler.model.world import ContainerFacts, ContainerMount, InstanceState, VolumeFacts

LIVE = (guard.NONE, Phase.RUNNING, Phase.CONFIRMED)
SETTLED = (*LIVE, Phase.RETIRED, Phase.FENCED)
STATES = {"frozen": InstanceState.HELD}
Phases = Iterable[Phase | str] | Literal["any"]
Shown = dict[str, Any]
"""What `show` and `observe` print: the dataclasses of `hosts.memory.machine`, as JSON."""


def memrt(
    *words: str,
    changes: bool = True,
    stdin: bytes = b"",
    timeout: Seconds = DEFAULT_TIMEOUT,
    ok: tuple[int, ...] = (0,),
) -> Command:
    return Command(("memrt", *words), changes=changes, stdin=stdin, timeout=timeout, ok=ok)


def show(name: str) -> Program[Shown]:
    """The container (or None) with what else the runtime knows of it."""
    result = yield memrt("show", name, changes=False)
    shown: Shown = json.loads(result.stdout)
    return shown


def seen() -> Program[Shown]:
    """Everything the runtime has on a host."""
    result = yield memrt("observe", changes=False)
    everything: Shown = json.loads(result.stdout)
    return everything


def fenced(
    fence: Fence, phases: Phases, *words: str, stdin: bytes = b"", ok: tuple[int, ...] = (0,)
) -> Program[Result]:
    return (yield from guard.run(fence, phases=phases, argv=("memrt", *words), stdin=stdin, ok=ok))


def volume_facts(name: str, volume: Mapping[str, Any]) -> VolumeFacts:
    labels = {LABEL_WORKLOAD: volume["workload"], LABEL_EPOCH: str(volume["epoch"]), LABEL_RUN: volume["run"]}
    return VolumeFacts(name=name, mountpoint=f"/volumes/{name}", labels=labels)


def image_name(wanted: str) -> str:
    return wanted.rpartition("/")[2].partition(":")[0]


def container_facts(container: Mapping[str, Any]) -> ContainerFacts:
    return ContainerFacts(
        id=container["id"],
        name=container["name"],
        image_id=container["image"],
        state=STATES.get(container["state"]) or InstanceState(container["state"]),
        labels={LABEL_WORKLOAD: container["workload"], LABEL_SPEC: container["spec"]},
        annotations={ANNOTATION_CRIU: "x"},
        mounts=tuple(
            ContainerMount(kind="volume", name=v["name"], target=v["target"])
            for v in json.loads(container["spec"] or "{}").get("volumes", ())
        ),
        oci_runtime="runc",
        processes=int(container["state"] in ("running", "frozen")),
        started_at=float(container["lineage"]),  # no clock, but 0 means never, too
        memory_bytes=32 * 2**20,  # too little for a pre-copy that nobody demands
    )
