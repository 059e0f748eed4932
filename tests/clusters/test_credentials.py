"""What a kubeconfig holds is shown by no error, and who it says acts is who acts. Real: sockets, programs."""

import asyncio
import json
import logging
import os
import sys
import time
from pathlib import Path

import pytest

from reconciler.engine.observe import observe
from reconciler.errors import HostError, HostUnreachable, ReconcilerError, ReplyLost
from reconciler.hosts.kubernetes import ClusterFleet
from reconciler.hosts.kubernetes.api import Request
from reconciler.hosts.kubernetes.connection import Connection
from reconciler.hosts.memory import Machine, MemoryFleet, Universe
from reconciler.model.cluster import ClusterSpec
from reconciler.model.world import HostUnknown
from tests.clusters.test_connection import GET, POST, config, failing, plain, sent, server

SECRET = "S3CR3T123456"
V1 = "client.authentication.k8s.io/v1"


def shown(error: Exception) -> str:
    assert isinstance(error, ReconcilerError)
    return f"{error} {error.what} {error.why} {error.fix} {error.where}"


def python(text: str, *args: str, **more: object) -> dict:
    return {"exec": {"apiVersion": V1, "command": sys.executable, "args": ["-c", text, *args], **more}}


async def ok(head: str) -> bytes:
    return plain("{}")


@pytest.mark.parametrize("token", [f"{SECRET}\nX", f"{SECRET}\x01", f"ä{SECRET}", f"{SECRET} {SECRET}", [SECRET]])
async def test_a_token_that_is_none_is_not_shown(tmp_path: Path, token: object) -> None:
    (tmp_path / "token").write_text(token if isinstance(token, str) else "a b")
    users = [{"token": token}, {"tokenFile": str(tmp_path / "token")}]
    answer = json.dumps({"status": {"token": token}})
    async with server(ok) as url:
        for user in (*users, python("import sys; print(sys.argv[1])", answer)):
            error = await failing(config(tmp_path, url, user))
            assert isinstance(error, HostError) and error.code == ("H224" if "exec" in user else "H222")
            assert SECRET not in shown(error) and "token" in error.why


@pytest.mark.parametrize(
    "answer",
    [
        SECRET,
        f'"{SECRET}"',
        f'{{"status": "{SECRET}"}}',
        f'{{"status": {{"clientCertificateData": ["{SECRET}"]}}}}',
        f'{{"status": {{"clientCertificateData": "{SECRET}", "clientKeyData": "{SECRET}"}}}}',
    ],
)
async def test_what_an_exec_program_answers_is_not_shown(tmp_path: Path, answer: str) -> None:
    user = python("import sys; print(sys.argv[1])", answer)
    async with server(ok) as url:
        assert SECRET not in shown(await failing(config(tmp_path, url, user)))


async def test_a_token_may_end_with_a_line(tmp_path: Path) -> None:
    heads: list[str] = []

    async def serve(head: str) -> bytes:
        heads.append(head)
        return plain("{}")

    login = python("""print('{"status": {"token": "sesame\\\\n"}}')""")
    (tmp_path / "token").write_text("sesame\n")
    async with server(serve) as url:
        for user in ({"token": "sesame\n"}, {"tokenFile": "token"}, login):
            assert (await sent(config(tmp_path, url, user), GET))[0].status == 200
    assert all("authorization: bearer sesame\r\n" in head.lower() for head in heads) and len(heads) == 3


async def test_what_an_exec_program_was_given_is_not_shown(tmp_path: Path) -> None:
    complains = "import os, sys; print('first'); sys.exit(f'bad {sys.argv[1]} and ' + os.environ['KEPT'])"
    user = python(complains, f"--oidc-client-secret={SECRET}", env=[{"name": "KEPT", "value": f"{SECRET}-too"}])
    error = await failing(config(tmp_path, "http://127.0.0.1:1", user))
    assert isinstance(error, HostError) and error.code == "H224"
    assert error.why == "bad ... and ..." and SECRET not in shown(error) and sys.executable in error.what
    long = await failing(
        config(tmp_path, "http://127.0.0.1:1", python("import sys; sys.exit('x\\n' * 9 + 'y' * 5000)"))
    )
    assert isinstance(long, HostError) and long.why == "y" * 200


