"""Digests that saved plans are bound to."""

from __future__ import annotations

from reconciler.core.digests import spec_digest
from reconciler.model.base import digest
from reconciler.model.spec import Spec
from tests.bench.world import fleet


def test_a_digest_that_is_made_in_pieces_is_that_of_the_whole() -> None:
    spec, _ = fleet(3, 12, 3)
    for one in (Spec(), spec):
        parts = (
            *(one.hosts, one.clusters, one.workloads, one.policies, one.networks),
            *(one.checkpoint_policies, one.checkpoint_stores),
        )
        whole = [{name: item.model_dump(mode="json") for name, item in part.items()} for part in parts]
        assert spec_digest(one) == digest(whole)
