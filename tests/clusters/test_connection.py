"""Kubeconfigs, and what goes wrong on the way to an API server. Real: TLS, sockets, programs. Fake: the server."""

import asyncio
import base64
import json
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from reconciler.errors import HostError, HostUnreachable, ReplyLost
from reconciler.hosts.kubernetes.api import HttpAnswer, Request
from reconciler.hosts.kubernetes.connection import Connection
from reconciler.model.cluster import ClusterSpec
from tests.clusters.certificates import authority, signed

GET = Request("GET", "/api/v1/nodes", {"limit": "1000"}, timeout=2.0)
POST = Request("POST", "/api/v1/nodes", body="{}", timeout=2.0)

Serve = Callable[[str], Awaitable[bytes]]
"""From the head of a request to the bytes of the answer; empty: none."""


def plain(body: str, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n{body}".encode()


@asynccontextmanager
async def server(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                length = next(
                    (int(line[15:]) for line in head.lower().split("\r\n") if "content-length:" in line), 0
                )
                await reader.readexactly(length)
                writer.write(await serve(head))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(one, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{port}"
    finally:
        listening.close()


def config(folder: Path, url: str, user: dict | None = None, **cluster: object) -> ClusterSpec:
    file = folder / "config"
    whole = {
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": url, **cluster}}],
        "users": [{"name": "u", "user": user or {}}],
    }
    file.write_text(json.dumps(whole))
    return ClusterSpec(kubeconfig=str(file))


async def sent(spec: ClusterSpec, *requests: Request) -> list[HttpAnswer]:
    connection = Connection("prod", spec)
    try:
        return [await connection.send(request) for request in requests]
    finally:
        await connection.close()


async def failing(spec: ClusterSpec, request: Request = GET) -> Exception:
    with pytest.raises((HostError, ReplyLost)) as failure:
        await sent(spec, request)
    return failure.value


async def test_a_token_and_what_is_asked(tmp_path: Path) -> None:
    heads: list[str] = []

    async def serve(head: str) -> bytes:
        heads.append(head)
        return plain("busy", "429 Too Many Requests", "Retry-After: 7\r\n")

    async with server(serve) as url:
        (answer,) = await sent(config(tmp_path, url, {"token": "sesame"}), GET)
    assert answer == HttpAnswer(429, "busy", 7.0)
    assert (
        heads[0].startswith("GET /api/v1/nodes?limit=1000 ") and "authorization: bearer sesame" in heads[0].lower()
    )


async def test_a_client_certificate_over_tls_and_an_authority_that_is_another(tmp_path: Path) -> None:
    ours, theirs = authority("ours"), authority("theirs")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*signed(ours, "127.0.0.1", tmp_path))
    (tmp_path / "ca.pem").write_text(ours.pem)
    context.load_verify_locations(tmp_path / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    certificate, key = signed(ours, "admin", tmp_path)
    user = {"client-certificate": certificate, "client-key": key}

    async def serve(head: str) -> bytes:
        return plain("{}")

    async with server(serve, context) as url:
        data = base64.b64encode(ours.pem.encode()).decode()
        (answer,) = await sent(config(tmp_path, url, user, **{"certificate-authority-data": data}), GET)
        assert answer.status == 200
        wrong = base64.b64encode(theirs.pem.encode()).decode()
        error = await failing(config(tmp_path, url, user, **{"certificate-authority-data": wrong}))
    assert isinstance(error, HostError) and error.code == "H223"


LOGIN = """
import json, os, sys
asked = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
assert asked["kind"] == "ExecCredential"
file = sys.argv[1]
number = int(open(file).read() or 0) + 1
open(file, "w").write(str(number))
print(json.dumps({"apiVersion": asked["apiVersion"], "kind": "ExecCredential", "status": {"token": f"t{number}"}}))
"""


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_an_exec_program_gives_a_token_and_a_new_one_when_it_has_expired(
    tmp_path: Path, version: str
) -> None:
    (tmp_path / "login.py").write_text(LOGIN)
    (tmp_path / "count").write_text("")
    args = [str(tmp_path / "login.py"), str(tmp_path / "count")]
    run = {"apiVersion": f"client.authentication.k8s.io/{version}", "command": sys.executable, "args": args}
    good = "bearer t1"

    async def serve(head: str) -> bytes:
        return plain("{}") if good in head.lower() else plain("{}", "401 Unauthorized")

    async with server(serve) as url:
        connection = Connection("prod", config(tmp_path, url, {"exec": run}))
        assert (await connection.send(GET)).status == 200
        good = "bearer t2"
        assert (await connection.send(GET)).status == 200
        good = "bearer none"
        assert (await connection.send(GET)).status == 401
        await connection.close()
    assert (tmp_path / "count").read_text() == "3"


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({"command": "no-such-program", "installHint": "install it"}, "install it"),
        ({"command": "false"}, "it ended with 1"),
        ({"command": "true"}, "not JSON"),
        ({"command": "echo", "args": ["{}"]}, "neither a token nor a certificate"),
        ({"command": "sleep", "args": ["100"]}, "did not end within 0.1 s"),
        ({"command": "true", "apiVersion": "client.authentication.k8s.io/v7"}, "v7"),
    ],
)
async def test_an_exec_program_that_gives_no_login(
    tmp_path: Path, run: dict, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.hosts.kubernetes.login.EXEC_LIMIT", 0.1 if "sleep" in str(run) else 60.0)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", **run}}
    error = await failing(config(tmp_path, "http://127.0.0.1:1", user))
    assert isinstance(error, HostError) and error.code in ("H224", "H222") and said in str(error)


