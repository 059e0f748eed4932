"""Commands that only read files load no more than that takes. Real: the program and the examples."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from reconciler.resources import PACKAGE

NOT_FOR_SPECS = {
    *("asyncio", "asyncssh", "sqlite3", "jinja2", "rich", "watchdog"),
    *(
        "reconciler.runtimes.docker.driver",
        "reconciler.runtimes.podman",
        "reconciler.runtimes.process",
        "reconciler.runtimes.libvirt",
    ),
    *("reconciler.runtimes.base", "reconciler.model.plan", "reconciler.engine", "reconciler.core.criu_errors"),
}


def test_validate_loads_what_reads_specs() -> None:
    """The examples name every runtime of ours, and none of them is a template."""
    code = (
        "import sys; from reconciler.cli.main import run; status = run(['validate', 'specs/']);"
        f"print(status, sorted({NOT_FOR_SPECS!r} & sys.modules.keys()))"
    )
    root = Path(PACKAGE).parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
