"""What a watch answers over HTTP, and what it tells others. Real: sockets, HTTP, processes. Fake: the hosts."""

from __future__ import annotations

import asyncio
import base64
import resource
import socket
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.core.points import Point
from reconciler.core.tending import Cause, Postponed
from reconciler.errors import InputError
from reconciler.load import load_all
from reconciler.state.notebook import Notebook
from reconciler.watch import http
from reconciler.watch.health import healthy, pages, ready
from reconciler.watch.http import AT_ONCE, MOST_HEADERS, Guarded, Reply, parsed, served
from reconciler.watch.loop import Watch
from reconciler.watch.metrics import Metrics
from reconciler.watch.told import News, Told
from tests.cli.memory_fleet import want
from tests.page.scene import NoSource
from tests.watch.scene import Scene

SOON = 60.0
SLOW = 1000
assert SLOW > 2 * AT_ONCE
PAGES = {"/metrics": lambda: Reply(HTTPStatus.OK, b"up 1\n")}


async def asked(address: str, request: bytes) -> bytes:
    host, port = parsed(address)
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), SOON)
    writer.close()
    return answer


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200, b"up 1\n"),
        (b"GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n", 200, b"up 1\n"),
        (b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200, b""),
        (b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405, b"this can only be read\n"),
        (b"GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404, b"there are: /metrics\n"),
        (b"nonsense\r\n\r\n", 400, None),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 2**20 + b"\r\n\r\n", 400, None),
    ],
)
async def test_requests_good_and_bad(request_: bytes, status: int, body: bytes | None) -> None:
    async with served("127.0.0.1:0", PAGES) as address:
        try:
            answer = await asked(address, request_)
        except ConnectionError:
            assert len(request_) > MOST_HEADERS, "it was answered while it still sent"
            return
    head, _, found = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status) or (not head and len(request_) > MOST_HEADERS)
    if body is not None:
        assert found == body and b"nosniff" in head and b"default-src 'none'" in head


