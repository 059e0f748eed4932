"""How a workload moves, and how long its clients will wait: chosen from what both hosts can do."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reconciler.core.obstacles import can_follow, can_hold, can_postcopy, can_precopy, is_alone
from reconciler.core.versions import version_tuple
from reconciler.model.base import parse_duration, parse_size
from reconciler.model.command import Bytes, Seconds
from reconciler.model.live import LiveMigration
from reconciler.model.outlook import NotChosen, Ways
from reconciler.model.spec import Cutover, MigrationPolicySpec, Strategy
from reconciler.model.world import HostFacts, Instance

EAGER_RESTORE_RATE: float = 400e6
"""Bytes per second a runtime restores without lazy pages: 512 MiB in about 1.3 s."""


@dataclass(frozen=True)
class Rates:
    """What the parts of a move cost. `dump`, `link` and `drain` in bytes per second, the others are fixed shares
    in seconds. `drain`: of memory that follows from the source, until the processes have it. `learned_from`: how
    many earlier moves they come from, and `drained` how many of these drained; 0 for the defaults."""

    dump: float
    link: float
    hold_s: Seconds
    copy_s: Seconds
    restore_s: Seconds
    drain: float
    learned_from: int = 0
    drained: int = 0


DEFAULT = Rates(dump=1.6e9, link=1.2e9, hold_s=0.07, copy_s=0.04, restore_s=0.13, drain=300e6)
"""Seen on the reference machine, with both hosts on the same two cores: clients waited 0.24 s for 4 MiB, 0.46 s
for 128 MiB and 1.02 s for 512 MiB. Memory that followed from the source took 1.7 to 2.5 s for 512 MiB."""


FIRST = Rates(dump=0.8e9, link=110e6, hold_s=0.25, copy_s=0.15, restore_s=0.5, drain=45e6)
"""What the first move between two hosts may cost, of which nothing is known: programs that nobody ran there
before, busy machines (1.1 s were seen where DEFAULT says 0.3; a drain of 45 MB/s with twelve programs
for each processor), and gigabit Ethernet."""


@dataclass(frozen=True)
class Prediction:
    """Seconds of each part of the time a client waits."""

    dump: Seconds
    copy: Seconds
    restore: Seconds

    @property
    def downtime(self) -> Seconds:
        return self.dump + self.copy + self.restore


@dataclass(frozen=True)
class Choice:
    strategy: Strategy
    cutover: Cutover
    not_chosen: tuple[NotChosen, ...]


PRECOPY_GAIN: Seconds = 0.15
"""`auto` makes a pre-copy when dumping and copying all memory in the freeze would take longer than this."""
LAST_ROUND: Bytes = 4 * 2**20
"""What is left for the freeze after the rounds, until moves of the workload say more."""
FIRST_PAGES: Bytes = 256 * 2**10
"""What of memory a post-copy sends before the commit: CRIU's own images, and the few pages that cannot follow."""
_LOCK_FEATURE = "network_lock_nftables"
"""As `criu check --feature` calls it."""
_LOCK_FROM = (4, 2, 1)
"""CRIU before that crashes when a config file that an OCI runtime passes on names a network lock: seen with 4.1.1,
`strcmp(argv[optind], "restore")` in criu/config.c without an argv."""


def choose(
    policy: MigrationPolicySpec,
    instance: Instance,
    source: HostFacts,
    destination: HostFacts,
    rates: Rates = DEFAULT,
) -> Choice:
    """The strategy and cut-over of one move."""
    avoided: list[NotChosen] = []
    cutover = policy.cutover
    if cutover is Cutover.AUTO:
        obstacle = can_hold(instance, source)
        cutover = Cutover.RESTORE_BACK if obstacle else Cutover.TRANSACTIONAL
        if obstacle:
            avoided.append(NotChosen(way=Ways.TRANSACTIONAL, obstacle=obstacle))
    strategy = policy.strategy
    if strategy is Strategy.AUTO:
        strategy, passed_over = _automatic(policy, cutover, instance, (source, destination), rates)
        avoided += passed_over
    return Choice(strategy, cutover, tuple(avoided))


