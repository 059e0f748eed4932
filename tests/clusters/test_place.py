"""Places in a cluster: calls, refusals, retries, and the guard over annotations. Fake: the API server."""

import asyncio
import json
import time
from dataclasses import replace

import pytest

from reconciler.errors import CommandFailed, GuardRefused, HostError, HostUnreachable, ReplyLost
from reconciler.guard import guard, leases
from reconciler.hosts.base import pump
from reconciler.hosts.kubernetes.api import HttpAnswer, Request
from reconciler.hosts.kubernetes.clock import ServerClock
from reconciler.hosts.kubernetes.kept import MOST, KeptMarks, Row, parse
from reconciler.hosts.kubernetes.place import ClusterPlace, Reached
from reconciler.hosts.memory.api import MemoryApi
from reconciler.model.cluster import MachineRef
from reconciler.model.command import ApiCall, Command, Fence, Result, Verb
from reconciler.model.labels import KEPT, LABEL_WORKLOAD
from reconciler.model.place import cluster_of, leased, node_of, seat
from reconciler.model.plan import Phase
from reconciler.model.resources import NODE, VM

VMS = "kubevirt.io/virtualmachines"
BUSY = HttpAnswer(429, '{"message": "slow down"}', 0.01)


@pytest.fixture
def api() -> MemoryApi:
    made = MemoryApi("nodes", "configmaps", VMS)
    made.put(VMS, {"metadata": {"name": "db", "namespace": "shop"}, "spec": {"running": True}})
    return made


def place(api: MemoryApi, name: str = "prod/node01", **refs: MachineRef) -> ClusterPlace:
    return ClusterPlace(name, Reached("prod", "default", 2.0, refs or {"db": MachineRef("shop", "db")}), api)


def ask(program, where: ClusterPlace):
    return asyncio.run(pump(program, where))


def one(call: ApiCall):
    result = yield call
    return result


GET = ApiCall(Verb.GET, VM, "db", "shop")


def test_names_of_places() -> None:
    assert (cluster_of("prod/node01"), node_of("prod/node01"), leased("prod/node01")) == (
        "prod",
        "node01",
        "prod/",
    )
    assert (cluster_of("h1"), node_of("h1"), leased("h1"), cluster_of(seat("prod"))) == ("", "", "h1", "prod")


