"""`reconcile plan --rehearse`: dump a running workload for trial and let it run on; finds what facts cannot show.

Only the source takes part. The way is that of a real move up to `held`, and then back: same process, same
connections. Workloads that cannot be held (restore-back) are not rehearsed, because they would be stopped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.commands.app import Seen, look
from reconciler.commands.compose import drivers, kept_runs, open_fleet
from reconciler.commands.interruptible import new_run_id
from reconciler.core.criu_errors import translate
from reconciler.engine.lease import fleet_leases
from reconciler.engine.lenient import Warn
from reconciler.errors import CommandFailed, ReconcilerError
from reconciler.hosts.base import Fleet, pump
from reconciler.model.command import Bytes, Fence, Seconds
from reconciler.model.outlook import Rehearsed
from reconciler.model.plan import Finding, Move, Plan
from reconciler.model.spec import Cutover, Spec
from reconciler.runtimes import registry
from reconciler.runtimes.base import Handover
from reconciler.state.identity import owner
from reconciler.state.store import Awaited


@dataclass(frozen=True)
class Rehearsal:
    """What a trial dump showed. `frozen_s` is from the request to the tasks running again: more than a client
    can have waited. `error` is empty for success; `log` are the last errors of CRIU's own log. `skipped`: it could
    only be stopped, and was not tried."""

    workload: str
    frozen_s: Seconds = 0.0
    image_bytes: Bytes = 0
    error: str = ""
    log: str = ""
    skipped: bool = False


async def rehearsed_plan(spec: Spec, journal_path: Path | None, warn: Warn) -> Seen:
    """A plan whose moves were tried up to the freeze. It excludes other controllers, as apply does."""
    async with (
        kept_runs(journal_path) as journal,
        open_fleet(spec, warn) as fleet,
        fleet_leases(fleet, spec.places, owner(), warn=warn, partly=True) as leases,
    ):
        first = await look(spec, fleet, journal)
        await leases.narrow({move.source for move in first.plan.moves.values()})
        async with Awaited(journal).locked(first.plan.moves, owner()):
            rehearsals = await rehearse(first.plan, fleet)
        again = await look(spec, fleet, journal)  # a trial uses up an epoch
    return Seen(again.world, with_rehearsals(again.plan, rehearsals))


async def rehearse(plan: Plan, fleet: Fleet) -> dict[str, Rehearsal]:
    """Rehearse every move of a plan, one after the other on each host, hosts at the same time."""
    by_source: dict[str, list[Move]] = {}
    for move in plan.moves.values():
        by_source.setdefault(move.source, []).append(move)
    run = new_run_id()
    found: dict[str, Rehearsal] = {}

    async def one_host(moves: list[Move]) -> None:
        for move in moves:
            found[move.workload] = await _one(_handover(plan, move, run), fleet)

    await asyncio.gather(*(one_host(moves) for moves in by_source.values()))
    return found


def _handover(plan: Plan, move: Move, run: str) -> Handover:
    return Handover(plan.workloads[move.workload], move, plan.policy_of(move.workload), run)


async def _one(handover: Handover, fleet: Fleet) -> Rehearsal:
    name, move = handover.name, handover.move
    if move.cutover is not Cutover.TRANSACTIONAL:
        return Rehearsal(name, skipped=True)
    driver, host = registry.need(drivers(), handover.workload.spec.runtime, "moves"), fleet.host(move.source)
    fence = Fence(name, move.epoch)
    try:
        await pump(driver.prepare_host(), host)
        await pump(driver.locate(handover), host)
        started = time.monotonic()
        try:
            held = await pump(driver.hold(handover), host)
        finally:
            # Whatever came of it, and also when the user interrupts: it must run on.
            await asyncio.shield(pump(driver.resume(handover, fence), host))
        return Rehearsal(name, time.monotonic() - started, held.image_bytes)
    except CommandFailed as error:
        return Rehearsal(name, error=str(error), log=error.log_tail)
    except ReconcilerError as error:
        return Rehearsal(name, error=str(error))


def with_rehearsals(plan: Plan, rehearsals: Mapping[str, Rehearsal]) -> Plan:
    """The plan with what each trial showed, and a refusal for each that failed, in place of its steps."""
    failed = {name for name, r in rehearsals.items() if r.error}
    changes = tuple(
        c.model_copy(update={"outlook": c.outlook.model_copy(update={"rehearsed": _told(rehearsals[c.workload])})})
        if c.workload in rehearsals
        else c
        for c in plan.changes
        if c.workload not in failed
    )
    return plan.model_copy(
        update={
            "changes": changes,
            "steps": tuple(s for s in plan.steps if s.workload not in failed),
            "moves": {name: move for name, move in plan.moves.items() if name not in failed},
            "findings": (*plan.findings, *(_finding(plan, rehearsals[name]) for name in sorted(failed))),
        }
    )


def _told(rehearsal: Rehearsal) -> Rehearsed:
    return Rehearsed(
        possible=not rehearsal.skipped,
        frozen_s=round(rehearsal.frozen_s, 3),
        image_bytes=rehearsal.image_bytes,
    )


def _finding(plan: Plan, rehearsal: Rehearsal) -> Finding:
    known = translate(rehearsal.log or rehearsal.error)
    return Finding(
        rule="rehearsal.failed",
        severity="refuse",
        workload=rehearsal.workload,
        host=plan.moves[rehearsal.workload].source,
        message=f"{known.cause} ({rehearsal.error})" if known else rehearsal.error,
        fix=known.fix if known else "the log named above says more; it runs on where it was",
    )