def _automatic(
    policy: MigrationPolicySpec,
    cutover: Cutover,
    instance: Instance,
    hosts: tuple[HostFacts, HostFacts],
    rates: Rates,
) -> tuple[Strategy, list[NotChosen]]:
    """What `auto` takes. A post-copy can lose the workload with its source, so it is taken only where that is
    allowed and where a pre-copy cannot be made, or would keep clients waiting for longer than they may."""
    if obstacle := can_follow(instance, hosts[1]) or is_alone(instance):
        return Strategy.COLD, [NotChosen(way=Ways.LAZY, obstacle=obstacle)]
    if instance.memory_bytes * (1 / rates.dump + 1 / rates.link) <= PRECOPY_GAIN:
        return Strategy.LAZY, []
    avoided = []
    if obstacle := can_precopy(instance, *hosts):
        avoided.append(NotChosen(way=Ways.PRECOPY, obstacle=obstacle))
    elif not policy.allow_post_copy or _keeps(policy, predict(Strategy.PRECOPY, *_size(instance), rates)):
        return Strategy.PRECOPY, []
    if policy.allow_post_copy and cutover is Cutover.TRANSACTIONAL:
        if not (against := can_postcopy(instance, *hosts)):
            return Strategy.POSTCOPY, avoided
        avoided.append(NotChosen(way=Ways.POSTCOPY, obstacle=against))
    return Strategy.LAZY if obstacle else Strategy.PRECOPY, avoided


def _size(instance: Instance) -> tuple[Bytes, Bytes]:
    return instance.memory_bytes, instance.rootfs_bytes


def _keeps(policy: MigrationPolicySpec, prediction: Prediction) -> bool:
    limit = policy.max_downtime
    return limit is None or prediction.downtime <= parse_duration(limit)


def would_keep(
    policy: MigrationPolicySpec, instance: Instance, hosts: tuple[HostFacts, HostFacts], rates: Rates
) -> bool:
    """Whether only a post-copy, which the policy does not allow, would keep its `maxDowntime`."""
    asked = policy.allow_post_copy or policy.strategy is Strategy.POSTCOPY
    able = policy.cutover is not Cutover.RESTORE_BACK and not can_postcopy(instance, *hosts)
    return not asked and able and _keeps(policy, predict(Strategy.POSTCOPY, *_size(instance), rates))


def network_lock(source: HostFacts, destination: HostFacts) -> str:
    """What CRIU keeps packets away from dumped connections with: nftables where both hosts can (5 to 10 ms to
    unlock, where iptables takes 40 to 60), else CRIU's default. The images name it, so both hosts need it."""
    able = all(
        _LOCK_FEATURE in host.features and version_tuple(host.version("criu")) >= _LOCK_FROM
        for host in (source, destination)
    )
    return "nftables" if able else ""


def of_parts(rates: Rates, pages: Bytes, files: Bytes, eager: Bytes) -> Prediction:
    """Time of each part: `pages` are dumped, they and `files` copied, `eager` restored before the tasks run."""
    return Prediction(
        dump=rates.hold_s + pages / rates.dump,
        copy=rates.copy_s + (pages + files) / rates.link,
        restore=rates.restore_s + eager / EAGER_RESTORE_RATE,
    )


def predict(strategy: Strategy, memory: Bytes, files: Bytes, rates: Rates = DEFAULT) -> Prediction:
    """Time of each part for `memory` bytes of pages and `files` bytes of rootfs and volumes."""
    if strategy is Strategy.POSTCOPY:
        first = of_parts(rates, min(memory, FIRST_PAGES), files, eager=0)
        return replace(first, dump=rates.hold_s + memory / rates.dump)
    pages = min(memory, LAST_ROUND) if strategy is Strategy.PRECOPY else memory
    return of_parts(rates, pages, files, eager=0 if strategy is Strategy.LAZY else pages)


LIVE_DOWNTIME: Seconds = 0.25
"""What clients felt of a guest that its own runtime moved, whatever its memory: 0.22 s were seen, one
retransmission of TCP."""


@dataclass(frozen=True)
class LiveOutlook:
    """How long a runtime's own move takes at least, and what of that clients feel."""

    seconds: Seconds
    downtime: Seconds


def live_outlook(live: LiveMigration, memory: Bytes, rates: Rates = DEFAULT) -> LiveOutlook:
    """All memory goes over the link once, while it runs; what it writes meanwhile goes again."""
    rate = min(rates.link, parse_size(live.bandwidth)) if live.bandwidth else rates.link
    return LiveOutlook(memory / rate, LIVE_DOWNTIME)
