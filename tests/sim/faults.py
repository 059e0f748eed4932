"""The faults of HAZARDS.md section 1, and which of them every kind of step must survive.

A kind of step that is missing in `FAULTS` fails the suite.
"""

from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.plan import StepKind


class Point(StrEnum):
    """The boundaries of a step. `IN_EFFECT`: before one of its commands is sent."""

    BEFORE_INTENT = "before-intent"
    AFTER_INTENT = "after-intent"
    IN_EFFECT = "in-effect"
    AFTER_EFFECT = "after-effect"
    AFTER_OUTCOME = "after-outcome"


class Fault(StrEnum):
    # the controller
    KILLED = "controller-killed"
    CANCELLED = "ctrl-c"
    ZOMBIE = "controller-stopped-and-replaced"
    ZOMBIE_APART = "controller-stopped-and-replaced-by-one-with-another-journal"
    JOURNAL_LOST = "controller-and-journal-lost"
    JOURNAL_FULL = "journal-full"
    UPGRADED = "hosts-have-another-release"
    UPGRADED_OVER = "another-release-takes-over"
    # one command
    REFUSED = "connections-refused"
    REPLY_LOST = "reply-lost"
    HANG = "hang"
    DELAYED = "delivered-late"
    # a host; source and destination are the same host for steps that have only one
    SOURCE_LOST = "source-lost"
    DESTINATION_LOST = "destination-lost"
    SOURCE_REBOOTS = "source-reboots"
    DESTINATION_REBOOTS = "destination-reboots"
    SOURCE_CUT = "source-cut-off"
    DESTINATION_CUT = "destination-cut-off"
    ALL_CUT = "all-cut-off"
    LINK_CUT = "hosts-cut-off-from-each-other"
    SLOW = "slow-host"
    CLOCK = "clock-jumps"
    # what a host is asked to do fails
    SOURCE_FULL = "source-disk-full"
    DESTINATION_FULL = "destination-disk-full"
    MARKER_FAILS = "marker-not-written"
    SOURCE_MARKER_FAILS = "marker-not-written-on-the-source"
    TRUNCATED = "truncated-copy"
    TRUNCATED_TWICE = "truncated-copy-twice"
    DUMP_FAILS = "dump-fails"
    RESTORE_FAILS = "restore-fails"
    APP_DIES = "application-dies"
    UNHEALTHY = "unhealthy"
    HOOK_KILLED = "hook-killed"
    CRIU_KILLED = "criu-killed"
    PAGES_LOST = "page-daemon-dies"
    PAGES_SLOW = "pages-take-very-long"
    BEFORE_HOLD_FAILS = "action-before-the-hold-fails"
    AFTER_RESTORE_FAILS = "action-after-the-restore-fails"
    BEFORE_HOLD_STAYS = "action-before-the-hold-cannot-be-undone"
    AFTER_RESTORE_STAYS = "action-after-the-restore-cannot-be-undone"
    MIGRATION_FAILS = "migration-fails"
    MIGRATION_STALLS = "migration-never-ends"
    RETURNS = "host-comes-back-that-was-given-up"

    @property
    def of_command(self) -> bool:
        return self in (Fault.REFUSED, Fault.REPLY_LOST, Fault.HANG, Fault.DELAYED)

    @property
    def armed(self) -> bool:
        """Whether it must be there before the effect to strike in it."""
        return self in ARMS


ARMS = {
    Fault.SOURCE_FULL: ("source", "full", 1),
    Fault.DESTINATION_FULL: ("destination", "full", 1),
    Fault.MARKER_FAILS: ("destination", "marker", 1),
    Fault.TRUNCATED: ("destination", "truncate", 1),
    Fault.TRUNCATED_TWICE: ("destination", "truncate", 9),
    Fault.DUMP_FAILS: ("source", "dump", 1),
    Fault.RESTORE_FAILS: ("destination", "restore", 9),
    Fault.APP_DIES: ("destination", "dies", 1),
    Fault.UNHEALTHY: ("destination", "health", 9),
    Fault.SOURCE_MARKER_FAILS: ("source", "marker", 1),
    Fault.PAGES_LOST: ("destination", "pages", 1),
    Fault.PAGES_SLOW: ("destination", "pages-slow", 1),
    Fault.BEFORE_HOLD_FAILS: ("source", "action", 1),
    Fault.AFTER_RESTORE_FAILS: ("destination", "action", 1),
    Fault.BEFORE_HOLD_STAYS: ("source", "undo", 3),
    Fault.AFTER_RESTORE_STAYS: ("destination", "undo", 3),
    Fault.MIGRATION_FAILS: ("source", "migrate", 1),
    Fault.MIGRATION_STALLS: ("source", "stalls", 1),
}
"""What is armed where, and how often it strikes."""

