"""Which files of its host go along with a tree of processes."""

from __future__ import annotations

from reconciler.core.carrying import cannot_be, carried
from reconciler.model.process import ProcessTree
from reconciler.model.spec import Workload
from reconciler.model.world import Preflight
from tests.core.rule_scene import Scene
from tests.core.worlds import facts, tree, workload

LIBC, APP, NEW = "/lib/libc.so.6", "/srv/app", "/lib/new.so"
FILES = {LIBC: "1", APP: "2", NEW: "3"}


def of(files: str) -> Workload:
    made = workload(on="h2")
    process = ProcessTree.model_validate({"command": [APP], "files": files})
    changes = {"container": None, "process": process, "runtime": "process"}
    return made.model_copy(update={"spec": made.spec.model_copy(update=changes)})


def going(files: str, there: dict[str, str], **more: object) -> tuple[str, ...]:
    wanted = of(files)
    here = facts("h1", preflight=Preflight(files=FILES))
    return carried(
        wanted, tree(wanted, mapped=tuple(FILES), **more), here, facts("h2", preflight=Preflight(files=there))
    )


def test_what_lacks_or_is_another_goes_along_and_nothing_else() -> None:
    there = {LIBC: "another", APP: "2", NEW: ""}
    assert going("carry", there) == (LIBC, NEW)
    assert going("same", there) == ()
    assert going("carry", FILES) == ()


def test_what_it_has_brought_goes_on_with_it_though_its_new_host_has_the_same() -> None:
    assert going("carry", FILES, carried=("/srv/brought",)) == ("/srv/brought",)


def test_what_cannot_be_told_to_criu_is_refused() -> None:
    odd = "/srv/two words"
    assert cannot_be([APP, odd, "/a:b", "/a]b"]) == [odd, "/a:b", "/a]b"]
    here = {"preflight": {"files": {odd: "1", APP: "1"}}}
    there = {"preflight": {"files": {odd: "", APP: ""}}}
    scene = Scene(process={"files": "carry"}, has={"mapped": (odd, APP)}, here=here, there=there)
    said = [finding.message for finding in scene.findings() if finding.rule == "tree.files"]
    assert len(said) == 1 and odd in said[0] and APP not in said[0]
