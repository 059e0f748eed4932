"""The pages of a watch in a real Chromium, Debian's: that nothing of theirs is refused by their own policy, that
axe finds nothing, and that they follow what happens. `make page-tests` installs what this needs.

WRITE_SCREENSHOTS=1 writes those of docs/page.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.views.site import pages
from reconciler.watch.http import Guarded, served
from tests.page.scene import Shown, busy

playwright = pytest.importorskip("playwright.async_api", reason="make page-tests installs it")
axe = pytest.importorskip("axe_playwright_python.async_playwright")

pytestmark = pytest.mark.page
CHROMIUM = "/usr/bin/chromium"
PATHS = ("/", "/workloads", "/history", "/checkpoints", "/plan")
IN_DOCS = Path(__file__).parent.parent.parent / "docs" / "page"
TOKEN = "correct-horse-battery"


@pytest.fixture
async def chromium() -> AsyncIterator[Any]:
    async with playwright.async_playwright() as started:
        browser = await started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shown:
    return Shown.made(tmp_path, monkeypatch, web="h1")


@pytest.fixture
def eventful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shown:
    shown = busy(tmp_path, monkeypatch)
    shown.unknown("h2", "it does not answer")
    return shown


def at(shown: Shown, token: str = "") -> AbstractAsyncContextManager[str]:
    return served("127.0.0.1:0", {}, Guarded(pages(shown.watch), token))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
async def test_nothing_is_wrong_with_any_page(chromium: Any, eventful: Shown, width: int, scheme: str) -> None:
    page = await chromium.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    async with at(eventful) as address:
        for path in PATHS:
            await page.goto(f"http://{address}{path}")
            beyond = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert beyond <= 0, f"{path} is wider than {width} pixels"
            if path == "/" and os.environ.get("WRITE_SCREENSHOTS"):
                await page.screenshot(path=IN_DOCS / f"overview-{width}-{scheme}.png")
            if folder := os.environ.get("SCREENSHOTS"):
                await page.screenshot(path=Path(folder, f"{path[1:]}-{width}-{scheme}.png"), full_page=True)
            found = (await axe.Axe().run(page)).response["violations"]
            assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], path
    assert wrong == []


async def test_the_page_follows_what_happens(chromium: Any, quiet: Shown) -> None:
    page = await chromium.new_page()
    async with at(quiet) as address:
        await page.goto(f"http://{address}")
        await page.get_by_text("All is as the specs want it: 1 workload.").wait_for()
        await page.get_by_role("link", name="h1").focus()
        quiet.unknown("h2", "it does not answer")
        await page.get_by_text("1 of 2 hosts could not be seen").wait_for()
        assert await page.evaluate("document.activeElement.textContent") == "h2", "its reader keeps their place"
    await page.get_by_text("The watch does not answer. This is how it was at").wait_for()


async def test_a_token_is_the_password(chromium: Any, quiet: Shown) -> None:
    async with at(quiet, TOKEN) as address:
        page = await chromium.new_page(http_credentials={"username": "anna", "password": TOKEN})
        assert (await page.goto(f"http://{address}")).status == 200
        assert await page.evaluate("getComputedStyle(document.body).maxWidth") == "1536px", "its style too"
        page = await chromium.new_page()
        with pytest.raises(playwright.Error, match="INVALID_AUTH_CREDENTIALS"):
            await page.goto(f"http://{address}")


async def test_a_keyboard_is_enough(chromium: Any, eventful: Shown) -> None:
    page = await chromium.new_page()
    async with at(eventful) as address:
        await page.goto(f"http://{address}")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == "To the content"
        for key in ("Tab", "Tab", "Enter"):
            await page.keyboard.press(key)
        await page.wait_for_url("**/workloads")
        await page.get_by_role("searchbox").fill("mail")
        await page.keyboard.press("Enter")
        await page.get_by_text("1 of 8 workloads").wait_for()