async def test_a_yaml_that_is_none_is_not_shown(tmp_path: Path) -> None:
    for text in (
        f"users: [*{SECRET}]",
        f"users: !{SECRET} x",
        f"a: b: {SECRET}",
        f"users: [{{name: u, user: {SECRET}}}]",
    ):
        (tmp_path / "config").write_text(f"current-context: x\n{text}\n")
        error = await failing(ClusterSpec(kubeconfig=str(tmp_path / "config")))
        assert isinstance(error, HostError) and error.code == "H222" and SECRET not in shown(error)


async def test_whom_the_user_acts_as_is_told_to_the_server(tmp_path: Path) -> None:
    heads: list[str] = []

    async def serve(head: str) -> bytes:
        heads.append(head.lower())
        return plain("{}")

    user = {"token": "t", "as": "jane", "as-uid": "7", "as-groups": ["a", "b"], "as-user-extra": {"Why/x": ["y"]}}
    async with server(serve) as url:
        await sent(config(tmp_path, url, user), GET)
        lines = heads[0].split("\r\n")
        told = {"impersonate-user: jane", "impersonate-uid: 7", "impersonate-group: a", "impersonate-group: b"}
        assert told | {"impersonate-extra-why%2fx: y"} <= set(lines)
        for wrong in ({"as": "a\nb"}, {"as-groups": ["a"]}, {"as": ["a"]}, {"as": "a", "as-of": "b"}, {"as": 7}):
            error = await failing(config(tmp_path, url, wrong))
            assert isinstance(error, HostError) and error.code == "H222"
    assert len(heads) == 1


async def test_a_proxy_and_the_name_in_a_certificate_are_honoured(tmp_path: Path) -> None:
    heads: list[str] = []

    async def proxy(head: str) -> bytes:
        heads.append(head)
        return plain("{}")

    async with server(proxy) as url:
        await sent(config(tmp_path, "http://api.example:8001", **{"proxy-url": url}), GET)
    assert heads[0].startswith("GET http://api.example:8001/api/v1/nodes")
    for wrong in ("socks5://127.0.0.1:9", "http://[::1:9", "nowhere"):
        error = await failing(config(tmp_path, "http://127.0.0.1:1", **{"proxy-url": wrong}))
        assert isinstance(error, HostError) and error.code == "H222" and "proxy-url" in error.why


BAD = ["http://127.0.0.1:99999", "http://[::1:9", "ftp://x", "nothing", "http://a b", "https://"]


@pytest.mark.parametrize("url", BAD)
async def test_an_address_that_is_none(tmp_path: Path, url: str) -> None:
    error = await failing(config(tmp_path, url))
    assert isinstance(error, HostError) and (error.code, error.where) == ("H222", "prod") and "server" in error.why


async def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    folder = str(tmp_path)
    for user in ({"tokenFile": folder}, {"client-certificate": folder, "client-key": folder}, {"token": 7}):
        error = await failing(config(tmp_path, "http://127.0.0.1:1", user))
        assert isinstance(error, HostError) and error.code == "H222"
    for cluster in ({"certificate-authority": folder}, {"certificate-authority-data": "%"}, {"server": 7}):
        error = await failing(config(tmp_path, "http://127.0.0.1:1", **cluster))
        assert isinstance(error, HostError) and error.code == "H222"
    error = await failing(ClusterSpec(kubeconfig=folder))
    assert isinstance(error, HostError) and error.code == "H222"


