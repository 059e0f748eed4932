"""Imports go one way (ARCHITECTURE.md). Read from the syntax trees, so that lazy imports count too."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "reconciler"

LAYERS = [
    ("cli",),
    ("watch",),
    ("commands",),
    ("engine", "load", "state", "stores", "lab", "inspection"),
    ("runtimes", "hosts"),
    ("criu",),
    ("facts",),
    ("guard",),
    ("core",),
    ("model", "resources"),
    ("errors", "text"),
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
ONLY_IMPORT_IN = {
    "asyncssh": "hosts/ssh",
    "typer": "cli/",
    "jinja2": "load/render",
    "sqlite3": "state/",
    "rich": "cli/",
    "yaml": ("load/", "hosts/kubernetes/kubeconfig.py"),
    "google": "core/protobuf.py",
    "zstandard": "inspection/archive.py",
    "junitparser": "cli/views/reports.py",
    "watchdog": "watch/folders.py",
    "prometheus_client": "watch/metrics.py",
    "h11": "watch/sending.py",
    "opentelemetry": "commands/tracing.py",
    "uvicorn": "watch/http.py",
    "starlette": "watch/http.py",
    "cronsim": "load/cron.py",
    "sarif_pydantic": "cli/views/reports.py",
    "lightkube": "hosts/kubernetes/connection.py",
    "httpx2": "hosts/kubernetes/connection.py",
}
LOGS = {"cli", "watch", "commands", "engine", "load", "state", "hosts"}
"""Rooms that may log; what is pure answers instead."""
FORBIDDEN_IN_CORE = {"asyncio", "os", "pathlib", "logging", "time", "random", "datetime", "secrets", "subprocess"}
RUNTIMES_MAY_SHARE = {"base", "following", "oci", "people", "volumes"}

MODULES = sorted(PACKAGE.rglob("*.py"))


@cache
def nodes(path: Path) -> list[ast.AST]:
    """Every module is parsed once, whatever is asked of it."""
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def imports(path: Path) -> set[str]:
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {path}"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def area(module: str) -> str:
    parts = module.split(".")
    return parts[1] if parts[0] == "reconciler" and len(parts) > 1 else ""


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    here = path.relative_to(PACKAGE)
    mine = here.parts[0].removesuffix(".py")
    if mine in ("__init__", "__main__"):
        return
    assert mine in RANK, f"{here}: say in LAYERS where {mine} belongs"
    for module in imports(path):
        other = area(module)
        if other in RANK and other != mine:
            assert RANK[other] >= RANK[mine], f"{here} imports {module}, which is above it"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_foreign_libraries_have_one_door(path: Path) -> None:
    here = str(path.relative_to(PACKAGE))
    for module in imports(path):
        place = ONLY_IMPORT_IN.get(module.split(".")[0])
        assert place is None or here.startswith(place), f"{here} imports {module}; only {place} may"


@pytest.mark.parametrize("path", sorted((PACKAGE / "core").rglob("*.py")), ids=lambda p: p.name)
def test_core_is_pure(path: Path) -> None:
    assert not {m.split(".")[0] for m in imports(path)} & FORBIDDEN_IN_CORE


@pytest.mark.parametrize("path", sorted((PACKAGE / "runtimes").rglob("*.py")), ids=lambda p: p.name)
def test_runtimes_know_neither_hosts_nor_each_other(path: Path) -> None:
    mine = path.relative_to(PACKAGE / "runtimes").parts[0].removesuffix(".py")
    for module in imports(path):
        assert area(module) != "hosts", f"{path.name} imports {module}"
        if area(module) == "runtimes" and module.count(".") >= 2 and mine != "registry":
            other = module.split(".")[2]
            assert other == mine or other in RUNTIMES_MAY_SHARE, f"{path.name} imports {module}"


def test_rooms_log_under_their_name_or_not_at_all() -> None:
    for path in MODULES:
        room = path.relative_to(PACKAGE).parts[0]
        names = re.findall(r"getLogger\((.*?)\)", path.read_text())
        if room not in ("cli", "__init__.py"):
            assert set(names) <= ({f'"reconciler.{room}"'} if room in LOGS else set()), path


TWO_MEANINGS = {"Host": "a spec of users, and the connection to what it names"}


def test_one_class_has_one_word() -> None:
    """Documents for programs (`cli/views/output`) are named after what they tell of."""
    places: dict[str, list[str]] = {}
    for path in MODULES:
        if "cli/views/output" not in str(path):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    places.setdefault(node.name, []).append(str(path.relative_to(PACKAGE)))
    assert {name: where for name, where in places.items() if len(where) > 1 and name not in TWO_MEANINGS} == {}


def test_only_cli_prints() -> None:
    for path in MODULES:
        if path.relative_to(PACKAGE).parts[0] == "cli":
            continue
        for node in nodes(path):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id
            assert called != "print", f"{path}:{node.lineno}"


def test_modules_stay_small() -> None:
    for path in [*MODULES, *Path(__file__).parent.rglob("*.py")]:
        assert len(path.read_text().splitlines()) <= 400, path


def test_test_folders_are_packages() -> None:
    """Else two test files with one name, in two folders, end the whole run."""
    folders = {path.parent for path in Path(__file__).parent.rglob("test_*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


PODMAN_IS_NAMED_IN = {
    "reconciler/runtimes/registry.py": "which runtimes there are",
    "reconciler/model/base.py": "the runtime of specs that name none: part of the API",
    "reconciler/model/fields.py": "labels and annotations that decide privileges, whichever engine reads them",
    "reconciler/load/foreign": "files and answers of Podman's that specs are made from",
    "reconciler/inspection/look.py": "whose format an archive has, that others may have made",
    "reconciler/commands/exporting.py": "the format of the archives that it writes",
    "reconciler/cli/kept.py": "the same, in the help of `export` and `import`",
    "reconciler/cli/views/kept.py": "the command that takes an archive, to be copied",
    "reconciler/cli/lab.py": "what hosts of the lab have",
    "reconciler/lab": "hosts of the lab have it",
    "templates/lab": "hosts of the lab have it",
    "templates/init": "an example",
}
"""Where a room that serves all runtimes says Podman's name, and why it stays so. Not in core, facts, hosts, criu,
guard, engine, state and watch: what only Podman does is asked of the runtime, what there is to say of it (rules,
pages, programs, versions) is the runtime's own and registered."""


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


NO_RUNTIME = re.compile("podman|libpod|docker|containerd|libvirt|virsh|kubevirt", re.IGNORECASE)
OF_NONE = ("core", "facts", "guard", "criu", "engine", "state", "stores", "watch")
"""Rooms that know no runtime by its name."""
BUT_FOR = {
    "core/cluster_pages.py": "clusters are asked for KubeVirt's kinds (H226)",
    "core/diff.py": "a reason, in a comment",
    "core/draining.py": "a drain of a node: KubeVirt says how many machines leave at once",
    "core/images.py": "docker.io is a registry",
    "core/rules/floors.py": "a table of programs with holes",
    "core/rules/keeping.py": "what becomes of a log",
    "core/rules/process.py": "a socket, as an example",
    "facts/rights.py": "the kinds of KubeVirt that an account needs rights for",
}


def test_pure_rooms_and_those_that_act_know_no_runtime() -> None:
    found = set()
    for path in MODULES:
        here = path.relative_to(PACKAGE).as_posix()
        if here.startswith(OF_NONE) and NO_RUNTIME.search(path.read_text(encoding="utf-8")):
            found.add(here)
    assert found == BUT_FOR.keys()
