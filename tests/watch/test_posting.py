"""What a watch tells others: webhooks, commands, templates of one's own. Real: sockets, HTTP, processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli import main
from reconciler.errors import InputError
from reconciler.load.render_reports import event_renderer
from reconciler.watch import posting
from reconciler.watch.posting import Message, message_of, secret_key, signed
from reconciler.watch.sending import post
from reconciler.watch.told import News, Told
from tests.watch.scene import Scene, scene

__all__ = ["scene"]
SOON = 60.0


def test_signatures_are_those_of_standard_webhooks() -> None:
    """The example of the specification."""
    key = secret_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    message = Message("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed(message, key)["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert "webhook-signature" not in signed(message, b"")


@pytest.mark.parametrize("secret", ["whsec_short", "whsec_äää", "x" * 500])
def test_what_is_no_secret_is_not_shown(secret: str) -> None:
    with pytest.raises(InputError) as error:
        secret_key(secret)
    assert secret not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "nowhere",
        "http://[",
        "http://h:99999/",
        "http://h:x/",
        "http://h:0/",
        f"http://{'a' * 300}/",
        "ftp://h/",
        "http:///",
    ],
)
def test_what_is_no_url_is_refused_before_anything_begins(url: str) -> None:
    with pytest.raises(InputError) as error:
        posting.webhook(url)
    assert error.value.code == "E190"


@asynccontextmanager
async def receiver(answers: list[bytes]) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers what it is told to, the last one for ever; empty: it hangs."""
    got: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        )
        got.append(head + await reader.readexactly(length))
        said = answers.pop(0) if len(answers) > 1 else answers[0]
        if said:
            writer.write(said)
            await writer.drain()
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?x=1", got


OK = b"HTTP/1.1 204 No Content\r\n\r\n"
BROKEN = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
ELSEWHERE = b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n"


async def until(holds: Any) -> None:
    async with asyncio.timeout(SOON):
        while not holds():  # noqa: ASYNC110  a server in the same loop changes it
            await asyncio.sleep(0.01)


