"""Where words may stand that belong to one room."""

import re

from tests.test_layers import MODULES, PACKAGE

PODMAN_IS_NAMED_IN = {
    "reconciler/runtimes/registry.py": "which runtimes there are",
    "reconciler/runtimes/base.py": "the runtime that has all abilities",
    "reconciler/model": "the default runtime, and what its annotations, images and updates may be",
    "reconciler/core/rules": "rules about containers, with the commands that a person types",
    "reconciler/core/diff.py": "the command that ends a pause; which release keeps updates",
    "reconciler/core/follows.py": "how its bridges are",
    "reconciler/core/volumes.py": "the command that saves a volume",
    "reconciler/core/causes.py": "how its errors read",
    "reconciler/core/criu_known.py": "what a person types instead",
    "reconciler/core/pages.py": "explanations of errors, for people",
    "reconciler/core/plan_pages.py": "explanations of refusals, for people",
    "reconciler/load": "messages and explanations, for people",
    "reconciler/inspection/look.py": "whose checkpoint an archive is",
    "reconciler/commands/doctor.py": "what a person types to repair a host",
    "reconciler/cli": "programs whose versions `doctor` shows",
    "reconciler/lab": "hosts of the lab have it",
    "templates/lab": "hosts of the lab have it",
    "templates/init": "an example",
}
"""Where a room that serves all runtimes says Podman's name, and why. Not in hosts, criu, guard, engine and
state: what only Podman does is asked of the runtime."""


def test_podman_is_known_to_its_own_room_only() -> None:
    root = PACKAGE.parent
    own = {"reconciler/runtimes/podman", "templates/podman"}
    found = set()
    for path in (*MODULES, *(p for p in (root / "templates").rglob("*") if p.is_file())):
        here = path.relative_to(root).as_posix()
        places = {here, *(parent.as_posix() for parent in path.relative_to(root).parents)}
        if not places & own and re.search("podman|libpod", path.read_text(encoding="utf-8"), re.IGNORECASE):
            found |= places & PODMAN_IS_NAMED_IN.keys() or {here}
    assert found == PODMAN_IS_NAMED_IN.keys()
