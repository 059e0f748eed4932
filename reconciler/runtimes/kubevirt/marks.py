"""Markers of a machine's hand-overs, from the annotation that the guard of clusters keeps
(`hosts.kubernetes.kept`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast, get_args

from reconciler.core import answers
from reconciler.errors import HostError
from reconciler.guard.guard import Role
from reconciler.model.labels import KEPT, LABEL_WORKLOAD
from reconciler.model.place import seat
from reconciler.model.plan import Phase
from reconciler.model.world import Marker
from reconciler.runtimes.kubevirt.looking import Guest

SETTLED = (Phase.RUNNING, Phase.RETIRED, Phase.FENCED)


def of(machine: Guest, cluster: str, place: str, workload: str) -> Iterator[tuple[str, Marker]]:
    """Places with their markers. What has ended says where the machine was left; KubeVirt may have moved it since,
    and its word counts: then the place where it is has it now, under the highest epoch."""
    text = machine.vm.annotations.get(KEPT, "")
    name = workload or machine.vm.labels.get(LABEL_WORKLOAD, "")
    if not text or not name:
        return
    try:
        found = _read(text, cluster, name)
    except HostError as error:
        yield place, Marker(workload=name, epoch=0, phase="none", role="owner", broken=error.what)
        return
    here = found.get(place)
    if all(one.phase in SETTLED for one in found.values()) and (here is None or here.phase != Phase.RUNNING):
        newest = max(found.values(), key=lambda one: one.epoch, default=None)
        if newest is not None:
            moved = {"phase": Phase.RUNNING.value, "role": "owner", "peer": ""}
            yield place, newest.model_copy(update=moved)
        return
    yield from found.items()


def _read(text: str, cluster: str, name: str) -> dict[str, Marker]:
    raw = answers.mapping(answers.parsed(text, "markers"), "markers")
    found = {}
    for node, row in answers.mapping(raw.get("markers"), "markers").items():
        epoch, phase, role, run, peer = row if isinstance(row, list) and len(row) == 5 else (-1, "", "", "", "")
        place = seat(cluster, answers.word(node, "a node"))
        found[place] = Marker(
            workload=name,
            epoch=answers.number(epoch, "an epoch"),
            phase=answers.one_of(phase, "a phase", tuple(Phase)),
            role=cast(Role, answers.one_of(role, "a role", get_args(Role))),
            run=answers.word(run, "a run").removeprefix("-"),
            peer=answers.word(peer, "a peer").removeprefix("-"),
        )
    return found
