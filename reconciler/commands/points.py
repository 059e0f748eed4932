"""Looking at the recovery points of all workloads that are saved by policy: a command for each store."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace

from reconciler.commands.interruptible import last_id
from reconciler.commands.kept import ask, verified
from reconciler.core.checkpoints import newest_first, place_of, places_of
from reconciler.core.failing import Restorable, given_up
from reconciler.core.index import Index
from reconciler.core.points import Point, point, policies
from reconciler.core.rehearsing import Practice, practice
from reconciler.errors import ReconcilerError
from reconciler.hosts.base import Fleet
from reconciler.load.cron import came, comes
from reconciler.model.checkpoint import Kept
from reconciler.model.checkpointing import CheckpointPolicySpec, Recurring
from reconciler.model.spec import Spec
from reconciler.model.world import World

ENOUGH = 3
"""Checkpoints of each workload that are looked at in a store: the newest may be none that can be used."""


async def recovery_points(spec: Spec, fleet: Fleet, unseen: Collection[str], now: float) -> dict[str, Point]:
    """By workload; nothing is asked where no workload is saved by policy. `unseen`: hosts that are not tried."""
    wanted = policies(spec)
    if not wanted:
        return {}
    places = [at for at in places_of(spec) if at.host not in unseen]
    asked = (ask(at, fleet, newest=ENOUGH, until=last_id(now)) for at in places)
    found: dict[str, list[Kept]] = {}
    unknown = set(unseen)
    for at, answer in zip(places, await asyncio.gather(*asked, return_exceptions=True), strict=True):
        if isinstance(answer, ReconcilerError):
            unknown.add(at.host)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            for kept in answer:
                found.setdefault(kept.workload, []).append(kept)
    return {name: _point(name, policy, spec, found.get(name, ()), unknown, now) for name, policy in wanted.items()}


async def restorable(spec: Spec, fleet: Fleet, world: World, names: Collection[str], now: float) -> Restorable:
    """The newest checkpoint of each of these workloads that is whole: all of its files are read again. Hosts that
    were not seen are not asked; what is on those that are given up is lost, as far as anybody knows."""
    best: dict[str, Kept] = {}
    skipped: dict[str, tuple[str, ...]] = {}
    lost = given_up(spec, Index.of(world))
    for name in names:
        found: list[Kept] = []
        told: list[str] = []
        for at in places_of(spec):
            if at.host in world.seen():
                try:
                    found += await ask(at, fleet, name)
                except ReconcilerError as error:
                    if at.repository is None:
                        raise
                    told.append(f"{at}, which may have a newer one: {error}")
            elif at.host not in lost:
                told.append(f"{at}, which was not seen and may have a newer one")
        for kept in newest_first(found, now):
            bad = (await verified(kept, fleet)).wrong
            if not bad:
                best[name] = kept
                break
            told.append(f"{name}@{kept.id} on {kept.at}: {'; '.join(bad)}")
        since = best[name].id if name in best else ""
        told += [
            f"{name}@{one.id} on {one.at}: {one.broken}"
            for one in found
            if one.manifest is None and one.id > since
        ]
        if told:
            skipped[name] = tuple(told)
    return Restorable(now, best, skipped)


def _point(
    name: str,
    policy: CheckpointPolicySpec,
    spec: Spec,
    kept: Collection[Kept],
    unknown: Collection[str],
    now: float,
) -> Point:
    refs = spec.workloads[name].spec.checkpoints
    assert refs is not None
    stores = {place_of(policy.store, spec, "").host} if policy.store else set(spec.hosts)
    unseen = tuple(sorted(stores & set(unknown)))
    found = point(
        name,
        refs.policy,
        policy,
        kept,
        now,
        came=last_time(name, policy, now),
        comes=next_time(name, policy, now),
        unknown=unseen,
    )
    return replace(found, rehearsal=rehearsals(name, policy, kept, now, unknown=bool(unseen)))


def rehearsals(
    name: str, policy: CheckpointPolicySpec, kept: Collection[Kept], now: float, *, unknown: bool = False
) -> Practice | None:
    """How they stand; None where the policy says nothing of them."""
    wanted = policy.rehearse
    if wanted is None:
        return None
    came_last, comes_next = last_time(name, wanted, now), next_time(name, wanted, now)
    return practice(wanted, kept, now, came=came_last, comes=comes_next, unknown=unknown)


def next_time(name: str, policy: Recurring, now: float) -> float | None:
    """When a time that the policy names comes next for a workload."""
    return min((at for time in policy.at if (at := comes(time, name, now)) is not None), default=None)


def last_time(name: str, policy: Recurring, now: float) -> float | None:
    """When a time that the policy names came last for a workload."""
    return max((at for time in policy.at if (at := came(time, name, now)) is not None), default=None)