COMEBACKS = (Fault.RETURNS,)
"""Only where a workload comes back from a checkpoint."""

ACTIONS = (
    Fault.BEFORE_HOLD_FAILS,
    Fault.AFTER_RESTORE_FAILS,
    Fault.BEFORE_HOLD_STAYS,
    Fault.AFTER_RESTORE_STAYS,
)
"""Only where a workload has actions."""
WHEN_GOING_BACK = (Fault.BEFORE_HOLD_STAYS, Fault.AFTER_RESTORE_STAYS)
"""These strike only when something else makes the run go back."""

CONTROLLER = (Fault.KILLED, Fault.CANCELLED, Fault.ZOMBIE, Fault.ZOMBIE_APART, Fault.JOURNAL_FULL)
COMMAND = (Fault.REFUSED, Fault.REPLY_LOST, Fault.HANG, Fault.DELAYED)
ONE_HOST = (Fault.SOURCE_LOST, Fault.SOURCE_REBOOTS, Fault.SOURCE_CUT, Fault.SLOW, Fault.CLOCK)
TWO_HOSTS = (*ONE_HOST, Fault.DESTINATION_LOST, Fault.DESTINATION_REBOOTS, Fault.DESTINATION_CUT, Fault.ALL_CUT)
SINGLE = (*CONTROLLER, *COMMAND, *ONE_HOST)
UPGRADES = (Fault.UPGRADED, Fault.UPGRADED_OVER)
MOVE = (*CONTROLLER, Fault.JOURNAL_LOST, *UPGRADES, *COMMAND, *TWO_HOSTS)
HELD = (*MOVE, Fault.HOOK_KILLED, Fault.CRIU_KILLED)

FAULTS: dict[StepKind, tuple[Fault, ...]] = {
    StepKind.PULL_IMAGE: (*SINGLE, Fault.SOURCE_FULL),
    StepKind.COPY_IMAGE: (*SINGLE, Fault.DESTINATION_FULL, Fault.TRUNCATED, Fault.LINK_CUT),
    StepKind.CREATE_NETWORK: SINGLE,
    StepKind.CREATE_VOLUME: SINGLE,
    StepKind.COPY_VOLUME: (
        *CONTROLLER,
        *COMMAND,
        *TWO_HOSTS,
        Fault.DESTINATION_FULL,
        Fault.TRUNCATED,
        Fault.LINK_CUT,
    ),
    StepKind.CREATE: (*SINGLE, Fault.SOURCE_FULL, Fault.MARKER_FAILS),
    StepKind.START: (*SINGLE, Fault.MARKER_FAILS),
    StepKind.STOP: SINGLE,
    StepKind.UPDATE: SINGLE,
    StepKind.SET_ASIDE: SINGLE,
    StepKind.REMOVE: SINGLE,
    StepKind.REMOVE_VOLUME: SINGLE,
    StepKind.RESERVE: MOVE,
    StepKind.STAGE: (*MOVE, Fault.DESTINATION_FULL, Fault.MARKER_FAILS, Fault.SOURCE_MARKER_FAILS),
    StepKind.PRECOPY: (*MOVE, Fault.DUMP_FAILS, Fault.SOURCE_FULL, Fault.LINK_CUT),
    StepKind.HOLD: (
        *HELD,
        Fault.DUMP_FAILS,
        Fault.SOURCE_FULL,
        Fault.SOURCE_MARKER_FAILS,
        Fault.BEFORE_HOLD_FAILS,
        Fault.BEFORE_HOLD_STAYS,
    ),
    StepKind.TRANSFER: (*HELD, Fault.TRUNCATED, Fault.TRUNCATED_TWICE, Fault.DESTINATION_FULL, Fault.LINK_CUT),
    StepKind.COMMIT: (*HELD, Fault.RETURNS, Fault.MARKER_FAILS, Fault.SOURCE_MARKER_FAILS),
    StepKind.RESTORE: (
        *HELD,
        Fault.RETURNS,
        Fault.RESTORE_FAILS,
        Fault.APP_DIES,
        Fault.DESTINATION_FULL,
        Fault.PAGES_LOST,
        Fault.PAGES_SLOW,
        Fault.AFTER_RESTORE_FAILS,
        Fault.AFTER_RESTORE_STAYS,
    ),
    StepKind.DRAIN: (*HELD, Fault.LINK_CUT, Fault.PAGES_LOST, Fault.APP_DIES),
    StepKind.CONFIRM: (*HELD, Fault.RETURNS, Fault.UNHEALTHY, Fault.MARKER_FAILS),
    StepKind.RETIRE: (*HELD, Fault.RETURNS, Fault.SOURCE_MARKER_FAILS),
    StepKind.MIGRATE: (
        *MOVE,
        Fault.LINK_CUT,
        Fault.DESTINATION_FULL,
        Fault.SOURCE_MARKER_FAILS,
        Fault.MIGRATION_FAILS,
        Fault.MIGRATION_STALLS,
    ),
    StepKind.CAPTURE: (
        *CONTROLLER,
        *COMMAND,
        *TWO_HOSTS,
        Fault.HOOK_KILLED,
        Fault.CRIU_KILLED,
        Fault.DUMP_FAILS,
        Fault.SOURCE_FULL,
        Fault.SOURCE_MARKER_FAILS,
        Fault.DESTINATION_FULL,
        Fault.TRUNCATED,
        Fault.LINK_CUT,
    ),
    StepKind.FETCH: (*MOVE, Fault.RETURNS, Fault.DESTINATION_FULL, Fault.TRUNCATED, Fault.LINK_CUT),
    StepKind.UNPACK: (*MOVE, Fault.RETURNS, Fault.DESTINATION_FULL),
    StepKind.FENCE: (*MOVE, Fault.RETURNS, Fault.MARKER_FAILS),
    StepKind.SETTLE: (*MOVE, Fault.UNHEALTHY, Fault.MARKER_FAILS, Fault.SOURCE_MARKER_FAILS),
}


