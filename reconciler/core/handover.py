"""The states of a hand-over on one host, as data. guard.sh and the simulation's guard are held to it by tests.

A host's marker has a phase under an epoch. A higher epoch may write any phase: whoever has it has decided anew.
Under the same epoch commands arrive late, or twice, and `FOLLOWS` says what may still be written; a lower one is
refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.model.plan import Phase

SOURCE = "source"

_EARLY = frozenset({Phase.RUNNING, Phase.RESERVED, Phase.HELD, Phase.VERIFIED})
_ALL = frozenset(Phase)
_BEGINS_AGAIN = frozenset({Phase.RESERVED, Phase.HELD, Phase.VERIFIED})
"""What would take a decision back."""

FOLLOWS: Mapping[Phase, frozenset[Phase]] = {
    Phase.RUNNING: _ALL - _BEGINS_AGAIN - {Phase.COMMITTED},
    Phase.RESERVED: _ALL,
    Phase.HELD: _ALL,
    Phase.VERIFIED: _ALL,
    Phase.COMMITTED: _ALL - _BEGINS_AGAIN,
    Phase.CONFIRMED: _ALL - _BEGINS_AGAIN,
    Phase.RETIRED: frozenset({Phase.RETIRED, Phase.FENCED}),
    Phase.FENCED: frozenset({Phase.RETIRED, Phase.FENCED}),
}
"""What may be written over a phase under the same epoch; the phase itself always may."""

COMMITTED_SOURCE = frozenset({Phase.COMMITTED, Phase.RETIRED, Phase.FENCED})
"""The same, of a committed source: it never runs again by itself."""


def may_follow(role: str, now: Phase, then: Phase) -> bool:
    """Whether a host that has one phase may be given another under the same epoch."""
    if (role, now) == (SOURCE, Phase.COMMITTED):
        return then in COMMITTED_SOURCE
    return then is now or then in FOLLOWS[now]


HOLDABLE = _EARLY
"""Phases in which a hold may begin; also without a marker."""

COMMITTABLE = frozenset({Phase.HELD, Phase.VERIFIED})
RELEASABLE = frozenset({Phase.COMMITTED, Phase.RETIRED, Phase.FENCED})
"""Phases in which what is frozen may be let go for good."""

RESUMABLE = _ALL - {Phase.COMMITTED, Phase.RETIRED, Phase.FENCED}
RESUMABLE_LATER = _ALL - {Phase.COMMITTED, Phase.RETIRED}
"""Phases in which a source may be told to run again: under the same epoch, and under a higher one. A committed one
is marked `verified` under a higher epoch first, by whoever has fenced the other side. A retired one has given away
all that could run: whoever still means to resume it has looked too early, and its marker must not come to say that
it is held."""
