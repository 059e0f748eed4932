"""What is started or restored without the guard, by a person, a unit or a boot, is asked of the marker."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

BROKEN, PHASE = 76, 77
MAY = [("running", "owner"), ("confirmed", "destination"), ("reserved", "source")]
MAY_NOT = [
    ("reserved", "destination"),
    ("held", "source"),
    ("verified", "source"),
    ("committed", "source"),
    ("committed", "destination"),
    ("retired", "source"),
    ("fenced", "source"),
    ("fenced", "destination"),
]


def start(host: Any, config: Path | str, key: str = "org.criu.config") -> subprocess.CompletedProcess[str]:
    """As an OCI runtime calls the hook: hardly any environment, the state on standard input."""
    state = {"ociVersion": "1.2.0", "annotations": {"io.x": "y", key: str(config), "io.z": "a"}, "pid": 1}
    env = {"RECONCILER_ROOT": str(host.root)}
    return subprocess.run(
        host.argv("may-start"), input=json.dumps(state), env=env, capture_output=True, text=True, check=False
    )


def boot(host: Any, name: str = "web") -> subprocess.CompletedProcess[str]:
    """As the entry of a tree of processes does when its host boots."""
    argv = host.argv("boot", name, "--", "echo", "started")
    env = {"RECONCILER_ROOT": str(host.root)}
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)


def restore(host: Any) -> subprocess.CompletedProcess[str]:
    env = dict(os.environ, CRTOOLS_SCRIPT_ACTION="pre-restore", **{k: host.env[k] for k in ("RECONCILER_ROOT",)})
    return subprocess.run([host.path("web", "hook.sh")], env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("phase", "role"), MAY)
def test_where_it_belongs_it_may_be_started(host: Any, phase: str, role: str) -> None:
    config = host.path("web", "criu.conf")
    assert start(host, config).returncode == 0, "no marker: nothing is known against it"
    host("mark", "web", 3, phase, role, "r", "h2")
    assert start(host, config).returncode == 0
    assert boot(host).stdout == "started\n"
    assert (restore(host).returncode == 0) is (phase != "reserved")


@pytest.mark.parametrize(("phase", "role"), MAY_NOT)
def test_a_copy_that_another_host_may_own_is_neither_started_nor_restored(
    host: Any, phase: str, role: str
) -> None:
    host("mark", "web", 3, phase, role, "r", "h2")
    for done in (start(host, host.path("web", "criu.conf")), restore(host), boot(host)):
        assert done.returncode == PHASE
        assert f"it is {phase} here" in done.stderr and "reconcile status" in done.stderr
        assert done.stdout == ""


def test_what_was_generated_from_it_is_asked_about_too(host: Any) -> None:
    """`podman kube generate`, then `podman kube play`."""
    config, key = host.path("web", "criu.conf"), "org.criu.config/web"
    assert start(host, config, key).returncode == 0
    host("mark", "web", 3, "committed", "source", "r", "h2")
    assert start(host, config, key).returncode == PHASE
    assert start(host, config, "org.criu.configured").returncode == 0


def test_a_torn_marker_starts_nothing(host: Any) -> None:
    host.path("web", "marker").write_text("torn")
    assert start(host, host.path("web", "criu.conf")).returncode == BROKEN
    assert restore(host).returncode == BROKEN
    assert boot(host).returncode == BROKEN


def test_a_source_that_has_resumed_by_itself_may_be_started(host: Any, until: Any) -> None:
    host.hold("web", 2, host.victim(), silence=1)
    assert start(host, host.path("web", "criu.conf")).returncode == PHASE
    assert boot(host).returncode == PHASE
    until(lambda: host.show("web")["phase"] == "running", 10.0)
    assert start(host, host.path("web", "criu.conf")).returncode == 0


def test_a_boot_knows_nothing_of_what_was_removed(host: Any) -> None:
    done = boot(host, "gone")
    assert (done.returncode, done.stdout) == (0, "")
    assert not host.path("gone", "marker").parent.exists()


def test_containers_of_others_are_left_alone(host: Any, tmp_path: Path) -> None:
    for config in ("/etc/criu/web.conf", host.path("other", "criu.conf"), f"{host.root}/workloads/../x/criu.conf"):
        assert start(host, config).returncode == 0
    (tmp_path / "gone").mkdir()
    host.root = tmp_path / "gone"
    assert start(host, host.path("web", "criu.conf")).returncode == 0
