"""guard.sh against the state table of hand-overs, every cell of it."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from reconciler.core.handover import HOLDABLE, RELEASABLE, RESUMABLE, RESUMABLE_LATER, may_follow
from reconciler.model.plan import Phase

DONE, PHASE, NOT_HELD, COMMITTED = 0, 77, 80, 85
ROLES = ("source", "destination")


@pytest.mark.parametrize("now", list(Phase))
def test_what_may_be_written_under_the_same_epoch(host: Any, now: Phase) -> None:
    for number, (role, then) in enumerate(product(ROLES, Phase)):
        name = f"{now}-{number}"
        host("mark", name, 3, now, role, "run-1", "h2")
        allowed = may_follow(role, now, then)
        host("mark", name, 3, then, "owner", "run-1", "h2", expect=DONE if allowed else PHASE)


@pytest.mark.parametrize("now", list(Phase))
def test_what_may_be_done_in_a_phase(host: Any, now: Phase) -> None:
    def ask(number: int, *words: object) -> int:
        name = f"{now}-{number}"
        host("mark", name, 3, now, "source", "run-1", "h2")
        status: int = host(words[0], name, *words[1:], expect=None).returncode
        return status

    hold = (60, 60, "transactional", 0, "run-1", "h2", "--", "false")
    assert (ask(1, "hold", 3, *hold) == DONE) is (now in HOLDABLE)
    assert ask(2, "release", 3) == DONE  # nothing is held: nothing to let go
    assert (ask(3, "resume", 3) == DONE) is (now in RESUMABLE)
    assert (ask(4, "resume", 4) == DONE) is (now in RESUMABLE_LATER)
    # Without a hold there is nothing to commit, whatever the marker says; but what is committed stays so.
    assert ask(5, "commit", 3) == (
        DONE if now is Phase.COMMITTED else NOT_HELD if now in (Phase.HELD, Phase.VERIFIED) else PHASE
    )


def test_only_what_is_decided_is_let_go(host: Any) -> None:
    pid = host.victim()
    host.hold("web", 3, pid)
    assert Phase.HELD not in RELEASABLE
    host("release", "web", 3, expect=PHASE)
    host("commit", "web", 3)
    host("release", "web", 3)
