"""The short form of `make fidelity`: one runtime and strategy. Real: hosts, SSH, Podman, CRIU."""

from __future__ import annotations

import pytest

from reconciler.lab import Lab
from tests.fidelity.__main__ import there_and_back
from tests.fidelity.compare import table


@pytest.mark.lab
@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_all_that_a_move_changes_has_a_reason(clean_lab: Lab) -> None:
    for way in there_and_back(clean_lab, "runc", "cold", table()):
        assert not way.unclassified, way.unclassified
