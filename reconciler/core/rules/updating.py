"""What keeps a workload that is made anew from going back to the checkpoint that is taken first."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.made_from import changed_fields
from reconciler.core.rules.ability import can
from reconciler.core.rules.base import Case, Said, rule, together
from reconciler.core.saving import goes_back
from reconciler.model.labels import LABEL_SPEC

KEPT_ANEW = "leave out `strategy: checkpoint-first`, which makes it anew without a way back to its memory"


@rule("update.way-back")
def way_back(case: Case) -> Iterator[Said]:
    """With `update: {strategy: checkpoint-first}` what runs now must be known well enough to be brought back: the
    spec that it was made from (its label), and a runtime that can save and restore what runs. Folders of the host
    that it writes to are in no checkpoint: they stay as its successor leaves them, which is only told."""
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
