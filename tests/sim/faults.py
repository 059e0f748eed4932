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
    JOURNAL_LOST = "controller-and-journal-lost"
    JOURNAL_FULL = "journal-full"
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
    TRUNCATED = "truncated-copy"
    TRUNCATED_TWICE = "truncated-copy-twice"
    DUMP_FAILS = "dump-fails"
    RESTORE_FAILS = "restore-fails"
    APP_DIES = "application-dies"
    UNHEALTHY = "unhealthy"

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
}
"""What is armed where, and how often it strikes."""

CONTROLLER = (Fault.KILLED, Fault.CANCELLED, Fault.ZOMBIE, Fault.JOURNAL_FULL)
COMMAND = (Fault.REFUSED, Fault.REPLY_LOST, Fault.HANG, Fault.DELAYED)
ONE_HOST = (Fault.SOURCE_LOST, Fault.SOURCE_REBOOTS, Fault.SOURCE_CUT, Fault.SLOW, Fault.CLOCK)
TWO_HOSTS = (*ONE_HOST, Fault.DESTINATION_LOST, Fault.DESTINATION_REBOOTS, Fault.DESTINATION_CUT, Fault.ALL_CUT)
SINGLE = (*CONTROLLER, *COMMAND, *ONE_HOST)
MOVE = (*CONTROLLER, Fault.JOURNAL_LOST, *COMMAND, *TWO_HOSTS)

FAULTS: dict[StepKind, tuple[Fault, ...]] = {
    StepKind.PULL_IMAGE: (*SINGLE, Fault.SOURCE_FULL),
    StepKind.COPY_IMAGE: (*SINGLE, Fault.DESTINATION_FULL, Fault.TRUNCATED, Fault.LINK_CUT),
    StepKind.CREATE_NETWORK: SINGLE,
    StepKind.CREATE_VOLUME: SINGLE,
    StepKind.CREATE: (*SINGLE, Fault.SOURCE_FULL, Fault.MARKER_FAILS),
    StepKind.START: (*SINGLE, Fault.MARKER_FAILS),
    StepKind.STOP: SINGLE,
    StepKind.SET_ASIDE: SINGLE,
    StepKind.REMOVE: SINGLE,
    StepKind.RESERVE: MOVE,
    StepKind.STAGE: (*MOVE, Fault.DESTINATION_FULL, Fault.MARKER_FAILS),
    StepKind.PRECOPY: (*MOVE, Fault.DUMP_FAILS, Fault.SOURCE_FULL, Fault.LINK_CUT),
    StepKind.HOLD: (*MOVE, Fault.DUMP_FAILS, Fault.SOURCE_FULL),
    StepKind.TRANSFER: (*MOVE, Fault.TRUNCATED, Fault.TRUNCATED_TWICE, Fault.DESTINATION_FULL, Fault.LINK_CUT),
    StepKind.COMMIT: (*MOVE, Fault.MARKER_FAILS),
    StepKind.RESTORE: (*MOVE, Fault.RESTORE_FAILS, Fault.APP_DIES, Fault.DESTINATION_FULL),
    StepKind.CONFIRM: (*MOVE, Fault.UNHEALTHY, Fault.MARKER_FAILS),
    StepKind.RETIRE: (*MOVE, Fault.MARKER_FAILS),
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
