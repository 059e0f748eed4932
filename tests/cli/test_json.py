"""`--json` of every command there is: one document on stdout whatever happens, of its schema and in one style; and
nothing that was promised goes away. Fake: hosts in memory, a lab of files only, a person's decision."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
from pydantic import ValidationError

from reconciler.cli import main
from reconciler.cli.views.output.documents import DOCUMENTS
from reconciler.cli.views.output.schemas import schema_of
from reconciler.commands.decided import Decided
from reconciler.hosts.memory import Universe
from reconciler.hosts.ssh.known import Presented
from reconciler.lab import files
from reconciler.lab.lab import Lab
from reconciler.lab.spec import LabPaths
from reconciler.model.event import Untidied
from reconciler.model.plan import StepKind
from tests.cli import json_docs
from tests.cli.checkpoint_scene import CHECKPOINTS
from tests.cli.json_cases import MORE, MORE_WRONG
from tests.cli.memory_fleet import two_hosts, want
from tests.inspection.test_archives import checkpoint, pack
from tests.page.scene import reopened
from tests.unit.test_lab_unit import SPEC

SAMPLES = Path(__file__).parent / "samples"
"""What each document looked like when its version was made. To write those of new documents: WRITE_SAMPLES=1."""
FIELDS = Path(__file__).parent / "json-fields.json"
"""Every field of every document with its type, as promised."""
PASSES_ON = {("lab", "exec"), ("exec",), ("logs",)}
"""Prints what another program prints."""
NAME = re.compile(r"^[a-z][a-zA-Z0-9]*$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEd5cm9zY29waWNhbGx5Tm90QVJlYWxLZXlBdEFsbA"


@dataclass
class Scene:
    """A folder with specs of two hosts, `web` on the first."""

    folder: Path
    hosts: Universe
    patch: pytest.MonkeyPatch

    def apply(self, **places: str) -> None:
        want(self.folder, **places)
        assert main.run(["apply", "--yes"]) == 0

    def a_lab(self) -> None:
        self.patch.setenv("XDG_STATE_HOME", str(self.folder / "state"))
        paths = LabPaths.of("x")
        paths.folder.mkdir(parents=True)
        files.write_all(paths, SPEC)
        paths.save(SPEC)

    def decided(self, answer: Any) -> None:
        async def decide(*_: Any, **__: Any) -> Any:
            return answer

        self.patch.setattr("reconciler.commands.deciding.decide", decide)
        self.patch.setattr("reconciler.commands.deciding.bury", decide)


def moved(scene: Scene) -> list[str]:
    scene.apply(web="h1")
    scene.apply(web="h2")
    return []


def moving(scene: Scene) -> None:
    moved(scene)
    reopened(scene.folder / "journal", "web", StepKind.TRANSFER, 2**20)


def nowhere(scene: Scene) -> None:
    """Its network is on no host, and no spec makes it."""
    specs = scene.folder / "specs/all.yaml"
    specs.write_text(specs.read_text().replace('{image: "app",', '{image: "app", networks: [{name: nowhere}],'))


def two_checkpoints(scene: Scene) -> None:
    pack(scene.folder / "a.tar", checkpoint())
    pack(scene.folder / "b.tar", {k: v for k, v in checkpoint().items() if "7" not in k})


def lab_up(scene: Scene) -> None:
    scene.a_lab()
    scene.patch.setattr(Lab, "up", classmethod(lambda cls, name, **_: Lab.load(name)))


def lab_down(scene: Scene) -> None:
    scene.patch.setattr("reconciler.lab.remove", lambda name: True)


def gone(scene: Scene) -> None:
    done = Decided(
        "web",
        "h1",
        fenced=("h3",),
        unasked=("h2",),
        untidied=(Untidied("C310", "the key stays", "h1"),),
        evidence="seen",
    )
    scene.decided([done, Decided("db", open=True, next="reconcile resolve db --owner h1 --cold --evidence TEXT")])


def a_key(scene: Scene) -> None:
    async def presented(*_: Any) -> Presented:
        return Presented(key=KEY, fingerprint="SHA256:abc")

    scene.patch.setattr("reconciler.hosts.ssh.known.presented", presented)


def a_compose_file(scene: Scene) -> None:
    text = "services: {web: {image: 'a:1', network_mode: 'service:db', volumes: ['./a:/a', '/b:/b']}}"
    (scene.folder / "compose.yaml").write_text(text)


Before = Callable[[Scene], Any]
WORKS: dict[str, list[tuple[str, str, int, Before]]] = {
    "init": [("init", "init new", 0, lambda s: None)],
    "import": [("import", "import compose.yaml --host h1", 2, a_compose_file)],
    "validate": [
        ("validate", "validate", 0, lambda s: want(s.folder, web="h1")),
        ("validate", "validate", 4, lambda s: (s.folder / "specs/all.yaml").write_text("kind: Nothing\n")),
    ],
    "get": [
        ("get", "get", 0, lambda s: s.apply(web="h1", db="h2")),
        ("get", "get", 0, lambda s: setattr(s.hosts.machines["h2"], "reachable", False)),
    ],
    "plan": [
        (
            "plan",
            "plan --out saved.json --detailed-exitcode",
            2,
            lambda s: (s.apply(web="h1"), want(s.folder, web="h2")),
        ),
        ("plan", "plan", 1, nowhere),
        ("plan", "plan", 0, lambda s: (s.apply(web="h1"), setattr(s.hosts.machines["h2"], "reachable", False))),
    ],
    "apply": [
        ("apply", "apply --yes", 0, lambda s: (s.apply(web="h1"), want(s.folder, web="h2"))),
        ("apply", "apply --yes", 0, lambda s: s.apply(web="h1")),
    ],
    **MORE,
    "status": [("status", "status", 0, lambda s: None)],
    "resume": [("resume", "resume", 0, lambda s: None)],
    "resolve": [
        (
            "resolve",
            "resolve web --owner h1 --evidence seen",
            0,
            lambda s: s.decided(Decided("web", "h1", fenced=("h2",), evidence="seen")),
        )
    ],
    "forget": [("forget", "forget h2 --evidence gone", 1, gone)],
    "top": [("top", "top", 0, moving)],
    "history": [
        ("history", "history", 0, moved),
        ("history-accuracy", "history --accuracy", 0, moved),
    ],
    "doctor": [
        ("doctor", "doctor --moves", 7, lambda s: setattr(s.hosts.machines["h2"], "reachable", False)),
        ("doctor-sudoers", "doctor --sudoers", 0, lambda s: None),
    ],
    "runtimes": [("runtimes", "runtimes h1", 0, lambda s: None)],
    "schema": [("schema", "schema --out made", 0, lambda s: None), ("schema", "schema", 0, lambda s: None)],
    "explain": [("explain", "explain E103", 0, lambda s: None), ("explain", "explain", 0, lambda s: None)],
    **CHECKPOINTS,
    "checkpoints show": [("checkpoints-show", "checkpoints show a.tar", 0, two_checkpoints)],
    "checkpoints files": [("checkpoints-files", "checkpoints files a.tar", 0, two_checkpoints)],
    "checkpoints diff": [("checkpoints-diff", "checkpoints diff a.tar b.tar", 0, two_checkpoints)],
    "hosts add": [("hosts-add", "hosts add h3 192.0.2.3 --fingerprint SHA256:abc", 0, a_key)],
    "lab up": [("lab-up", "lab up --name x", 0, lab_up)],
    "lab status": [("lab-status", "lab status", 0, Scene.a_lab)],
    "lab ssh-config": [("lab-ssh-config", "lab ssh-config --name x", 0, Scene.a_lab)],
    "lab down": [("lab-down", "lab down --name x", 0, lab_down)],
}
CASES = [(command, *case) for command, cases in WORKS.items() for case in cases]


def commands(command: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command of the program, by its words."""
    command = command or typer.main.get_command(main.app)
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words
    for name, found in (inner or {}).items():
        yield from commands(found, (*words, name))


