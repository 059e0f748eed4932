"""Every field of every answer replaced by a lie: it is taken as the type it has, or refused naming the field;
nothing else is raised, and nothing that a terminal acts on comes through in a message."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.engine.observe import with_runtimes
from reconciler.errors import HostError
from reconciler.facts.host import look
from reconciler.guard import dossier, guard, leases
from reconciler.guard.answers import outcome_of, shown_of
from reconciler.hosts.base import pump
from reconciler.hosts.outcome import CopyOutcome
from reconciler.model.command import Command, Result
from reconciler.model.question import Question
from reconciler.model.world import ContainerFacts, HostFacts, ImageFacts, VolumeFacts
from reconciler.runtimes.oci.verifying import problems
from reconciler.runtimes.podman import archives, parse, probes
from reconciler.runtimes.podman.driver import PodmanDriver
from tests.core import worlds
from tests.drivers.test_probes import HOST
from tests.unit.lies import LIES, ODD, Liar, harmless

DATA = Path(__file__).parents[1] / "drivers" / "data"
JSON_PARSERS = ("containers", "images", "networks", "volumes", "stored")
CASES = [
    case
    for path in sorted(DATA.glob("*.json"))
    if (case := json.loads(path.read_text()))["parser"] in JSON_PARSERS
]
ID = re.compile(r"([0-9a-f]{64})?")
PLAIN = re.compile(r"[\w./:@+-]*", re.ASCII)
ROW = {
    "workload": "web",
    "epoch": 3,
    "phase": "held",
    "role": "source",
    "run": "r1",
    "peer": "h2",
    "broken": "",
    "newer": "",
    "hook": "held",
    "held_cs": 1,
    "silent_cs": 1,
    "verdict": "",
    "final": "",
    "status": None,
}


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON value, the whole included."""
    yield here
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from places(part, (*here, key))


def replaced(value: Any, place: tuple[Any, ...], lie: Any) -> Any:
    if not place:
        return lie
    changed = copy.deepcopy(value)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = lie
    return changed


def refusal(error: HostError, where: str = "") -> None:
    """It names the field, and the host once a host was asked; it can be shown."""
    assert error.where == where
    assert " as " in error.what or error.code != "H290" or "early" in error.what
    assert harmless(f"{error} {error.fix}")


def believed(read: Callable[[], Any]) -> Any:
    """What is read of a lie; None when it is refused, as it should be."""
    try:
        return read()
    except HostError as error:
        refusal(error)
        return None


def check(facts: object) -> None:
    """What goes into commands has its form, whatever was answered."""
    match facts:
        case ContainerFacts():
            assert ID.fullmatch(facts.id)
            assert PLAIN.fullmatch(facts.name + facts.image_id + facts.restart + facts.oci_runtime)
            folders = [facts.userdata, facts.upper_dir, *(m.source for m in facts.mounts if m.kind == "volume")]
            for folder in filter(None, folders):
                assert folder.startswith("/")
                assert "\n" not in folder
                assert ".." not in folder.split("/")
            for network in facts.networks:
                assert PLAIN.fullmatch(f"{network.name}{network.ip or ''}{network.mac or ''}")
        case ImageFacts():
            assert PLAIN.fullmatch(facts.id)
        case VolumeFacts():
            assert PLAIN.fullmatch(facts.name)
            assert "\n" not in facts.mountpoint


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["parser"])
def test_json_of_the_runtime(case: dict[str, Any]) -> None:
    parser = getattr(parse, case["parser"])
    honest = json.loads(case["output"].splitlines()[0] if case["parser"] == "stored" else case["output"])
    short_lies = [lie for lie in LIES if len(lie) < 1000]
    for place in places(honest):
        for lie in (*short_lies, *ODD):
            text = json.dumps(replaced(honest, place, lie))
            for facts in believed(lambda text=text: parser(text)) or ():
                check(facts)
    for lie in LIES:
        believed(lambda lie=lie: parser(lie))


@pytest.mark.parametrize("lie", [*LIES, *ODD])
@pytest.mark.parametrize("field", ROW)
def test_lines_of_the_guard(field: str, lie: Any) -> None:
    shown = believed(lambda: shown_of(json.dumps({**ROW, field: lie})))
    if shown is not None and shown.marker is not None:
        marker = shown.marker
        assert PLAIN.fullmatch(f"{marker.workload}{marker.phase}{marker.run}{marker.peer}{marker.newer}")
        assert harmless(marker.broken)
    for outcome in ({"outcome": lie}, {"status": lie}, {"waited_ms": lie}):
        text = json.dumps({"outcome": "held", "status": 0, "waited_ms": 1, **outcome})
        believed(lambda text=text: outcome_of(Result(0, text)))


@pytest.mark.parametrize("lie", LIES)
async def test_programs_of_the_guard(lie: str) -> None:
    for program in (guard.show(), guard.beat(["web"]), leases.show("web"), dossier.read("web"), guard.release):
        host = Liar("h1", lambda command: lie if "test" not in command.argv else "")
        made = program(guard.Fence("web", 1)) if callable(program) else program
        try:
            await pump(made, host)
        except HostError as error:
            refusal(error, "h1")


