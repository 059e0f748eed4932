"""`get --json`: what is where."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reconciler.cli.views.output.base import Document, Part, UnknownHost, known, moment, rounded, unknown_hosts
from reconciler.cli.views.output.rehearsed import RehearsalPoint, practice_part
from reconciler.core.points import Point
from reconciler.core.stock import Item, Stock
from reconciler.model.world import World


class RecoveryPoint(Part):
    """How old what would be left of a workload is."""

    policy: str
    age_s: float | None = Field(description="Of the newest checkpoint that can be used; null without one")
    oldest_s: float = Field(description="What the policy promises")
    late: bool = Field(description="It is older than promised")
    unknown_hosts: tuple[str, ...] = Field(description="Hosts that may keep a newer one and could not be asked")
    rehearsal: RehearsalPoint | None = Field(description="null where the policy has none rehearsed")


class WorkloadRow(Part):
    """A workload of the specs."""

    name: str
    wanted_state: str
    wanted_host: str | None = Field(description="null when no host fits")
    found_state: str | None = Field(description="null when it is on no host that was seen")
    found_host: str | None
    memory_bytes: int
    connections: int = Field(description="TCP connections that are established")
    up_s: float | None
    runtime: str
    image: str | None = Field(description="As the specs name it; null where its runtime knows none")
    addresses: tuple[str, ...] = Field(description="Those that the specs give it")
    as_wanted: bool | None = Field(description="null where a host that was not seen may have it")
    recovery_point: RecoveryPoint | None = Field(description="null where no policy says that it is saved")


class Left(Part):
    """A container or volume of ours that no workload of the specs uses where it is."""

    kind: Literal["container", "volume"]
    name: str
    host: str
    workload: str
    why: str


class CopyRow(Part):
    """A copy that `restore --as` made."""

    name: str
    host: str
    checkpoint: str | None = Field(description="What it is of, as WORKLOAD@ID; null where only volumes are left")
    state: str | None = Field(description="null where only volumes are left")
    until: str | None
    settled: bool = Field(description="false while it is being made, or when that has not ended")
    memory_bytes: int
    volumes: tuple[str, ...]


class GetDocument(Document):
    """`reconcile get --json`"""

    command: Literal["get"] = "get"
    workloads: tuple[WorkloadRow, ...]
    orphans: tuple[Left, ...]
    copies: tuple[CopyRow, ...] = Field(description="Copies of checkpoints beside their workloads")
    unknown_hosts: tuple[UnknownHost, ...]


def get_document(stock: Stock, world: World, exit_code: int) -> GetDocument:
    return GetDocument(
        exit_code=exit_code,
        workloads=tuple(_row(item) for item in stock.items),
        orphans=tuple(
            Left(
                kind="volume" if o.kind == "volume" else "container",
                name=o.name,
                host=o.host,
                workload=o.workload,
                why=o.why,
            )
            for o in stock.orphans
        ),
        copies=tuple(
            CopyRow(
                name=one.name,
                host=one.host,
                checkpoint=one.of or None,
                state=one.state or None,
                until=moment(one.until),
                settled=one.settled,
                memory_bytes=one.memory_bytes,
                volumes=one.volumes,
            )
            for one in stock.copies
        ),
        unknown_hosts=unknown_hosts(world),
    )


def _row(item: Item) -> WorkloadRow:
    return WorkloadRow(
        name=item.workload,
        wanted_state=item.state,
        wanted_host=item.belongs or None,
        found_state=item.found or None,
        found_host=item.on or None,
        memory_bytes=item.memory_bytes,
        connections=item.connections,
        up_s=rounded(item.up_s) if item.on else None,
        runtime=item.runtime,
        image=item.image or None,
        addresses=item.addresses,
        as_wanted=item.as_wanted,
        recovery_point=_point(item.point) if item.point else None,
    )


def _point(point: Point) -> RecoveryPoint:
    return RecoveryPoint(
        policy=point.policy,
        age_s=rounded(point.age_s),
        oldest_s=known(point.oldest_s),
        late=point.late,
        unknown_hosts=point.unknown,
        rehearsal=practice_part(point.rehearsal),
    )