def test_a_busy_server_is_asked_again_and_not_for_ever(api: MemoryApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.hosts.kubernetes.place.PAUSE", 0.001)
    api.answers = [BUSY, HttpAnswer(503, "", 0.01)]
    assert ask(one(GET), place(api)).status == 200
    assert len(api.asked) == 3
    api.answers = [BUSY] * 20
    with pytest.raises(HostError) as failure:
        ask(one(GET), place(api))
    assert failure.value.code == "H227" and len(api.asked) == 8


def test_what_broke_on_the_way_is_asked_again(api: MemoryApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.hosts.kubernetes.place.PAUSE", 0.001)
    api.answers = [HttpAnswer(500, "{}"), HostUnreachable("cut", code="H228"), HttpAnswer(502, "")]
    assert ask(one(GET), place(api)).status == 200
    api.answers = [HostUnreachable("nobody listens", code="H221")]
    with pytest.raises(HostUnreachable):  # how long to wait for a server that is away is its caller's
        ask(one(GET), place(api))
    api.answers = [HostUnreachable("cut", code="H228")] * 9
    with pytest.raises(HostUnreachable):
        ask(one(GET), place(api))
    assert len(api.answers) == 4


def test_a_change_is_made_again_where_twice_is_once(api: MemoryApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.hosts.kubernetes.place.PAUSE", 0.001)
    patch = ApiCall(Verb.PATCH, VM, "db", "shop", body='{"spec": {"running": false}}')
    api.answers = [BUSY, HttpAnswer(504, "gateway"), ReplyLost("cut")]
    assert ask(one(patch), place(api)).status == 200
    api.answers = [ReplyLost("cut")] * 4
    with pytest.raises(ReplyLost):
        ask(one(patch), place(api))
    assert len(api.answers) == 1
    api.answers = [HttpAnswer(500, "{}")]
    create = ApiCall(Verb.CREATE, VM, "new", "shop", body='{"metadata": {"name": "new"}}')
    with pytest.raises(ReplyLost):
        ask(one(create), place(api))
    api.answers = [HttpAnswer(500, "{}")]
    assert ask(one(replace(create, ok=(409,))), place(api)).status == 201


PATCH = ApiCall(Verb.PATCH, VM, "db", "shop", body='{"spec": {"running": false}}')


@pytest.mark.parametrize(
    "answer",
    [HttpAnswer(302, ""), HttpAnswer(307, "{}"), HttpAnswer(200, "<html>log in</html>"), HttpAnswer(200, "")],
)
@pytest.mark.parametrize("call", [GET, PATCH, ApiCall(Verb.LIST, VM), replace(GET, ok=(302, 404))])
def test_who_is_no_api_server_has_done_nothing(api: MemoryApi, answer: HttpAnswer, call: ApiCall) -> None:
    """A proxy that sends to its login, or shows it."""
    api.answers = [answer]
    if answer.text == "{}" and call.ok:
        return
    with pytest.raises(HostError) as failure:
        ask(one(call), place(api))
    assert failure.value.code in ("H293", "H290") and len(api.asked) == 1


def test_a_page_that_says_404_is_not_a_machine_that_is_gone(api: MemoryApi) -> None:
    api.answers = [HttpAnswer(404, "<html>no such page</html>")]
    with pytest.raises(HostError) as failure:
        ask(one(replace(GET, ok=(404,))), place(api))
    assert failure.value.code == "H293"


def test_a_mark_or_lease_counts_where_the_answer_shows_it(api: MemoryApi) -> None:
    """Something in between answers what an API server would, and passes nothing on."""
    here, send = place(api), api.send

    async def swallowed(request: Request) -> HttpAnswer:
        if request.changes:
            return HttpAnswer(200, json.dumps(api.get(VMS, "db", "shop") | {"data": {}}))
        return await send(request)

    api.send = swallowed  # type: ignore[method-assign]
    asked = [
        guard.mark(Fence("db", 3), Phase.RESERVED, "source", run="r1"),
        leases.take("db", "me", 30.0),
    ]
    for program in asked:
        with pytest.raises(HostError) as failure:
            ask(program, here)
        assert failure.value.code == "H290"


def test_a_change_that_is_made_again_asks_the_marker_again(
    api: MemoryApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two another controller may have taken the workload."""
    monkeypatch.setattr("reconciler.hosts.kubernetes.place.PAUSE", 0.001)
    here, send = place(api), api.send

    async def lost(request: Request) -> HttpAnswer:
        if request.changes:
            monkeypatch.setattr(api, "send", send)
            kept = KeptMarks({"node01": Row(9, Phase.RUNNING)}).text
            api.change(VMS, "db", "shop", {"metadata": {"annotations": {KEPT: kept}}})
            raise ReplyLost("cut")
        return await send(request)

    monkeypatch.setattr(api, "send", lost)
    patch = ApiCall(Verb.PATCH, VM, "db", "shop", body='{"spec": {"x": 1}}', fence=Fence("db", 5))
    with pytest.raises(GuardRefused):
        ask(one(patch), here)
    assert "x" not in api.get(VMS, "db", "shop")["spec"]


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (HttpAnswer(401, '{"message": "Unauthorized"}'), "H224", "Unauthorized"),
        (HttpAnswer(403, '{"message": "no"}'), "H225", "get virtualmachines of kubevirt.io in shop"),
        (HttpAnswer(404, "404 page not found"), "H226", "virtualmachines.kubevirt.io"),
        (HttpAnswer(422, '{"message": "spec.x: wrong"}'), "C391", "spec.x: wrong"),
        (HttpAnswer(418, "<html>\n" + "x" * 9000), "C391", "<html>"),
    ],
)
def test_refusals_say_what_and_how_to_go_on(api: MemoryApi, answer: HttpAnswer, code: str, said: str) -> None:
    api.answers = [answer]
    with pytest.raises((HostError, CommandFailed)) as failure:
        ask(one(GET), place(api))
    assert failure.value.code == code and failure.value.where == "prod/node01"
    assert said in str(failure.value) and len(str(failure.value)) < 2000
    assert code == "C391" or failure.value.fix


def test_a_long_list_comes_as_one_and_begins_anew_when_its_rest_has_expired(api: MemoryApi) -> None:
    part = HttpAnswer(200, json.dumps({"items": [{"n": 1}], "metadata": {"continue": "more"}}))
    rest = HttpAnswer(200, json.dumps({"items": [{"n": 2}], "metadata": {}}))
    api.answers = [part, HttpAnswer(410, "{}"), part, rest]
    listed = ask(one(ApiCall(Verb.LIST, NODE)), place(api))
    assert json.loads(listed.stdout)["items"] == [{"n": 1}, {"n": 2}]
    api.answers = [part] * 500
    with pytest.raises(HostError) as failure:
        ask(one(ApiCall(Verb.LIST, NODE)), place(api))
    assert failure.value.code == "H290"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"items": 7}', '{"items": [], "metadata": 1}', "[" * 100_000])
def test_garbage_in_place_of_a_list_is_refused(api: MemoryApi, text: str) -> None:
    api.answers = [HttpAnswer(200, text)]
    with pytest.raises(HostError) as failure:
        ask(one(ApiCall(Verb.LIST, NODE)), place(api))
    assert failure.value.code == "H290" and failure.value.where == "prod/node01"


def test_no_commands_run_there(api: MemoryApi) -> None:
    def program():
        yield Command(("true",))

    with pytest.raises(HostError) as failure:
        ask(program(), place(api))
    assert failure.value.code == "H220" and not api.asked


# --- the guard ---


def test_markers_are_on_the_object_by_place_and_keep_what_others_wrote(api: MemoryApi) -> None:
    api.change(VMS, "db", "shop", {"metadata": {"annotations": {"theirs": "1"}}})
    here, there = place(api), place(api, "prod/node02")
    ask(guard.mark(Fence("db", 3), Phase.RESERVED, "source", run="r1", peer="prod/node02"), here)
    ask(guard.mark(Fence("db", 3), Phase.RESERVED, "destination", run="r1", peer="prod/node01"), there)
    found = api.get(VMS, "db", "shop")
    assert found["metadata"]["annotations"]["theirs"] == "1"
    assert found["metadata"]["labels"] == {LABEL_WORKLOAD: "db"}
    (shown,) = ask(guard.show("db"), there)
    assert shown.marker and (shown.marker.epoch, shown.marker.role) == (3, "destination")
    without_specs = ClusterPlace("prod/node01", Reached("prod", "default", 2.0, {}), api)
    (shown,) = ask(guard.show("db"), without_specs)
    assert shown.marker and shown.marker.peer == "prod/node02"


def test_the_guard_refuses_what_its_script_refuses(api: MemoryApi) -> None:
    here = place(api)
    ask(guard.mark(Fence("db", 5), Phase.RESERVED, "source", run="r1"), here)
    for fence, phase, run, code in (
        (Fence("db", 4), Phase.RUNNING, "r1", guard.LOWER_EPOCH),
        (Fence("db", 5), Phase.RESERVED, "r2", guard.OTHER_RUN),
    ):
        with pytest.raises(GuardRefused) as refused:
            ask(guard.mark(fence, phase, "source", run=run), here)
        assert refused.value.code == code
    ask(guard.mark(Fence("db", 5), Phase.RETIRED, "source", run="r1"), here)
    with pytest.raises(GuardRefused) as refused:
        ask(guard.mark(Fence("db", 5), Phase.RUNNING, "owner", run="r1"), here)
    assert refused.value.code == guard.WRONG_PHASE


def test_a_call_under_a_fence_asks_the_marker(api: MemoryApi) -> None:
    here = place(api)
    ask(guard.mark(Fence("db", 6), Phase.RESERVED, "source", run="r1"), here)
    patch = ApiCall(Verb.PATCH, VM, "db", "shop", body="{}", fence=Fence("db", 5), phases=("reserved",))
    with pytest.raises(GuardRefused):
        ask(one(patch), here)


def test_of_two_that_read_the_same_only_one_writes(api: MemoryApi) -> None:
    """The second decides anew, on what the first has written."""
    slow, fast = place(api), place(api)

    async def both() -> list[object]:
        marks = (
            pump(guard.mark(Fence("db", 3), Phase.RESERVED, "source", run=run), where)
            for run, where in (("r1", slow), ("r2", fast))
        )
        return await asyncio.gather(*marks, return_exceptions=True)

    ended = asyncio.run(both())
    assert [isinstance(one, GuardRefused) for one in ended].count(True) == 1
    (shown,) = ask(guard.show("db"), slow)
    assert shown.marker and shown.marker.run == ("r2" if isinstance(ended[0], GuardRefused) else "r1")


@pytest.mark.parametrize("text", ["x", "[]", '{"markers": {"n": [1]}}', '{"markers": {"n": [-1, "held", 0]}}'])
def test_an_annotation_that_cannot_be_read_is_broken_and_mended_by_a_higher_epoch(
    api: MemoryApi, text: str
) -> None:
    api.change(VMS, "db", "shop", {"metadata": {"annotations": {KEPT: text}}})
    here = place(api)
    with pytest.raises(GuardRefused) as refused:
        ask(guard.mark(Fence("db", 5), Phase.RESERVED, "source"), here)
    assert refused.value.code == guard.MARKER_BROKEN
    (shown,) = ask(guard.show("db"), here)
    assert shown.marker and shown.marker.broken
    ask(guard.mend("db", 7), here)
    (shown,) = ask(guard.show("db"), here)
    assert shown.marker and (shown.marker.epoch, shown.marker.phase) == (7, Phase.FENCED)


def test_of_many_nodes_only_the_newest_markers_are_kept_and_older_epochs_refused() -> None:
    found = KeptMarks()
    for epoch in range(1, MOST + 11):
        found = found.marked("db", f"node{epoch}", Row(epoch, Phase.RETIRED, "source"))
    again = parse(found.text)
    assert again == found and len(again.markers) == MOST and again.floor == 10
    assert again.row("node1").epoch == 10


def test_leases_exclude_others_for_all_places_of_a_cluster(api: MemoryApi) -> None:
    whole = place(api, "prod/")
    ask(leases.take("reconciler", "me", 45), whole)
    ask(leases.take("reconciler", "me", 45), whole)
    with pytest.raises(GuardRefused) as refused:
        ask(leases.take("reconciler", "you", 45), whole)
    assert refused.value.code == guard.LEASED
    held = ask(leases.show("reconciler"), whole)
    assert held and held.owner == "me" and 40 < held.left_s <= 45
    with pytest.raises(GuardRefused):
        ask(leases.beat("reconciler", "you"), whole)
    ask(leases.beat("reconciler", "me"), whole)
    ask(leases.drop("reconciler", "you"), whole)
    assert ask(leases.show("reconciler"), whole)
    ask(leases.drop("reconciler", "me"), whole)
    assert ask(leases.show("reconciler"), whole) is None
    ask(leases.take("reconciler", "you", 0.001), whole)
    ask(leases.take("other", "me", 45), whole)


def test_hosts_have_no_api() -> None:
    class Plain:
        name = "h1"

        async def run(self, command: Command) -> Result:
            raise AssertionError

    with pytest.raises(HostError) as failure:
        asyncio.run(pump(one(GET), Plain()))
    assert failure.value.code == "H220"


def test_what_may_be_old_is_asked_once(api: MemoryApi) -> None:
    shared = Reached("prod", "default", 2.0, {})
    here, there = ClusterPlace("prod/node01", shared, api), ClusterPlace("prod/node02", shared, api)
    listed = ApiCall(Verb.LIST, NODE, age=60.0)
    assert ask(one(listed), here) == ask(one(listed), there)
    assert len(api.asked) == 1
    ask(one(ApiCall(Verb.LIST, NODE)), here)
    ask(one(replace(listed, selector="a=b")), here)
    assert len(api.asked) == 3


def test_a_lease_holds_by_the_servers_clock(api: MemoryApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """A controller whose own clock is five minutes ahead takes none from one that lives."""
    inner, right = api.send, time.time

    async def send(request: Request) -> HttpAnswer:
        return replace(await inner(request), at=float(int(right())))

    monkeypatch.setattr(api, "send", send)
    ask(leases.take("reconciler", "me", 45), place(api, "prod/"))
    monkeypatch.setattr("reconciler.hosts.kubernetes.clock.time.time", lambda: right() + 300)
    with pytest.raises(GuardRefused) as refused:
        ask(leases.take("reconciler", "you", 45), place(api, "prod/"))
    assert refused.value.code == guard.LEASED
    held = ask(leases.show("reconciler"), place(api, "prod/"))
    assert held and 35 < held.left_s <= 47


def test_an_answer_that_was_long_on_its_way_is_no_other_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.hosts.kubernetes.clock.time.time", lambda: 1000.0)
    clock = ServerClock()
    for at, asked, now in (
        (990, 989.5, 1000),
        (1001, 999, 1000),
        (None, 0, 1000),
        (700, 999, 700),
        (998, 999, 1000),
    ):
        clock.heard(at, asked)
        assert clock.now() == now


def test_a_right_that_lacks_is_named_as_roles_do(api: MemoryApi) -> None:
    api.answers = [HttpAnswer(403, '{"message": "no"}')]
    with pytest.raises(HostError) as failure:
        ask(one(ApiCall(Verb.APPLY, VM, "db", "shop", body="{}")), place(api))
    assert failure.value.code == "H225"
    assert failure.value.what == "not allowed: patch virtualmachines of kubevirt.io in shop"