LOOK = {
    "tools": "podman runc criu",
    "uid": "0",
    "machine": "boot 1:2",
    "kernel": "6.18.0",
    "arch": "x86_64",
    "version criu": "Version: 4.2",
    "features": "uffd",
    "cpu": "flags : fpu",
    "memory": "available 1",
    "cgroup": "2",
    "disk": "100",
    "clock": "1.5",
    "end": "",
}
SECTIONS = {
    "version podman": "podman version 5.4.2",
    "disk": "100",
    "images": "[]",
    "networks": "[]",
    "volumes": "[]",
    "stored": json.dumps([{"id": "a" * 64, "names": ["web"], "image": "b" * 64}]),
    "end": "",
}


def sections(parts: dict[str, str]) -> str:
    return "".join(f"\n@@ {name}\n{text}\n" for name, text in parts.items())


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("name", sorted({*LOOK, *SECTIONS, "gone", "monitors", "use", "tcp", "inspect"}))
async def test_observation(name: str, lie: str) -> None:
    inspected = next(case["output"] for case in CASES if case["parser"] == "containers")

    def answer(command: Command) -> str:
        if "facts" in command.argv:
            return sections({**LOOK, **({name: lie} if name in LOOK else {})})
        if "observe" in command.argv:
            return sections({**SECTIONS, **({name: lie} if name not in ("use", "tcp", "inspect") else {})})
        if "inspect" in command.argv:
            return sections({"1": lie if name == "inspect" else inspected})
        if "measure" in command.argv:
            return sections({f"{name} {'a' * 64}": lie})
        return ""

    host = Liar("h1", answer)
    try:
        facts = await with_runtimes(await pump(look("h1"), host), {"podman": PodmanDriver()}, host)
    except HostError as error:
        refusal(error, "h1")
    else:
        assert isinstance(facts, HostFacts)
        for found in (*facts.containers, *facts.images, *facts.volumes):
            check(found)
        assert harmless("".join((facts.arch, *facts.tools, *facts.features, facts.version("kernel"))))


async def test_the_closer_look() -> None:
    """Each word of each line replaced."""
    host = worlds.facts("h1", worlds.container(worlds.workload()))
    question = Question(addresses=("10.0.0.1",), names=("web",), containers=(("c" * 64, 1),), paths=("/a",))
    lines = HOST.splitlines()
    for number, line in enumerate(lines):
        words = line.split(" ")
        for place in range(len(words)):
            for lie in (*LIES[:10], "", "9" * 5000, "1e400"):
                hostile = [
                    *lines[:number],
                    " ".join([*words[:place], lie, *words[place + 1 :]]),
                    *lines[number + 1 :],
                ]
                answer = "\n".join(hostile) + "\n@@ end\n"
                try:
                    facts = await pump(probes.preflight(host, question), Liar("h1", lambda _, a=answer: a))
                except HostError as error:
                    refusal(error, "h1")
                else:
                    assert harmless(facts.preflight.complaint if facts.preflight else "")


@pytest.mark.parametrize("lie", [*LIES, "9" * 5000, "-1", "1e400"])
@pytest.mark.parametrize(
    "line", ["bytes {}", "ended {} 0", "ended 0 {}", "sum near {}", "pages near {} 1 1", "pages far x {} 1", "{}"]
)
def test_lines_of_a_sender(line: str, lie: str) -> None:
    outcome = CopyOutcome()
    outcome.read("rc: " + line.format(lie))
    for text in (*outcome.sums.folders.values(), *outcome.sums.pages["near"], *outcome.sums.pages["far"]):
        assert harmless(text)
    assert outcome.refused is None or harmless(str(outcome.refused))
    outcome.sums.difference()


@pytest.mark.parametrize("lie", [*LIES, *ODD])
@pytest.mark.parametrize("field", ["Id", "RepoTags", "ManifestType", None])
async def test_images_to_copy(field: str | None, lie: Any) -> None:
    honest: dict[str, Any] = {"Id": "a" * 64, "RepoTags": ["localhost/a:1"], "ManifestType": "x"}
    text = json.dumps([{**honest, field: [lie] if field == "RepoTags" else lie}] if field else lie)
    try:
        found = await pump(archives.pack_image("a" * 64), Liar("h1", lambda _: text))
    except HostError as error:
        refusal(error, "h1")
    else:
        assert PLAIN.fullmatch(found.id + "".join(found.names))


@pytest.mark.parametrize("lie", LIES)
def test_what_runs_after_a_restore(lie: str) -> None:
    wanted = worlds.workload()
    facts = worlds.container(wanted)
    for truth in (f"@@ config\n{lie}", f"@@ process {lie}\nCapEff: 0", f"@@ process 1\nCapEff: {lie}"):
        believed(lambda truth=truth: problems(wanted, facts.image_id, facts, truth))
