"""Commands that only read files load no more than that takes. Real: the program and the examples."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from reconciler.resources import PACKAGE

PARSING = {"pydantic", "importlib.metadata"}
"""What typer reads arguments with."""
NOT_FOR_HELP = {"yaml", "reconciler.load", "reconciler.model.spec", "reconciler.core"}
NOT_FOR_SPECS = {
    *("asyncio", "asyncssh", "sqlite3", "jinja2", "rich", "watchdog"),
    *(
        "reconciler.runtimes.docker.driver",
        "reconciler.runtimes.podman",
        "reconciler.runtimes.process",
        "reconciler.runtimes.libvirt",
    ),
    *("xml.etree.ElementTree", "reconciler.load.mirror", "reconciler.state", "reconciler.hosts"),
    *("prometheus_client", "uvicorn", "starlette", "google", "lightkube", "opentelemetry", "h11"),
    *("reconciler.runtimes.base", "reconciler.model.plan", "reconciler.engine", "reconciler.core.criu_errors"),
}


def loaded(arguments: list[str], unwanted: set[str]) -> str:
    """How the program ended, and which of the modules it has loaded then."""
    code = (
        f"import sys; from reconciler.cli.main import run; status = run({arguments!r});"
        f"print(status, sorted({unwanted!r} & sys.modules.keys()))"
    )
    root = Path(PACKAGE).parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def test_validate_loads_what_reads_specs(tmp_path: Path) -> None:
    """The examples name every runtime of ours, and none of them is a template; those of libvirt are XML."""
    examples = Path(PACKAGE).parent / "specs"
    machine = {path for path in examples.rglob("*.yaml") if "domain:" in path.read_text()}
    for path in set(examples.rglob("*.yaml")) - machine:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert loaded(["validate", "specs/"], NOT_FOR_SPECS - {"xml.etree.ElementTree"}) == "0 []"
    assert machine and loaded(["validate", str(tmp_path)], NOT_FOR_SPECS) == "0 []"


def test_help_loads_no_more_than_the_options_of_all_commands() -> None:
    unwanted = NOT_FOR_HELP | NOT_FOR_SPECS
    assert loaded(["--help"], unwanted | PARSING) == "0 []"
    assert loaded(["plan", "--help"], unwanted) == "0 []"
