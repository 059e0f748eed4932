"""The rounds of a pre-copy: memory is dumped and copied while the workload runs, until little is left to do."""

from __future__ import annotations

import time
from dataclasses import dataclass

from reconciler.core import rounds
from reconciler.core.strategy import DEFAULT
from reconciler.errors import CommandFailed
from reconciler.hosts.base import Fleet, Progress, pump
from reconciler.model.base import parse_duration
from reconciler.model.result import RoundsMade
from reconciler.model.units import format_bytes
from reconciler.runtimes.base import Driver, Handover


@dataclass(frozen=True)
class Precopy:
    """`link` names the open link that the rounds are copied over."""

    handover: Handover
    driver: Driver
    fleet: Fleet
    link: str

    async def run(self, progress: Progress) -> RoundsMade:
        """All rounds. CommandFailed when the freeze would be longer than the policy allows: it runs on."""
        done: list[rounds.MeasuredRound] = []
        why = ""
        while not why:
            done.append(await self._round(len(done) + 1, progress))
            why = rounds.enough(done, self.handover.policy.max_rounds, DEFAULT)
        self._check(done, why)
        source = self.fleet.host(self.handover.move.source)
        await pump(self.driver.build_on(self.handover, len(done)), source)
        return RoundsMade(rounds_bytes=tuple(one.bytes for one in done), why=why)

    async def _round(self, number: int, progress: Progress) -> rounds.MeasuredRound:
        move = self.handover.move
        source, destination = self.fleet.host(move.source), self.fleet.host(move.destination)
        begin = time.monotonic()
        dumped = await pump(self.driver.pre_dump(self.handover, number), source)
        written = time.monotonic()
        there = await pump(self.driver.take_round(self.handover, number), destination)
        pairs = ((dumped.tree, there),)
        await self.fleet.copy_trees(move.source, move.destination, self.link, pairs, progress)
        return rounds.MeasuredRound(dumped.image_bytes, written - begin, time.monotonic() - written)

    def _check(self, done: list[rounds.MeasuredRound], why: str) -> None:
        policy, move = self.handover.policy, self.handover.move
        if policy.max_downtime is None or policy.best_effort:
            return
        files = max(0, move.expected_bytes - move.memory_bytes)
        downtime = rounds.predict(done, files, DEFAULT).downtime
        if downtime > parse_duration(policy.max_downtime):
            rate = rounds.dirty_rate(done) or 0.0
            raise CommandFailed(
                f"{self.handover.name} was not frozen: clients would wait about {downtime:.1f} s",
                code="C334",
                where=move.source,
                why=f"after {len(done)} rounds {why} ({format_bytes(round(rate))}/s);"
                f" maxDowntime is {policy.max_downtime}",
                fix="move when it is less busy, raise maxDowntime, or set bestEffort: true",
            )
