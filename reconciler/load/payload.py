"""What runs, as the workload's runtime takes it: the right section, and what the runtime's own model says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from pydantic import ValidationError

from reconciler.errors import Diagnostic
from reconciler.load.messages import findings
from reconciler.load.objects import Entry, as_diagnostic
from reconciler.model.base import canonical_json
from reconciler.model.cluster_machine import kind_of
from reconciler.model.spec import CUSTOM, Workload
from reconciler.runtimes.registry import Takes


def check_payload(entry: Entry, workload: Workload, takes: Takes) -> Iterator[Diagnostic]:
    """What is wrong with a workload's payload for its runtime. One that the runtime's own model takes is kept in
    that model's one spelling, so that a respelling is no change."""
    wanted = workload.spec
    if wanted.section != takes.section:
        message = f"the runtime `{wanted.runtime}` takes `{takes.section}`, not `{wanted.section}`"
        yield entry.diagnostic("E157", message, "spec", wanted.section, on_key=True)
    elif takes.shape and kind_of(wanted.payload) != takes.shape:
        needs = {"kubevirt": "the `name` of a VirtualMachine, and no `domain`", "libvirt": "a `domain`"}
        message = f"the runtime `{wanted.runtime}` takes {needs[takes.shape]}"
        yield entry.diagnostic("E157", message, "spec", wanted.section, on_key=True)
    elif takes.unsupported is not None and wanted.container is not None:
        for where, why, hint in takes.unsupported(wanted.container):
            message = f"the runtime `{wanted.runtime}` does not take this: {why}"
            yield entry.diagnostic("E174", message, "spec", takes.section, *where, hint=hint)
    elif takes.model is not None:
        try:
            normal = json.loads(canonical_json(takes.model.model_validate(wanted.custom)))
        except ValidationError as error:
            value = {"spec": {CUSTOM: wanted.custom}}
            for finding in findings(error, takes.model):
                there = replace(finding, loc=("spec", CUSTOM, *finding.loc))
                yield as_diagnostic(there, value, entry.places, entry.source)
        else:
            spec = wanted.model_copy(update={CUSTOM: normal})
            entry.model = workload.model_copy(update={"spec": spec})