async def test_what_one_cluster_raises_is_not_the_others(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        async def send(self, request: Request) -> None:
            raise OverflowError(SECRET)

        async def close(self) -> None: ...

    universe = Universe()
    universe.machines["h1"] = Machine("h1", universe)
    specs = {"bad": ClusterSpec()}
    fleet = ClusterFleet(MemoryFleet(universe), specs, {}, lambda name, spec: Broken())  # type: ignore[arg-type, return-value]
    with caplog.at_level(logging.ERROR):
        world = await observe(fleet, {}, ["bad/", "h1"])
    found = world.hosts["bad/"]
    assert isinstance(found, HostUnknown) and "OverflowError" in found.reason and SECRET not in found.reason
    assert not isinstance(world.hosts["h1"], HostUnknown) or world.hosts["h1"].reason != found.reason
    assert any(record.exc_info for record in caplog.records)


async def test_a_server_that_trickles_has_an_end(tmp_path: Path) -> None:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    listening = await asyncio.start_server(one, "127.0.0.1", 0)
    spec = config(tmp_path, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    began = time.monotonic()
    read = await failing(spec, Request("GET", "/api/v1/nodes", timeout=0.4))
    change = await failing(spec, Request("POST", "/api/v1/nodes", body="{}", timeout=0.4))
    assert time.monotonic() - began < 5
    assert isinstance(read, HostUnreachable) and read.code == "H228" and isinstance(change, ReplyLost)
    listening.close()


async def test_an_answer_that_is_too_large_is_not_kept(tmp_path: Path) -> None:
    import gzip

    packed = gzip.compress(b" " * 3_000_000)

    async def bomb(head: str) -> bytes:
        return (
            f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode() + packed
        )

    async with server(bomb) as url:
        spec = config(tmp_path, url)
        error = await failing(spec, Request("GET", "/x", timeout=5.0, most=2**20))
        assert isinstance(error, HostError) and error.code == "H290" and str(2**20) in str(error)
        assert isinstance(
            await failing(spec, Request("POST", "/x", body="{}", timeout=5.0, most=2**20)), ReplyLost
        )
    assert POST.most == 8 * 2**20


@pytest.mark.parametrize("how", ["waits", "writes"])
async def test_an_exec_program_ends_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A child that holds the pipe does not hold us; a login that is given up leaves nothing."""
    monkeypatch.setattr("reconciler.hosts.kubernetes.login.EXEC_LIMIT", 1.5)
    child = f"sleep 60 & echo $! > {tmp_path}/child; wait"
    user = {"exec": {"apiVersion": V1, "command": "sh", "args": ["-c", child]}}
    began = time.monotonic()
    connection = Connection("prod", config(tmp_path, "http://127.0.0.1:1", user))
    if how == "waits":
        with pytest.raises(HostError) as failure:
            await connection.send(GET)
        assert failure.value.code == "H224" and "did not end within 1.5 s" in str(failure.value)
    else:
        task = asyncio.create_task(connection.send(GET))
        for _ in range(200):
            if (tmp_path / "child").exists() and (tmp_path / "child").read_text():
                break
            await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert time.monotonic() - began < 15
    pid = int((tmp_path / "child").read_text())
    for _ in range(100):
        if not alive(pid):
            break
        await asyncio.sleep(0.05)
    assert not alive(pid)


def alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


async def test_what_an_exec_program_leaves_behind_is_not_waited_for(tmp_path: Path) -> None:
    answer = json.dumps({"status": {"token": "t"}})
    user = {"exec": {"apiVersion": V1, "command": "sh", "args": ["-c", f"sleep 8 & echo '{answer}'"]}}
    began = time.monotonic()
    async with server(ok) as url:
        assert (await sent(config(tmp_path, url, user), GET))[0].status == 200
    assert time.monotonic() - began < 7


async def test_an_exec_program_that_never_stops_talking(tmp_path: Path) -> None:
    user = {"exec": {"apiVersion": V1, "command": "yes"}}
    error = await failing(config(tmp_path, "http://127.0.0.1:1", user))
    assert isinstance(error, HostError) and error.code == "H224" and "more than" in error.why


async def test_a_kubeconfig_that_is_written_anew_is_read_again(tmp_path: Path) -> None:
    good = "t1"

    async def serve(head: str) -> bytes:
        return plain("{}", "200 OK" if f"bearer {good}" in head.lower() else "401 Unauthorized")

    async with server(serve) as url:
        connection = Connection("prod", config(tmp_path, url, {"token": "t1"}))
        assert (await connection.send(GET)).status == 200
        good = "t22"
        assert (await connection.send(GET)).status == 401
        config(tmp_path, url, {"token": "t22"})
        assert (await connection.send(GET)).status == 200
    async with server(serve) as url:
        config(tmp_path, url, {"token": "t22"})
        assert (await connection.send(GET)).status == 200, "its server is elsewhere now"
        await connection.close()


async def test_several_kubeconfigs_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are not there are passed by; the first that says something counts."""
    async with server(ok) as url:
        config(tmp_path, url)
        whole = json.loads((tmp_path / "config").read_text())
        (tmp_path / "a").write_text(json.dumps({"clusters": whole["clusters"], "users": None}))
        rest = {**whole, "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}]}
        (tmp_path / "b").write_text(json.dumps(rest))
        named = [str(tmp_path / name) for name in ("missing", "a", "b")]
        monkeypatch.setenv("KUBECONFIG", os.pathsep.join(named))
        assert (await sent(ClusterSpec(), GET))[0].status == 200
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
        assert "there is no" in str(await failing(ClusterSpec()))