EVERY = sorted(" ".join(words) for words in commands() if words not in PASSES_ON)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    hosts = two_hosts(tmp_path, monkeypatch)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    want(tmp_path, web="h1")
    return Scene(tmp_path, hosts, monkeypatch)


def answer(capsys: pytest.CaptureFixture[str], words: str, document: str) -> dict[str, Any]:
    """What a command prints with --json, which must be its document and nothing else."""
    capsys.readouterr()
    status = main.run([*words.split(), "--json"])
    printed = capsys.readouterr().out

    def no_number(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    told: dict[str, Any] = json.loads(printed, parse_constant=no_number)
    errors = jsonschema.Draft202012Validator(schema_of(document)).iter_errors(told)
    assert [f"{error.json_path}: {error.message[:200]}" for error in errors] == []
    assert told["version"] == 2 and told["exitCode"] == status
    check_style(told)
    return told


def check_style(value: Any, key: str = "") -> None:
    if key in ("schema",):
        return  # another language's names
    if isinstance(value, dict):
        for name, inner in value.items():
            assert NAME.match(name), name
            check_style(inner, name)
    elif isinstance(value, list):
        for inner in value:
            check_style(inner)
    elif isinstance(value, float):
        assert key.endswith(("S", "Ratio")), f"{key} does not say its unit"
    elif key == "code":
        assert value, "what has no code cannot be told from other things"
    elif isinstance(value, str) and (key.endswith("At") or key in ("at", "since")):
        assert TIME.match(value), f"{key}: {value}"


def test_every_command_has_cases() -> None:
    assert sorted(WORKS) == EVERY
    assert {document for _, document, *_ in CASES} | {"error"} == DOCUMENTS.keys()


@pytest.mark.parametrize(
    ("command", "document", "words", "status", "before"),
    CASES,
    ids=lambda value: None if callable(value) else str(value)[:40],  # the same in every process
)
def test_what_it_prints(
    scene: Scene,
    capsys: pytest.CaptureFixture[str],
    command: str,
    document: str,
    words: str,
    status: int,
    before: Before,
) -> None:
    before(scene)
    told = answer(capsys, words, document)
    assert (told["command"], told["exitCode"]) == (command, status)
    write_sample(document, told, scene)


def write_sample(document: str, told: dict[str, Any], scene: Scene) -> None:
    sample = SAMPLES / f"{document}.json"
    if os.environ.get("WRITE_SAMPLES") and not sample.exists():
        text = json.dumps(told, indent=2).replace(str(scene.folder), "/repo")
        sample.write_text(text + "\n")


@pytest.mark.parametrize("command", EVERY)
def test_bad_usage_is_a_document_too(command: str, scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(capsys, f"{command} --nonsense", "error")
    assert (told["command"], told["exitCode"], told["error"]["code"]) == (command, 4, "E190")


FAILS = {
    "get nowhere": ("E101", 4),
    "plan nowhere": ("E101", 4),
    "apply nowhere": ("E101", 4),
    "apply": ("E194", 4),
    "status nowhere": ("E101", 4),
    **MORE_WRONG,
    "resume nowhere": ("E101", 4),
    "resolve web --owner h1 --evidence seen": ("P400", 1),
    "forget h1 --evidence seen": ("P400", 1),
    "history --journal nowhere": ("E197", 4),
    "doctor h9": ("E146", 4),
    "runtimes h9": ("E146", 4),
    "schema --check --out nowhere": ("E191", 4),
    "explain nothing": ("E190", 4),
    "init specs/all.yaml": ("E100", 4),
    "checkpoints show nowhere": ("E185", 4),
    "hosts add h3": ("E146", 4),
    "lab status --name y": ("L703", 1),
}


@pytest.mark.parametrize("words", FAILS)
def test_a_failure_is_a_document(words: str, scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    code, status = FAILS[words]
    told = answer(capsys, words, "error")
    assert (told["error"]["code"], told["exitCode"]) == (code, status)
    write_sample("error", told, scene)


@pytest.mark.parametrize(
    ("raised", "code", "status"),
    [("KeyboardInterrupt()", "A502", 130), ("Locked('taken')", "S600", 6), ("ValueError('no')", "R001", 1)],
)
def test_interrupted_locked_and_our_own_mistakes(
    scene: Scene, capsys: pytest.CaptureFixture[str], raised: str, code: str, status: int
) -> None:
    from reconciler import errors

    def fail(*_: Any, **__: Any) -> None:
        raise eval(raised, {**vars(errors)})

    scene.patch.setattr("reconciler.commands.compose.open_store", fail)
    told = answer(capsys, "history", "error")
    assert (told["error"]["code"], told["exitCode"]) == (code, status)
    if code == "R001":
        assert "no" in Path(told["error"]["where"]["file"]).read_text()


def test_words_of_another_program_are_not_ours(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["lab", "exec", "h1", "--name", "none", "ls", "--json"]) != 0
    assert capsys.readouterr().out == ""
    assert main.run(["get", "--", "--json"]) == 4
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_what_was_printed_once_is_still_a_document(sample: Path) -> None:
    """Fields may be added; none may go away, or hold something else."""
    try:
        DOCUMENTS[sample.stem].model_validate_json(sample.read_text())
        broken = []
    except ValidationError as error:
        broken = [found for found in error.errors() if found["type"] != "missing"]
    assert broken == []


def test_every_document_has_a_sample() -> None:
    assert {path.stem for path in SAMPLES.glob("*.json")} == DOCUMENTS.keys()


def fields(name: str) -> dict[str, str]:
    """Path to type, of all fields of a document."""
    schema = schema_of(name)
    found: dict[str, str] = {}

    def walk(part: dict[str, Any], path: str) -> str:
        if "$ref" in part:
            part = schema["$defs"][part["$ref"].rsplit("/", 1)[1]]
        if "anyOf" in part:
            return " or ".join(sorted(walk(one, path) for one in part["anyOf"]))
        for field, inner in part.get("properties", {}).items():
            assert field in part["required"], f"{name}: {path}{field}"
            found[f"{path}{field}"] = walk(inner, f"{path}{field}.")
        kind = str(part.get("type", "string"))
        return f"{kind} of {walk(part['items'], path.rstrip('.') + '[].')}" if "items" in part else kind

    walk(schema, "")
    return found


def test_no_field_goes_away_or_changes_its_type() -> None:
    """A new one is added to the promise by WRITE_SAMPLES=1; what is incompatible needs a new version."""
    now = {name: fields(name) for name in sorted(DOCUMENTS)}
    if os.environ.get("WRITE_SAMPLES"):
        FIELDS.write_text(json.dumps(now, indent=1) + "\n")
    promised = json.loads(FIELDS.read_text())
    broken = {
        f"{name}: {field}": (kind, now.get(name, {}).get(field))
        for name, known in promised.items()
        for field, kind in known.items()
        if now.get(name, {}).get(field) != kind
    }
    assert broken == {}
    assert promised == now, "new fields: write them down with WRITE_SAMPLES=1"


def test_the_docs_have_every_field() -> None:
    assert json_docs.page(json_docs.PAGE.read_text()) == json_docs.PAGE.read_text(), "run: make docs"
    parts: dict[str, Any] = {}
    for name in DOCUMENTS:
        for part, schema in schema_of(name).get("$defs", {}).items():
            assert parts.setdefault(part, schema) == schema, f"{name}: another part has the name {part}"
