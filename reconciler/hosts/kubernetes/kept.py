"""What a virtual machine's annotation keeps of its hand-overs: a marker for each place, and the dossier.

The rules are those of `templates/host/guard.sh`, from the one table in `core.handover`. What makes a change atomic
is the object's resourceVersion, which the API server compares; there is no lock to be had."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.core.handover import may_follow
from reconciler.model.labels import KEPT
from reconciler.model.plan import Phase

MOST = 20
"""Markers that are kept: of places it left long ago only the highest epoch is remembered."""
NONE = "none"
LOWER, BROKEN, PHASE, USAGE, OTHER = 75, 76, 77, 82, 84
"""How the guard ends, as its script does."""


class NotAllowed(Exception):
    """The guard's refusal: its exit code, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class Row:
    """A marker, as the guard writes it; `-` stands for nothing."""

    epoch: int = 0
    phase: str = NONE
    role: str = "owner"
    run: str = "-"
    peer: str = "-"


@dataclass(frozen=True)
class KeptMarks:
    """All of it. Markers are by node, empty for the cluster's own place. `floor`: the highest epoch of markers
    that are not kept any more. `broken`: why it cannot be trusted."""

    markers: Mapping[str, Row] = field(default_factory=dict)
    floor: int = 0
    dossier: str = ""
    at: tuple[str, ...] = ()
    broken: str = ""

    def row(self, node: str) -> Row:
        return self.markers.get(node, Row(epoch=self.floor))

    def loaded(self, name: str, node: str, epoch: int) -> Row:
        """The marker, for whoever acts under this epoch; NotAllowed where a higher one is there."""
        if self.broken:
            raise NotAllowed(BROKEN, f"the marker cannot be trusted: {self.broken}")
        row = self.row(node)
        if epoch < row.epoch:
            raise NotAllowed(
                LOWER, f"{name} has epoch {row.epoch} here (phase {row.phase}), refusing epoch {epoch}"
            )
        return row

    def marked(self, name: str, node: str, wanted: Row) -> KeptMarks:
        """With a marker written; NotAllowed where the one that is there does not allow it."""
        row = self.loaded(name, node, wanted.epoch)
        again = (row.phase, wanted.phase) == (Phase.FENCED, Phase.FENCED)
        if not again and "-" not in (wanted.run, row.run) and wanted.run != row.run and row.epoch >= wanted.epoch:
            text = f"{name} is {row.phase} here under epoch {row.epoch} of run {row.run}, not of {wanted.run}"
            raise NotAllowed(OTHER, text)
        follows = row.phase == NONE or may_follow(row.role, Phase(row.phase), Phase(wanted.phase))
        if wanted.epoch == row.epoch and wanted.phase != row.phase and not follows:
            text = f"{name} is {row.phase} under epoch {row.epoch} here, it cannot become {wanted.phase}"
            raise NotAllowed(PHASE, text)
        return self._without_old({**self.markers, node: wanted})

    def _without_old(self, markers: Mapping[str, Row]) -> KeptMarks:
        newest = sorted(markers, key=lambda node: markers[node].epoch, reverse=True)
        dropped = [markers[node].epoch for node in newest[MOST:]]
        kept = {node: markers[node] for node in newest[:MOST]}
        return replace(self, markers=kept, floor=max([self.floor, *dropped]))

    def allowed(self, name: str, node: str, epoch: int, phases: tuple[str, ...]) -> None:
        """NotAllowed unless something may be done here under this epoch, in one of these phases."""
        row = self.loaded(name, node, epoch)
        if phases and row.phase not in phases:
            wanted = ",".join(phases)
            text = f"{name} is in phase {row.phase} here (epoch {row.epoch}), this needs: {wanted}"
            raise NotAllowed(PHASE, text)

    def mended(self, name: str, node: str, epoch: int) -> KeptMarks:
        """Fenced in place of markers that cannot be trusted."""
        if not self.broken:
            return self
        return KeptMarks({node: Row(epoch, Phase.FENCED)}, floor=epoch)

    def with_dossier(self, node: str, text: str) -> KeptMarks:
        at = self.at if text == self.dossier else ()
        return replace(self, dossier=text, at=tuple(sorted({*at, node})))

    def dossier_at(self, node: str) -> str:
        return self.dossier if node in self.at else ""

    @property
    def text(self) -> str:
        rows = {node: list(vars(row).values()) for node, row in sorted(self.markers.items())}
        found = {"markers": rows, "floor": self.floor, "dossier": self.dossier, "at": self.at}
        return json.dumps(found, separators=(",", ":"))


def parse(text: str) -> KeptMarks:
    """What an annotation says; one that cannot be read is broken, not empty."""
    if not text:
        return KeptMarks()
    try:
        raw: dict[str, Any] = json.loads(text)
        markers = {str(node): _row(*values) for node, values in raw["markers"].items()}
        at = tuple(str(node) for node in raw["at"])
        return KeptMarks(markers, int(raw["floor"]), str(raw["dossier"]), at)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return KeptMarks(broken=f"its annotation {KEPT} cannot be read ({type(error).__name__})")


def _row(epoch: int, phase: str, role: str, run: str, peer: str) -> Row:
    if type(epoch) is not int or epoch < 0 or role not in ("source", "destination", "owner"):
        raise ValueError
    return Row(epoch, Phase(phase).value, role, str(run), str(peer))
