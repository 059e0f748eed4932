"""What keeps a workload that is made anew from going back to the checkpoint that is taken first."""

from __future__ import annotations

import json
from collections.abc import Iterator

from reconciler.core.made_from import changed_fields
from reconciler.core.rules.ability import can
from reconciler.core.rules.base import Case, Said, rule, together
from reconciler.core.saving import goes_back, keeps_old
from reconciler.model.copying import ROOM
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.units import format_bytes

KEPT_ANEW = "leave out the `strategy` of its `update`, which makes it anew without a way back to its memory"
NO_COPY = "nothing has to be done for the update; without that copy: `strategy: checkpoint-first`"
OF_ITS_HOST = ("networkMode", "pid", "ipc")
"""What a copy cannot have in common with its host."""


@rule("update.way-back")
def way_back(case: Case) -> Iterator[Said]:
    """With `update: {strategy: checkpoint-first}`, or `side-by-side`, what runs now must be known well enough to
    be brought back: the spec that it was made from (its label), and a runtime that can save and restore what runs.
    Folders of the host that it writes to are in no checkpoint: they stay as its successor leaves them, which is
    only told."""
    if case.workload is None or case.instance is None or not goes_back(case.change, case.spec):
        return
    runtime = case.instance.runtime
    if runtime == case.workload.spec.runtime and "" in changed_fields(
        case.workload.spec.payload, case.instance.labels.get(LABEL_SPEC, "")
    ):
        text = f"nobody knows the spec that it was made from on {case.origin}, so it could not go back to it"
        yield Said(text, KEPT_ANEW, host=case.origin)
    for ability in ("captures", "moves"):
        if runtime != case.workload.spec.runtime and not can(case.world, runtime, ability):
            yield Said(f"it runs with {runtime}, which lacks the ability `{ability}`", KEPT_ANEW, host=case.origin)
    mounts = case.wanted.mounts if case.wanted else ()
    if stay := sorted(m.source for m in mounts if not (m.read_only or m.shared or m.move)):
        yield Said(
            f"{together(stay)} is in no checkpoint: what its successor writes there stays when it goes back",
            "use a volume for what has to go back with it",
            host=case.origin,
            warn=True,
        )


@rule("update.beside", warns=True)
def beside(case: Case) -> Iterator[Said]:
    """With `update: {strategy: side-by-side}` the old version comes up once more as a copy, from the checkpoint
    that was taken of it. It is made when the new version is well, so whatever keeps it from being made takes
    nothing of the update back: what runs in its host's own network, processes or IPC has no copy, and the host
    needs twice its memory free, for images and for processes."""
    wanted = keeps_old(case.change, case.spec)
    if wanted is None or case.instance is None:
        return
    try:
        section = json.loads(case.instance.labels.get(LABEL_SPEC, ""))
    except (ValueError, RecursionError):
        section = None
    shared = [f for f in OF_ITS_HOST if isinstance(section, dict) and section.get(f) == "host"]
    if shared:
        yield Said(
            f"no copy of the old version can be made: it has `{shared[0]}: host`", NO_COPY, host=wanted.host
        )
    needs, free = ROOM * case.instance.memory_bytes, case.destination.memory_free_bytes if case.destination else 0
    if free and free < needs:
        told = f"{format_bytes(free)} of memory are free, and {format_bytes(needs)} are needed"
        yield Said(f"there may be no room for a copy of the old version: {told}", NO_COPY, host=wanted.host)