async def test_a_webhook_is_tried_again_with_the_same_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(posting.SECRET, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    monkeypatch.setattr(posting, "WITHIN", 0.5)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with receiver([BROKEN, ELSEWHERE, b"", b"nonsense\r\n\r\n", OK]) as (url, got):
        hook = posting.webhook(url)
        hook.sleep = sleep
        hook.told(Told(News.ENDED, "done", workload="web", run="r1", state="done"))
        hook.told(Told(News.CONVERGED, "all is well"))
        job = asyncio.create_task(hook.deliver())
        await until(lambda: len(got) == 6)
        job.cancel()
    assert slept == [5.0, 30.0, 120.0, 600.0]
    heads = [message.partition(b"\r\n\r\n")[0] for message in got]
    ids = [next(line for line in head.split(b"\r\n") if line.startswith(b"webhook-id")) for head in heads]
    assert len(set(ids[:5])) == 1 and ids[5] != ids[0]
    assert heads[0].startswith(b"POST /hook?x=1 HTTP/1.1") and b"webhook-signature: v1," in heads[0]
    body = json.loads(got[0].partition(b"\r\n\r\n")[2])
    assert body["type"] == "watch.ended"
    assert body["data"] == {"text": "done", "workload": "web", "run": "r1", "state": "done"}


@pytest.mark.parametrize("answer", [BROKEN, b""], ids=["answers 500", "hangs"])
async def test_a_webhook_that_fails_for_an_hour_gets_all_that_happened_meanwhile(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, and nobody waited for it; the watch goes on telling it. Made here: the clock of the pauses."""
    monkeypatch.setattr(posting, "WITHIN", SOON if answer else 1.0)
    passed = 0.0
    answers = [answer]

    async def sleep(seconds: float) -> None:
        nonlocal passed
        passed += seconds
        hook.told(Told(News.WAITS, f"after {passed:.0f} s"))
        if passed >= 3600:
            answers[:] = [OK]

    async with receiver(answers) as (url, got):
        hook = posting.webhook(url)
        hook.sleep = sleep
        hook.told(Told(News.WAITS, "first"))
        job = asyncio.create_task(hook.deliver())
        await until(lambda: passed >= 3600 and hook._waiting.empty() and b"after 6155" in got[-1])
        job.cancel()
    taken = [json.loads(message.partition(b"\r\n\r\n")[2])["data"]["text"] for message in got]
    assert taken[:6] == ["first"] * 6, "it was asked again while it failed"
    assert taken[6:] == ["first", *(f"after {n} s" for n in (5, 35, 155, 755, 2555, 6155))]


async def test_a_webhook_that_is_gone_costs_the_oldest_messages() -> None:
    hook = posting.webhook("http://127.0.0.1:1/")
    for number in range(posting.MOST_WAITING + 5):
        hook.told(Told(News.WAITS, str(number)))
    first = json.loads((await hook._waiting.get()).body)
    assert first["data"]["text"] == "5"


async def test_a_command_gets_it_on_stdin_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(posting.SECRET, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    script = f"cat > {tmp_path}/got; env > {tmp_path}/env; sleep 1000 & exit 0"
    await posting.command(f"/bin/sh -c '{script}'").send(message_of(Told(News.LEADS, "it leads")))
    assert json.loads((tmp_path / "got").read_text())["type"] == "watch.leads"
    assert "whsec_" not in (tmp_path / "env").read_text()
    with pytest.raises(ValueError, match="status 3"):
        await posting.command("/bin/sh -c 'exit 3'").send(message_of(Told(News.LEADS, "it leads")))


def test_a_template_says_what_is_sent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    chat = tmp_path / "chat.j2"
    chat.write_text('{"text": {{ (data.workload ~ ": " ~ data.text) | tojson }}}\n')
    hook = posting.webhook("http://127.0.0.1:1/", event_renderer(chat))
    hook.told(Told(News.ENDED, 'put "back"', workload="web"))
    assert json.loads(hook._waiting.get_nowait().body) == {"text": 'web: put "back"'}
    chat.write_text(
        "{% if not data.run %}{{ data.nothing }}{% endif %}"
    )  # fine for the example, fails without a run
    hook = posting.webhook("http://127.0.0.1:1/", event_renderer(chat))
    hook.told(Told(News.LEADS, "it leads"))
    assert json.loads(hook._waiting.get_nowait().body)["data"] == {"text": "it leads"}, (
        "news is never lost for that"
    )
    assert "without its template" in caplog.text


@pytest.mark.parametrize(
    "text", ["{{ data.nothing }}", "{% for", "{{ ''.__class__ }}", "{{ range(10**9) | list }}"]
)
def test_a_template_that_fails_is_told_before_anything_begins(text: str, tmp_path: Path) -> None:
    (tmp_path / "bad.j2").write_text(text)
    with pytest.raises(InputError) as error:
        event_renderer(tmp_path / "bad.j2")
    assert error.value.code == "E188"
    with pytest.raises(InputError):
        event_renderer(tmp_path / "none.j2")


async def test_the_end_waits_for_what_was_told_last_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(posting, "LAST_WAIT", 0.5)
    taken: list[bytes] = []

    async def send(message: Message) -> None:
        await asyncio.sleep(0.05)
        taken.append(message.body)

    async def hang(message: Message) -> None:
        await asyncio.sleep(SOON)

    for way, number in ((send, 3), (hang, 0)):
        job = posting.Post(way, "the command x")
        for news in (News.BEGINS, News.ENDED, News.STOPS):
            job.told(Told(news, "web"))
        carrier = asyncio.create_task(job.deliver())
        await asyncio.wait_for(job.finish(), SOON)
        carrier.cancel()
        assert len(taken) == number or way is hang
    assert caplog.text.count("before the end") == 1
    full = posting.Post(send, "the command x")
    for _ in range(posting.MOST_WAITING + 5):
        full.told(Told(News.BEGINS, "web"))
    assert full._waiting._unfinished_tasks == posting.MOST_WAITING  # what was dropped is not waited for


@pytest.mark.parametrize("by", ["once", "SIGTERM"])
def test_what_a_watch_tells_last_is_delivered(scene: Scene, tmp_path: Path, by: str) -> None:
    """The program itself, whose command takes a while."""
    got = tmp_path / "got"
    slow = tmp_path / "slow"
    slow.write_text(f"#!/bin/sh\nsleep 0.3; cat >> {got}; echo >> {got}\n")
    slow.chmod(0o755)
    got.touch()

    def terminate() -> None:
        end = time.monotonic() + SOON
        while "converged" not in got.read_text() and time.monotonic() < end:
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)

    if by == "SIGTERM":
        threading.Thread(target=terminate).start()
    assert main.run(["watch", *(["--once"] if by == "once" else []), "--on-event", str(slow)]) == 0
    told = [json.loads(line)["type"] for line in got.read_text().splitlines()]
    assert "watch.ended" in told and told[-1] == {"once": "watch.converged", "SIGTERM": "watch.stops"}[by]


async def test_a_command_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await posting.command("sleep 1000").send(message_of(Told(News.LEADS, "it leads")))


@pytest.mark.parametrize(
    ("make", "text"), [(posting.webhook, "ftp://x"), (posting.webhook, "x"), (posting.command, "'")]
)
def test_what_cannot_be_told_to(make: Any, text: str) -> None:
    with pytest.raises(InputError):
        make(text)


async def test_what_speaks_no_http_is_an_error() -> None:
    async with receiver([b"\x00" * 100]) as (url, _):
        with pytest.raises(ValueError, match="no HTTP"):
            await asyncio.wait_for(post(url, b"{}", {}), SOON)
