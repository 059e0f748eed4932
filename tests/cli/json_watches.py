"""What `watch` and `tend` print with --json: cases of test_json.py."""

from __future__ import annotations

from typing import Any

from reconciler.cli import main
from reconciler.model.notes import Notes, PutBack
from reconciler.state.notebook import Notebook
from tests.cli.memory_fleet import want


def a_put_back(scene: Any) -> None:
    note = PutBack(
        wanted="x", at=1_700_000_000.0, run="20260101-000000-abcd", why="it did not start", commit="a" * 40
    )
    Notebook(scene.folder / "journal-watch.json").change(
        lambda notes: Notes(put_back={"db": note}, fenced={"h2": 1_700_000_000.0})
    )


OF_WATCHES: dict[str, Any] = {
    "watch": [
        ("watch", "watch --once", 0, lambda s: want(s.folder, web="h1")),
        ("watch", "watch --once", 1, lambda s: (s.apply(web="h1", db="h1"), want(s.folder, web="h1"))),
    ],
    "tend suspend": [("tend", "tend suspend web host/h1 --reason why --for 2h", 0, lambda s: None)],
    "tend resume": [
        ("tend", "tend resume web", 0, lambda s: main.run(["tend", "suspend", "web", "--reason", "why"]))
    ],
    "tend retry": [("tend", "tend retry web", 0, a_put_back)],
    "tend open": [("tend", "tend open all --reason why", 0, lambda s: None)],
    "tend show": [("tend", "tend show", 0, a_put_back)],
}
WRONG_OF_WATCHES = {
    "watch --once nowhere": ("E101", 4),
    "watch --drift soon": ("E190", 4),
    "watch --listen nowhere": ("E190", 4),
    "watch --webhook nowhere": ("E190", 4),
    "tend suspend web": ("E190", 4),
    "tend suspend ../web --reason why": ("E190", 4),
    "tend resume web": ("E190", 4),
    "tend open all --reason why --for ever": ("E190", 4),
}
