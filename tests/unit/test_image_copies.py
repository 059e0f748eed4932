"""Several workloads of a run want one image on one host: it is copied once. Fake: fleet and runtime."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.engine.carry import ImageCopy
from reconciler.hosts.base import CopyReport

ARCHIVE = SimpleNamespace(id="f00d")


class Copies:
    """A host that gets an image after a while. `fails`: how many tries do not bring it."""

    def __init__(self, fails: int = 0) -> None:
        self.fails, self.there, self.begun = fails, False, 0

    def answer(self, value: object) -> Any:
        yield from ()
        return value

    def pack_image(self, image: str) -> Any:
        return self.answer(ARCHIVE)

    def has_image(self, image: str) -> Any:
        return self.answer(self.there)

    def take_image(self, archive: object, known_as: str) -> Any:
        return self.answer(None)

    def host(self, name: str) -> Any:
        return SimpleNamespace(name=name)

    async def open_link(self, *way: str) -> None: ...

    async def close_link(self, *way: str) -> None: ...

    async def copy_image(self, *what: Any) -> CopyReport:
        self.begun += 1
        await asyncio.sleep(0.01)
        if self.begun <= self.fails:
            raise OSError("the link broke")
        self.there = True
        return CopyReport(5, 0.0, "copied")


def carried(copies: Any, count: int = 4) -> list[Any]:
    async def all_at_once() -> list[Any]:
        arriving: dict[tuple[str, str], asyncio.Lock] = {}
        one = [ImageCopy(copies, copies, "h1", "h2", f"k{n}", "app:1", "app:1", arriving) for n in range(count)]
        done = (copy.carry(lambda count: None) for copy in one)
        return await asyncio.gather(*done, return_exceptions=True)

    return asyncio.run(all_at_once())


def test_it_is_copied_once() -> None:
    copies = Copies()
    assert sorted(report.bytes for report in carried(copies)) == [0, 0, 0, 5]
    assert copies.begun == 1


@pytest.mark.parametrize("fails", [1, 2])
def test_who_waited_for_one_that_failed_copies_it(fails: int) -> None:
    copies = Copies(fails)
    assert len([report for report in carried(copies) if isinstance(report, OSError)]) == fails
    assert copies.begun == fails + 1