@pytest.mark.parametrize(
    ("text", "context", "said"),
    [
        (None, None, "there is no"),
        ("{", None, "not a kubeconfig"),
        ("[]", None, "not a kubeconfig"),
        ("clusters: 7\ncontexts: []\n", None, "not a kubeconfig"),
        ("clusters: []\ncontexts: []\n", None, "no current-context"),
        ("clusters: []\ncontexts: []\n", "prod", "'prod' was not found"),
        (
            "clusters: []\ncontexts: [{name: a, context: {cluster: gone, user: u}}]\nusers: []\n",
            "a",
            "names the cluster 'gone'",
        ),
        ("x" * (2**20 + 1), None, "larger than"),
    ],
)
async def test_kubeconfigs_that_cannot_be_used(
    tmp_path: Path, text: str | None, context: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / "config").write_text(text)
    error = await failing(ClusterSpec(kubeconfig=str(tmp_path / "config"), context=context))
    assert isinstance(error, HostError) and (error.code, error.where) == ("H222", "prod")
    assert said in str(error) and error.fix


async def test_a_server_that_is_off_hangs_or_hangs_up(tmp_path: Path) -> None:
    error = await failing(config(tmp_path, "http://127.0.0.1:1"))
    assert isinstance(error, HostUnreachable) and error.code == "H221"

    async def never(head: str) -> bytes:
        await asyncio.sleep(60)
        return b""

    async def cut(head: str) -> bytes:
        raise ConnectionError

    async def noise(head: str) -> bytes:
        return b"\x00\x01 no HTTP at all\r\n\r\n"

    for serve in (never, cut, noise):
        async with server(serve) as url:
            spec = config(tmp_path, url)
            quick = [Request(r.method, r.path, body=r.body, timeout=0.2) for r in (GET, POST)]
            read, change = [await failing(spec, one) for one in quick]
        assert isinstance(read, HostUnreachable) and read.code == "H228"
        assert isinstance(change, ReplyLost)


async def test_in_a_cluster_it_is_the_pods_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = await failing(ClusterSpec(in_cluster=True))
    assert isinstance(error, HostError) and error.code == "H222" and "service account" in str(error)
