"""Doctor without hosts: the sudoers file, and what is shown of hosts that were looked at."""

import ast
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.cli.views.doctor import render_examination
from reconciler.cli.views.output.base import as_json
from reconciler.cli.views.output.hosts import doctor_document
from reconciler.commands.doctor import PROGRAMS, Examination, Health, _examined, sudoers
from reconciler.model.world import HostUnknown, Preflight
from reconciler.runtimes import registry
from tests.core.worlds import facts, host

PACKAGE = Path(__file__).parent.parent.parent / "reconciler"
GOOD = {"podman": "6.1.2", "runc": "1.4.0", "criu": "4.2", "kernel": "6.18.0"}


def examined(**changes):
    changes.setdefault("versions", GOOD)
    return _examined(host("h1"), facts("h1", preflight=Preflight(), **changes))


def test_a_healthy_host_is_one_line():
    found = Examination((examined(),))
    assert found.exit_code == 0
    text = render_examination(found, False, security=False)
    assert text.startswith("h1  ready · podman 6.1.2") and "\n" not in text


def test_details_come_before_the_verdict_line():
    found = Examination((examined(tools=("nsenter", "flock", "setsid", "timeout", "tar", "ip")),))
    lines = render_examination(found, False, security=False).splitlines()
    assert found.exit_code == 7 and found.hosts[0].health is Health.UNUSABLE
    assert "criu.network-lock" in lines[0] and "apt-get install iptables" in lines[1]
    assert lines[-1].startswith("h1  cannot be used")


def test_known_holes_are_counted_and_listed_on_demand():
    old = examined(versions=GOOD | {"runc": "1.1.15"})
    assert old.health is Health.READY
    assert "1 security notes" in render_examination(Examination((old,)), False, security=False)
    assert "CVE-2025-31133" in render_examination(Examination((old,)), False, security=True)


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        ("H201", "ssh -p 22 root@192.0.2.1 true"),
        ("H204", "--sudoers"),
        ("H210", "reconcile explain H210"),
        ("H299", "ssh"),
    ],
)
def test_an_unknown_host_has_a_command_that_helps(code, fix):
    found = _examined(host("h1"), HostUnknown(name="h1", reason="no", code=code))
    assert found.health is Health.UNUSABLE and fix in found.problems[0].fix


def test_what_an_engine_says_helps_is_told_before_general_advice():
    gone = HostUnknown(name="h1", reason="Docker is not there, but was", code="H210", fix="install it again")
    assert _examined(host("h1"), gone).problems[0].fix == "install it again"


UNSEEN = HostUnknown(name="h2", reason="no")


def test_json_has_everything():
    body = as_json(doctor_document(Examination((examined(), _examined(host("h2"), UNSEEN)))))
    assert body["usable"] is False
    assert [h["health"] for h in body["hosts"]] == ["ready", "unusable"]


def test_a_name_that_no_spec_defines_is_bad_input(tmp_path, capsys):
    (tmp_path / "h.yaml").write_text(host("h1").model_dump_json(by_alias=True, exclude_none=True))
    assert run(["doctor", "h2", "--specs", str(tmp_path)]) == 4
    assert "known hosts: h1" in capsys.readouterr().err


def first_words() -> set[str]:
    """First words of all argument lists given to `Command` or to the guard, read from the syntax trees."""
    found: set[str] = set()
    for path in [
        path for room in ("runtimes", "criu", "guard", "hosts") for path in (PACKAGE / room).rglob("*.py")
    ]:
        if "memory" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Tuple) and len(node.elts) > 1 and isinstance(node.elts[0], ast.Constant):
                found.add(str(node.elts[0].value))
    return found


def test_sudoers_lists_every_program_that_is_run():
    allowed = {program.rpartition("/")[2] for program in (*PROGRAMS, *registry.programs())}
    others = (
        "mv",
        "sync",
        "sleep",
        "touch",
        "cp",
        "mkdir",
        "mount",
        "umount",
        "chmod",
        "find",
        "awk",
        "sed",
        "systemctl",
    )
    used = {word.rpartition("/")[2] for word in first_words()} & (allowed | set(others))
    assert used == allowed


def test_sudoers_is_only_for_users_that_are_not_root():
    assert "no sudoers file is needed" in sudoers({"h1": host("h1")})
    text = sudoers({"h1": host("h1", user="deploy", sudo=True), "h2": host("h2", user="deploy", sudo=True)})
    assert "on h1, h2" in text and "deploy ALL=(root) NOPASSWD: RECONCILER" in text
    assert "/usr/bin/podman" in text and "/var/lib/reconciler/bin/transfer-receive-" in text