@dataclass(frozen=True)
class Boundary:
    """A place in a run where a fault can strike."""

    kind: StepKind
    undo: bool
    point: Point

    def __str__(self) -> str:
        return f"{'undo ' if self.undo else ''}{self.kind}:{self.point}"


@dataclass(frozen=True)
class Strike:
    """A fault at a boundary; `skip`: so many commands (in the effect) or times are let pass first."""

    at: Boundary
    fault: Fault
    skip: int = 0

    def __str__(self) -> str:
        return f"{self.fault} at {self.at}{f' (after {self.skip})' if self.skip else ''}"


HAZARDS: dict[str, tuple[Fault, ...]] = {
    "controller killed": (Fault.KILLED, Fault.JOURNAL_LOST),
    "Ctrl-C": (Fault.CANCELLED,),
    "SSH drops before the command ran": (Fault.REFUSED,),
    "SSH drops after the effect, reply lost": (Fault.REPLY_LOST, Fault.DELAYED),
    "SSH hangs": (Fault.HANG,),
    "source host lost": (Fault.SOURCE_LOST, Fault.SOURCE_CUT),
    "destination host lost": (Fault.DESTINATION_LOST, Fault.DESTINATION_CUT),
    "controller cut off from both": (Fault.ALL_CUT,),
    "hosts cut off from each other": (Fault.LINK_CUT,),
    "a runtime's own move fails, or never ends": (Fault.MIGRATION_FAILS, Fault.MIGRATION_STALLS),
    "disk or tmpfs full, source": (Fault.SOURCE_FULL, Fault.SOURCE_MARKER_FAILS),
    "disk or tmpfs full, destination": (Fault.DESTINATION_FULL, Fault.MARKER_FAILS),
    "upgrade in the middle": UPGRADES,
    "journal disk full": (Fault.JOURNAL_FULL,),
    "image truncated or changed on the way": (Fault.TRUNCATED, Fault.TRUNCATED_TWICE),
    "host ten times slower": (Fault.SLOW,),
    "clock off by an hour": (Fault.CLOCK,),
    "second controller": (Fault.ZOMBIE, Fault.ZOMBIE_APART),
    "host reboots": (Fault.SOURCE_REBOOTS, Fault.DESTINATION_REBOOTS),
    "kernel or CRIU lacks a feature": (Fault.DUMP_FAILS, Fault.RESTORE_FAILS),
    "application dies right after restore": (Fault.APP_DIES, Fault.UNHEALTHY),
    "checkpoint process or its hook killed": (Fault.HOOK_KILLED, Fault.CRIU_KILLED),
    "a host comes back that was given up": COMEBACKS,
    "page daemon dies or is slow": (Fault.PAGES_LOST, Fault.PAGES_SLOW),
    "an action of the spec fails": ACTIONS,
}
"""Every fault that a move must survive. Not here: what a workload does meanwhile (forks, sockets, files), which is
the business of CRIU and of the tests on real hosts."""
