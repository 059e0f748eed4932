"""Suspending and windows: said by people (with an expiry) or in git, and denying wins."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from reconciler.cli import main
from reconciler.commands.tend import targets
from reconciler.core.tending import Cause
from reconciler.errors import InputError
from reconciler.hosts.memory.machine import EXITED
from reconciler.load.cron import open_until, opens_at
from reconciler.model.notes import Notes, Word
from reconciler.model.spec import Spec
from reconciler.model.sync import Window
from reconciler.watch.loop import Watch
from reconciler.watch.told import News
from reconciler.watch.windows import at, barred
from tests.watch.scene import CLOCK, Scene

POLICY = """---
apiVersion: reconciler/v1alpha1
kind: SyncPolicy
metadata: {name: %s}
spec: %s
"""


def policy(scene: Scene, text: str, name: str = "nights") -> None:
    (scene.folder / "specs" / f"{name}.yaml").write_text(POLICY % (name, text))


def causes(watch: Watch) -> list[tuple[str, Cause]]:
    return [(one.workload, one.cause) for one in watch.stand.waits]


@pytest.mark.parametrize("target", ["web", "host/h1", "all"])
def test_what_a_person_suspends_is_left_alone_until_it_expires(scene: Scene, target: str) -> None:
    async def course(watch: Watch) -> None:
        await asyncio.sleep(10)
        word = Word(reason="a look at it", by="me", since=watch.now(), until=watch.now() + 600)
        name = f"workload/{target}" if target == "web" else target
        watch.notes.change(lambda notes: notes.model_copy(update={"suspended": {name: word}}))
        scene.kill("h1")
        await asyncio.sleep(500)
        assert scene.states()["h1"] == {"web": EXITED}
        assert causes(watch) == [("web", Cause.SUSPENDED)]
        await asyncio.sleep(110)
        assert scene.states()["h1"] == {"web": "running"}

    scene.play(course)
    [why] = scene.heard(News.WAITS, "web")
    assert "by me: a look at it" in why


def test_a_command_is_heard_at_once(scene: Scene) -> None:
    async def course(watch: Watch) -> None:
        await asyncio.sleep(10)
        assert main.run(["tend", "suspend", "web", "--reason", "ticket 42"]) == 0
        scene.kill("h1")
        await asyncio.sleep(100)
        assert causes(watch) == [("web", Cause.SUSPENDED)]
        assert main.run(["tend", "resume", "web"]) == 0
        await asyncio.sleep(5)
        assert scene.states()["h1"] == {"web": "running"}

    scene.play(course)


def test_what_was_put_back_is_tried_again_when_somebody_asks(scene: Scene) -> None:
    async def course(watch: Watch) -> None:
        await asyncio.sleep(10)
        scene.hosts.machines["h2"].armed["restore"] = 1
        scene.want(web="h2")
        scene.edit(watch)
        await asyncio.sleep(200)
        assert causes(watch) == [("web", Cause.PUT_BACK)]
        scene.offset = 1000.0
        watch.notes.change(lambda notes: Notes(forgiven={"workload/web": watch.now()}))
        await asyncio.sleep(20)
        assert scene.states() == {"h1": {}, "h2": {"web": "running"}}

    scene.play(course)


def test_windows_in_git(scene: Scene) -> None:
    """The clock begins at 14:13 in UTC."""
    assert datetime.fromtimestamp(CLOCK, UTC).strftime("%H:%M") == "14:13"
    policy(scene, '{windows: [{kind: allow, cron: "0 15 * * *", duration: 2h}]}')

    async def course(watch: Watch) -> None:
        await asyncio.sleep(600)
        assert scene.states()["h1"] == {}
        assert causes(watch) == [("web", Cause.WINDOW)]
        await asyncio.sleep(2300)
        assert scene.states()["h1"] == {"web": "running"}
        policy(scene, '{hosts: [h1], windows: [{kind: deny, cron: "0 15 * * *", duration: 1h}]}', "never")
        scene.edit(watch)
        await asyncio.sleep(5)
        scene.kill("h1")
        await asyncio.sleep(100)
        assert causes(watch) == [("web", Cause.WINDOW)]
        word = Word(reason="urgent", by="me", since=watch.now(), until=watch.now() + 60)
        watch.notes.change(lambda notes: notes.model_copy(update={"opened": {"all": word}}))
        await asyncio.sleep(10)
        assert scene.states()["h1"] == {"web": "running"}

    scene.play(course)


def test_suspended_in_git(scene: Scene) -> None:
    policy(scene, "{labels: {team: a}, suspend: another team's}", "other")
    policy(scene, "{suspend: moving house}")

    async def course(watch: Watch) -> None:
        await asyncio.sleep(100)
        assert causes(watch) == [("web", Cause.SUSPENDED)]
        (scene.folder / "specs" / "nights.yaml").unlink()
        scene.edit(watch)
        await asyncio.sleep(10)
        assert watch.stand.converged

    scene.play(course)


def window(cron: str, zone: str = "UTC", duration: str = "1h") -> Window:
    return Window(kind="allow", cron=cron, time_zone=zone, duration=duration)


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("at", "closes"),
    [
        ("2026-11-26T21:59:59+00:00", None),
        ("2026-11-26T22:00:00+00:00", "2026-11-26T23:00:00+00:00"),
        ("2026-11-26T22:59:59+00:00", "2026-11-26T23:00:00+00:00"),
        ("2026-11-26T23:00:00+00:00", None),
    ],
)
def test_a_window_begins_and_ends(at: str, closes: str | None) -> None:
    found = open_until(window("0 22 * * *"), moment(at))
    assert found == (moment(closes) if closes else None)
    assert opens_at(window("0 22 * * *"), moment("2026-11-26T12:00:00+00:00")) == moment(
        "2026-11-26T22:00:00+00:00"
    )


def test_zones_and_daylight_saving() -> None:
    berlin = window("0 22 * * *", "Europe/Berlin")
    assert open_until(berlin, moment("2026-07-01T20:30:00+00:00")) == moment("2026-07-01T21:00:00+00:00")
    assert open_until(berlin, moment("2026-12-01T20:30:00+00:00")) is None
    assert open_until(berlin, moment("2026-12-01T21:30:00+00:00")) == moment("2026-12-01T22:00:00+00:00")
    across = window("30 1 * * *", "Europe/Berlin", "2h")  # two hours, though the clock on the wall shows one
    assert open_until(across, moment("2026-10-25T02:20:00+01:00")) == moment("2026-10-25T02:30:00+01:00")


def test_no_policy_bars_nothing() -> None:
    assert barred("web", ("h1",), Spec(), Notes(), CLOCK) is None


@pytest.mark.parametrize("command", ["suspend", "open"])
def test_a_time_beyond_all_calendars_is_refused_before_it_is_noted(
    scene: Scene, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for lasts in ("999999999h", "36501d"):
        assert main.run(["tend", command, "web", "--reason", "a slip", "--for", lasts]) == 4
        assert "hundred years" in capsys.readouterr().err
    assert main.run(["tend", "show"]) == 0
    assert "web" not in capsys.readouterr().out
    assert main.run(["tend", command, "web", "--reason", "for good", "--for", "36500d"]) == 0


def test_times_beyond_all_calendars_in_notes_and_specs_end_no_watch(scene: Scene) -> None:
    policy(scene, '{windows: [{kind: deny, cron: "0 0 1 1 *", duration: 999999999d}]}')

    async def course(watch: Watch) -> None:
        await asyncio.sleep(10)
        assert causes(watch) == [("web", Cause.WINDOW)]
        word = Word(reason="a slip", by="me", since=watch.now(), until=1e18)
        watch.notes.change(lambda notes: notes.model_copy(update={"suspended": {"all": word}}))
        await asyncio.sleep(100)
        assert causes(watch) == [("web", Cause.SUSPENDED)]

    scene.play(course)
    assert "a time that no calendar has" in scene.heard(News.WAITS, "web")[0]
    for seconds in (-1e18, float("inf"), float("nan"), 2.0**37):
        assert at(seconds) == "a time that no calendar has"


def test_who_suspends_what_there_is_not_is_told_so(scene: Scene) -> None:
    async def course(watch: Watch) -> None:
        await asyncio.sleep(10)
        assert main.run(["tend", "suspend", "wbe", "host/h1", "host/h7", "web--copy", "--reason", "a slip"]) == 0
        await asyncio.sleep(100)
        assert main.run(["tend", "resume", "wbe", "host/h7"]) == 0
        await asyncio.sleep(10)
        assert main.run(["tend", "open", "dbb", "--reason", "a slip"]) == 0
        await asyncio.sleep(10)

    scene.play(course)
    told = [text for text in scene.heard(News.TROUBLE) if "tend" in text]
    assert told == [
        "the specs have no host/h7, workload/wbe, of which tend was told",
        "the specs have no workload/dbb, of which tend was told",
    ]


def test_nodes_of_a_cluster_and_all_of_it_can_be_suspended() -> None:
    assert targets(["host/east/n1", "host/east", "web"]) == ("host/east/n1", "host/east", "workload/web")
    for text in ("host/a/b/c", "workload/a/b", "host/", "host/a/", "/web", "node/a"):
        with pytest.raises(InputError):
            targets([text])
    word = Word(reason="its disk", by="anna", since=0.0)
    for target, barred_at in (("host/east/n1", {"east/n1"}), ("host/east", {"east/n1", "east/n2", "east/"})):
        notes = Notes(suspended={target: word})
        places = ("east/n1", "east/n2", "east/", "h1")
        assert {place for place in places if barred("web", (place,), Spec(), notes, CLOCK)} == barred_at
