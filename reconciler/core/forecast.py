"""How a move will go, and whether that is longer than its policy allows."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.core.accuracy import Measured, rates
from reconciler.core.index import Index
from reconciler.core.outlook import Forecast
from reconciler.core.rules.base import moves_by_itself
from reconciler.core.strategy import FIRST, choose, predict, would_keep
from reconciler.model.base import parse_duration
from reconciler.model.plan import Change, ChangeKind, Finding
from reconciler.model.spec import MigrationPolicySpec, Spec
from reconciler.model.world import World


def forecast_of(change: Change, spec: Spec, index: Index, earlier: Sequence[Measured]) -> Forecast:
    """Of a move by a cut-over of ours. `earlier` moves make it better."""
    assert change.source and change.destination
    name, source, host = change.workload, change.source, change.destination
    copy = next(c for c in index.copies[name] if c.host == source)
    instance, known = copy.instance, rates(earlier, source, host)
    policy = spec.policy_of(spec.workloads[name])
    choice = choose(policy, instance, index.seen[source], index.seen[host], known)
    prediction = predict(choice.strategy, instance.memory_bytes, instance.rootfs_bytes, known)
    slow = known if known.learned_from else FIRST
    most = predict(choice.strategy, instance.memory_bytes, instance.rootfs_bytes, slow)
    slowest = known.drain if known.drained else min(known.drain, FIRST.drain)
    return Forecast(copy, choice, prediction, most, known.learned_from, (known.drain, slowest))


def too_long(change: Change, spec: Spec, world: World, index: Index, earlier: Sequence[Measured]) -> list[Finding]:
    """The finding about a move that is predicted to keep clients waiting longer than its policy allows."""
    workload = spec.workloads.get(change.workload)
    if change.kind is not ChangeKind.MOVE or workload is None:
        return []
    policy = spec.policy_of(workload)
    if policy.max_downtime is None or moves_by_itself(world, workload.spec.runtime):
        return []  # a runtime that moves by itself is given the limit
    forecast, limit = forecast_of(change, spec, index, earlier), parse_duration(policy.max_downtime)
    least, most = forecast.prediction.downtime, forecast.most.downtime
    if most <= limit:
        return []
    wait = f"about {least:.1f} s" if least > limit else f"{least:.1f} to {most:.1f} s in a first move"
    return [
        Finding(
            rule="downtime.limit",
            severity="warn" if policy.best_effort or least <= limit else "refuse",
            workload=change.workload,
            host=change.destination or "",
            message=f"clients would wait {wait}, maxDowntime is {policy.max_downtime}",
            fix=_remedy(change, policy, forecast, index, earlier),
        )
    ]


def _remedy(
    change: Change, policy: MigrationPolicySpec, forecast: Forecast, index: Index, earlier: Sequence[Measured]
) -> str:
    """What people can do about a move that takes too long; a post-copy only they can allow."""
    assert change.source and change.destination and policy.max_downtime
    instance, hosts = forecast.copy.instance, (index.seen[change.source], index.seen[change.destination])
    known = rates(earlier, change.source, change.destination)
    quick = known.learned_from or forecast.prediction.downtime > parse_duration(policy.max_downtime)
    fix = "raise maxDowntime, set bestEffort: true, or move when it holds less memory"
    if not would_keep(policy, instance, hosts, known if quick else FIRST):
        return fix
    window = instance.memory_bytes / forecast.drains[1]
    return (
        "set strategy: auto and allowPostCopy: true, which would keep it (both hosts must then live for up to"
        f" {window:.1f} s after the restore); else {fix}"
    )
