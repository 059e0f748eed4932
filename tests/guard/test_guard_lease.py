"""Leases exclude two controllers; time is the host's uptime, never its clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

LEASED, BROKEN = 78, 76


@pytest.fixture
def clock(host: Any, tmp_path: Path) -> Any:
    """Sets uptime (seconds) and boot id as the guard sees them."""
    proc = tmp_path / "proc"
    (proc / "sys/kernel/random").mkdir(parents=True)
    host.env["RECONCILER_PROC"] = str(proc)

    def at(seconds: float, boot: str = "aaaa-1") -> None:
        (proc / "uptime").write_text(f"{seconds:.2f} 0.00\n")
        (proc / "sys/kernel/random/boot_id").write_text(boot + "\n")

    at(100.0)
    return at


def test_one_owner_at_a_time(host: Any, clock: Any) -> None:
    host("lease", "take", "web", "anna@ci/1", 30)
    host("lease", "take", "web", "anna@ci/1", 30)
    refused = host("lease", "take", "web", "bert@pc/2", 30, expect=LEASED)
    assert "anna@ci/1 holds the lease on web since 1" in refused.stderr
    host("lease", "beat", "web", "bert@pc/2", expect=LEASED)
    host("lease", "drop", "web", "bert@pc/2", expect=LEASED)
    host("lease", "drop", "web", "anna@ci/1")
    host("lease", "drop", "web", "anna@ci/1")
    host("lease", "take", "web", "bert@pc/2", 30)


def test_silence_ends_a_lease_and_beats_keep_it(host: Any, clock: Any) -> None:
    host("lease", "take", "web", "a", 30)
    clock(129.0)
    host("lease", "beat", "web", "a")
    clock(158.0)
    host("lease", "take", "web", "b", 30, expect=LEASED)
    clock(159.01)
    host("lease", "take", "web", "b", 30)
    host("lease", "beat", "web", "a", expect=LEASED)


def test_an_expired_lease_nobody_took_can_be_kept(host: Any, clock: Any) -> None:
    host("lease", "take", "web", "a", 30)
    clock(500.0)
    host("lease", "beat", "web", "a")
    host("lease", "take", "web", "b", 30, expect=LEASED)


def test_a_reboot_voids_leases(host: Any, clock: Any) -> None:
    host("lease", "take", "web", "a", 3000)
    clock(9.09, boot="bbbb-2")
    host("lease", "beat", "web", "a", expect=LEASED)
    host("lease", "take", "web", "b", 30)
    assert len(list(host.path("web").glob("lease.*-*"))) == 1


def test_a_jump_of_the_clock_expires_nothing(host: Any, tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "date"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 4000000000\n")
    fake.chmod(0o755)
    host("lease", "take", "web", "a", 30)
    host.env["PATH"] = f"{fake.parent}:{host.env['PATH']}"
    host("lease", "take", "web", "b", 30, expect=LEASED)


def test_a_broken_lease_is_refused(host: Any, clock: Any) -> None:
    host("lease", "take", "web", "a", 30)
    host.path("web", "lease.aaaa-1").write_text("reconciler-lease a 1")
    assert "lease.aaaa-1" in host("lease", "take", "web", "b", 30, expect=BROKEN).stderr


def test_of_many_takers_one_wins(host: Any) -> None:
    for _ in range(10):
        takers = [host.start("lease", "take", "web", f"c{n}", 30) for n in range(6)]
        codes = [taker.wait() for taker in takers]
        assert sorted(codes) == [0] + [LEASED] * 5
        host("lease", "drop", "web", f"c{codes.index(0)}")
        for taker in takers:
            taker.communicate()
