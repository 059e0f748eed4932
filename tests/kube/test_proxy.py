"""The hostile proxy does to a client what it says, and nothing when it is told nothing."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
import time

import pytest

from tests.kube.api import Api
from tests.kube.cluster import ADMIN, Cluster
from tests.kube.objects import Instance, Migration
from tests.kube.proxy import Fault, Kind, Proxy, standing_before
from tests.kube.world import World

pytestmark = [pytest.mark.lab, pytest.mark.kube]

VMIS = "/apis/kubevirt.io/v1/virtualmachineinstances"


def ask(
    cluster: Cluster, proxy: Proxy, path: str = VMIS, timeout: float = 30
) -> tuple[int, dict[str, str], bytes]:
    trust = ssl.create_default_context(cafile=str(cluster.ca))
    connection = http.client.HTTPSConnection(proxy.url.removeprefix("https://"), timeout=timeout, context=trust)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {cluster.tokens[ADMIN]}"})
        answer = connection.getresponse()
        return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_nothing_is_changed_unless_told(world: World) -> None:
    world.machine("db", "node01")
    with standing_before(world.cluster) as proxy:

        async def names() -> list[str]:
            async with Api(world.cluster.kubeconfig(server=proxy.url)) as api:
                return [one["metadata"]["name"] for one in await api.list(Instance)]

        assert asyncio.run(names()) == ["db"]
        assert [call.method for call in proxy.calls] == ["GET"]
        assert proxy.calls[0].path.startswith(VMIS)


@pytest.mark.parametrize(
    ("kind", "code", "says"),
    [
        (Kind.TOO_MANY, 429, b"TooManyRequests"),
        (Kind.BROKEN, 500, b"InternalError"),
        (Kind.UNAVAILABLE, 503, b"no healthy upstream"),
        (Kind.EXPIRED, 401, b"Unauthorized"),
        (Kind.FORBIDDEN, 403, b"Forbidden"),
    ],
)
def test_refusals_come_as_often_as_told(cluster: Cluster, kind: Kind, code: int, says: bytes) -> None:
    with standing_before(cluster) as proxy:
        proxy.faults.append(Fault(kind, "GET", "/virtualmachineinstances", times=2, retry_after=7))
        answers = [ask(cluster, proxy) for _ in range(3)]
    assert [answer[0] for answer in answers] == [code, code, 200]
    assert says in answers[0][2]
    assert answers[0][1].get("retry-after") == ("7" if kind is Kind.TOO_MANY else None)
    assert [call.fault for call in proxy.calls] == [kind, kind, None]


def test_answers_that_are_none(cluster: Cluster) -> None:
    with standing_before(cluster) as proxy:
        proxy.faults += [Fault(Kind.GARBAGE), Fault(Kind.TORN), Fault(Kind.CUT)]
        code, _, body = ask(cluster, proxy)
        assert code == 200
        with pytest.raises(ValueError, match=r"Expecting|decode|Invalid"):
            json.loads(body)
        with pytest.raises(http.client.IncompleteRead):
            ask(cluster, proxy)
        with pytest.raises(http.client.RemoteDisconnected):
            ask(cluster, proxy)


def test_who_hangs_is_let_go_at_the_end(cluster: Cluster) -> None:
    with standing_before(cluster) as proxy:
        proxy.faults.append(Fault(Kind.HANG))
        with pytest.raises(TimeoutError):
            ask(cluster, proxy, timeout=0.5)
        assert ask(cluster, proxy)[0] == 200


def test_a_lost_answer_was_done(world: World) -> None:
    world.machine("db", "node01")
    with standing_before(world.cluster) as proxy:
        proxy.faults.append(Fault(Kind.LOST, "POST"))

        async def create() -> None:
            async with Api(world.cluster.kubeconfig(server=proxy.url)) as api:
                body = {"metadata": {"name": "m", "namespace": "default"}, "spec": {"vmiName": "db"}}
                await api.create(Migration, body)

        with pytest.raises(Exception, match="disconnect"):
            asyncio.run(create())
    assert world.migration({"metadata": {"name": "m", "namespace": "default"}})


def test_watches_end_and_grow_too_old(world: World) -> None:
    world.machine("db", "node01")
    watch = f"{VMIS}?watch=true"
    with standing_before(world.cluster) as proxy:
        proxy.faults += [Fault(Kind.CLOSED_WATCH, after=1), Fault(Kind.TOO_OLD)]
        _, _, body = ask(world.cluster, proxy, watch)
        (line,) = body.splitlines()
        assert json.loads(line)["type"] == "ADDED"
        _, _, body = ask(world.cluster, proxy, watch)
        assert json.loads(body)["object"]["code"] == 410
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            ask(world.cluster, proxy, watch, timeout=0.5)
        assert time.monotonic() - begun >= 0.5
