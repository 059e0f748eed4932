"""What a runtime must do by which memory follows a restore from the source."""

from __future__ import annotations

import pytest

from reconciler.model.spec import Strategy
from reconciler.runtimes.base import PostCopies
from tests.drivers.scene import NAME, How, Scene


class FollowsContract:
    """Where a runtime can; see `tests.drivers.contract`."""

    @pytest.mark.parametrize("how", [How.TWICE, How.CUT])
    async def test_memory_follows_from_the_source(self, scene: Scene, how: How) -> None:
        scene.how = how
        if not scene.can(PostCopies):
            pytest.skip("memory does not follow")
        await scene.run_it()
        before = scene.count()
        h = await scene.handover(strategy=Strategy.POSTCOPY)
        here, there = await scene.reserve(h)
        await scene.hold(h)
        await scene.transfer(h, here, there)
        assert not (await scene.on(h.move.destination, scene.driver.alive(NAME))).restorable
        await scene.commit(h)
        await scene.do(h.move.source, lambda d: d.persist(h))
        await scene.feed(h, here)
        await scene.do(h.move.destination, lambda d: d.restore(h))
        while await scene.do(h.move.destination, lambda d: d.missing(h)):
            continue  # it waits itself
        await scene.finish(h)
        assert await scene.running_on() == [h.move.destination]
        assert scene.count() > before