async def test_slow_clients_keep_nobody_out() -> None:
    """A thousand of them, each of which says nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if soft < 4096 else soft, hard))
    async with served("127.0.0.1:0", PAGES) as address:
        host, port = parsed(address)
        slow = [await asyncio.open_connection(host, port) for _ in range(SLOW)]
        try:
            answer = await asked(address, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer.endswith(b"up 1\n")
        finally:
            for _, writer in slow:
                writer.transport.abort()


TOKEN = "correct-horse-battery"
SECRET = {"/": lambda query: Reply(HTTPStatus.OK, f"secret {query}".encode(), policy="script-src 'self'")}
BASIC = base64.b64encode(f"anna:{TOKEN}".encode())


@pytest.mark.parametrize(
    ("headers", "token", "status"),
    [
        (b"Host: 127.0.0.1:1", "", 200),
        (b"Host: [::1]:1", "", 200),
        (b"Host: LOCALHOST", "", 200),
        (b"Host: fleet.example", "", 200),
        (b"Host: evil.example", "", 421),
        (b"Host: 127.0.0.1.evil.example", "", 421),
        (b"Host: [::1", "", 421),
        (b"Host: evil.example", TOKEN, 421),
        (b"Host: localhost\r\nOrigin: http://localhost", "", 200),
        (b"Host: localhost\r\nOrigin: http://evil.example", "", 403),
        (b"Host: localhost\r\nOrigin: null", "", 403),
        (b"Host: localhost", TOKEN, 401),
        (b"Host: localhost\r\nAuthorization: Bearer " + TOKEN.encode(), TOKEN, 200),
        (b"Host: localhost\r\nAuthorization: Basic " + BASIC, TOKEN, 200),
        (b"Host: localhost\r\nAuthorization: Bearer " + TOKEN[:-1].encode(), TOKEN, 401),
        (b"Host: localhost\r\nAuthorization: Basic !!", TOKEN, 401),
        (b"Host: localhost\r\nAuthorization: Basic " + base64.b64encode(b"\xff:\xff"), TOKEN, 401),
        (b"Host: localhost\r\nAuthorization: Basic \xe9", TOKEN, 401),
        (b"Host: localhost\r\nAuthorization: Bearer \xe9", TOKEN, 401),
        (b"Host: localhost\r\nOrigin: http://[", "", 403),
        (b"Host: localhost\r\nAuthorization: Digest " + TOKEN.encode(), TOKEN, 401),
    ],
)
async def test_whom_the_page_is_shown(headers: bytes, token: str, status: int) -> None:
    guarded = Guarded(SECRET, token, frozenset({"fleet.example"}))
    async with served("127.0.0.1:0", PAGES, guarded) as address:
        answer = await asked(address, b"GET /?q=1 HTTP/1.1\r\n" + headers + b"\r\n\r\n")
        metrics = await asked(address, b"GET /metrics HTTP/1.1\r\nHost: prometheus.example\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert (b"secret {'q': '1'}" in answer and b"script-src 'self'" in answer) == (status == 200)
    assert (b"www-authenticate: Basic" in answer) == (status == 401)
    assert metrics.startswith(b"HTTP/1.1 200 "), "those who scrape need neither a name nor a token"


async def test_a_page_for_a_network_needs_a_token() -> None:
    for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0", "fleet.example:0"):
        with pytest.raises(InputError, match="shown to whoever asks"):
            async with served(address, PAGES, Guarded(SECRET)):
                pass
    async with served("0.0.0.0:0", PAGES, Guarded(SECRET, TOKEN)) as address:
        assert b" 401 " in await asked(address, b"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n")


async def test_a_page_that_fails_shows_nothing_of_why(caplog: pytest.LogCaptureFixture) -> None:
    def fails(query: Any) -> Reply:
        raise ValueError("a password")

    async with served("127.0.0.1:0", PAGES, Guarded({"/": fails})) as address:
        answer = await asked(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 500 ") and b"password" not in answer
    assert "the page / failed: ValueError('a password')" in caplog.text


async def test_clients_that_stop_reading_or_asking_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "WITHIN", 0.3)
    large = {"/": lambda query: Reply(HTTPStatus.OK, b"x" * 2**25)}
    async with served("127.0.0.1:0", PAGES, Guarded(large)) as address:
        host, port = parsed(address)
        for begun in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET / HTTP/1.1\r\nHost: ", b""):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(begun)
            await asyncio.sleep(1.0)
            with suppress(ConnectionError):
                rest = await asyncio.wait_for(reader.read(), SOON)
                assert len(rest) < 2**25
            writer.transport.abort()


@pytest.mark.parametrize("address", ["", "9464", "localhost:", "localhost:http", "127.0.0.1:65536", ":80"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(InputError):
        parsed(address)


async def test_a_name_that_is_none_cannot_be_listened_at() -> None:
    for host in ("a" * 300, "a..b", "x\x00"):
        with pytest.raises(InputError, match="cannot be listened at"):
            async with served(f"{host}:0", PAGES):
                pass


async def test_a_port_that_is_taken() -> None:
    async with served("127.0.0.1:0", PAGES) as address:
        with pytest.raises(InputError, match="cannot be listened at"):
            async with served(address, PAGES):
                pass


def test_metrics_follow_what_happens(scene: Scene) -> None:
    metrics = Metrics()
    seen: dict[str, Any] = {}

    async def course(watch: Watch) -> None:
        watch.onlookers.append(metrics)
        assert (healthy(watch).status, ready(watch).status) == (HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE)
        await asyncio.sleep(10)
        assert (healthy(watch).body, ready(watch).body) == (b"ok\n", b"leads\n")
        scene.want(web="h2")
        scene.edit(watch)
        await asyncio.sleep(60)
        seen["text"] = pages(watch, metrics)["/metrics"]().body.decode()

        metrics.told(Told(News.LEADS, "it leads"))
        watch.leads = False  # its lease or its hosts went; no news says so
        assert b"reconciler_watch_leading 0.0" in pages(watch, metrics)["/metrics"]().body

    scene.play(course)
    lines = seen["text"].splitlines()
    for line in (
        "reconciler_watch_leading 1.0",
        "reconciler_specs_readable 1.0",
        "reconciler_workloads 1.0",
        "reconciler_workloads_drifted 0.0",
        'reconciler_workloads_waiting{cause="put-back"} 0.0',
        'reconciler_host_seen{host="h2"} 1.0',
        'reconciler_changes_total{state="done"} 2.0',
        "reconciler_move_frozen_seconds_count 1.0",
        'reconciler_step_seconds_count{kind="commit"} 1.0',
    ):
        assert line in lines, seen["text"]


def test_what_is_under_way_is_not_as_the_specs_want_it(scene: Scene) -> None:
    drifted: list[int] = []

    class Notes(Metrics):
        def drifted(self, number: int) -> None:
            drifted.append(number)

    async def course(watch: Watch) -> None:
        watch.onlookers.append(Notes())
        await asyncio.sleep(30)

    scene.play(course)
    assert drifted[0] == 1 and drifted[-1] == 0


def test_metrics_of_what_waits_and_fails(tmp_path: Path) -> None:
    want(tmp_path, web="h1")
    metrics, spec = Metrics(), load_all([tmp_path / "specs"]).spec
    metrics.looked(spec, (Postponed("web", Cause.PUT_BACK, "why"),), ("h2",), 0.1)
    metrics.told(Told(News.TROUBLE, "it is full", code="S601"))
    metrics.points({"a": Point("a", "p", 600.0, 7200.0), "b": Point("b", "p", None, 7200.0, late=True)})
    text = metrics.text(True).decode()
    assert 'reconciler_workloads_waiting{cause="put-back"} 1.0' in text
    assert "reconciler_workloads_saved 2.0" in text and "reconciler_workloads_late 1.0" in text
    assert "reconciler_oldest_checkpoint_seconds 600.0" in text
    assert 'reconciler_host_seen{host="h2"} 0.0' in text and 'reconciler_troubles_total{code="S601"} 1.0' in text


def test_a_watch_that_does_not_move_is_not_well() -> None:
    stuck: Any = SimpleNamespace(silent_for=lambda: 1000.0, pace=SimpleNamespace(drift=60.0))
    assert healthy(stuck).status is HTTPStatus.SERVICE_UNAVAILABLE


async def test_a_watch_that_waits_for_specs_is_well(tmp_path: Path) -> None:
    """However long its machine has been up."""
    watch = Watch(NoSource(), tmp_path / "journal", Notebook.beside(tmp_path / "journal"))
    assert asyncio.get_running_loop().time() > 0 and watch.silent_for() == 0
    assert healthy(watch).status is HTTPStatus.OK


async def test_who_asks_waits_for_nobody_who_computes() -> None:
    """As a plan of thousands of workloads does, in the loop of a watch."""
    answered = threading.Event()

    def ask(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=SOON) as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200 OK" in connection.recv(4096)
        answered.set()

    async with served("127.0.0.1:0", PAGES) as address:
        asking = asyncio.create_task(asyncio.to_thread(ask, parsed(address)[1]))
        await asyncio.sleep(0)
        end = time.monotonic() + SOON
        while not answered.is_set() and time.monotonic() < end:
            sum(range(10_000))
        assert answered.is_set()
        await asking
