"""Every rule once where it fires and once where it does not. A rule without its pair fails the tests."""

import re
from dataclasses import replace

import pytest

from reconciler.core.rules import Answer, MoveVerdict, check_host, verdict
from reconciler.core.rules.floors import FLOORS
from reconciler.core.rules.runtime import NEEDED_TOOLS
from reconciler.core.rules.security import below
from reconciler.model.plan import Finding
from reconciler.model.world import InstanceNetwork
from reconciler.runtimes import registry
from tests.core.rule_pairs import PAIRS
from tests.core.rule_pairs import engine as engines
from tests.core.rule_scene import LAN, TCP, Scene, _host, held, options
from tests.core.worlds import facts

RULES = registry.rules()


def test_every_rule_has_a_pair():
    assert PAIRS.keys() == RULES.keys()
    assert len(RULES) >= 35


@pytest.mark.parametrize("name", PAIRS)
def test_rule_fires(name):
    found = [f for f in PAIRS[name][0].findings() if f.rule == name]
    assert found, [f.rule for f in PAIRS[name][0].findings()]
    for finding in found:
        assert finding.message and finding.fix and finding.host in ("h1", "h2", "c/a", "c/b")
        assert finding.severity == RULES[name].severity


@pytest.mark.parametrize("name", PAIRS)
def test_rule_is_silent(name):
    assert name not in {f.rule for f in PAIRS[name][1].findings()}


@pytest.mark.parametrize("name", PAIRS)
def test_rule_has_a_page(name):
    assert len(RULES[name].text) > 40 and RULES[name].text.endswith(".")


TYPED = re.compile(r"\bpodman (rm|exec|update|network|rename|unpause|load|untag|image|pull)\b")


@pytest.mark.parametrize(
    "name", [name for name, (scene, _) in PAIRS.items() if not scene.machine and scene.process is None]
)
def test_what_a_person_is_told_to_type_is_of_the_runtime_that_has_the_workload(name):
    """What stands on a host beside it is asked of the same engine here."""
    scene = PAIRS[name][0]
    docker = {"runtime": "docker"}
    here, there = (tuple(c.model_copy(update=docker) for c in too) for too in (scene.here_too, scene.there_too))
    of_docker = replace(scene, **docker, has=scene.has | docker, here_too=here, there_too=there)
    told = [finding for finding in of_docker.findings() if finding.rule == name]
    assert not [f.fix for f in told if TYPED.search(f.fix)]


def test_an_ordinary_move_is_fine():
    scene = Scene(wants={"networks": LAN}, has={"tcp_established": TCP, **held(kernel_objects=("eventpoll",))})
    assert scene.findings() == []


def test_all_findings_come_at_once():
    scene = Scene(has={"auto_remove": True, **held(kernel_objects=("io_uring",), traced=("x",))})
    assert {"container.auto-remove", "process.io-uring", "process.traced"} <= {f.rule for f in scene.findings()}


@pytest.mark.parametrize("there", engines.ODD)
def test_engines_of_which_nothing_is_known_get_nothing(there):
    assert "docker.setup" in {f.rule for f in engines.scene(there=there).findings()}


def test_an_ordinary_move_between_engines_is_fine():
    assert engines.scene().findings() == []


def test_verdicts():
    refuse = Finding(rule="a", severity="refuse", workload="w", host="h", message="m")
    warn = refuse.model_copy(update={"severity": "warn"})
    assert verdict([]) is Answer.YES
    assert verdict([warn]) is Answer.YES_BUT
    assert MoveVerdict("w", "h", (warn, refuse)).answer is Answer.NO


def test_an_accepted_rule_neither_refuses_nor_warns():
    scene = Scene(has=options(privileged=True), policy={"accept": ["container.privileged"]})
    found = scene.findings()
    assert [(f.rule, f.severity, f.accepted) for f in found] == [("container.privileged", "warn", True)]
    assert verdict(found) is Answer.YES


def test_what_keeps_data_is_never_accepted():
    """Also in a plan whose policy never went through the loader."""
    scene, _ = PAIRS["volume.stale"]
    scene = replace(scene, policy={"accept": ["volume.stale"]})
    assert verdict(scene.findings()) is Answer.NO


SAFETY = ("volume.", "name.", "address.", "port.taken", "security.", "room.memory", "room.disk", "cpu.")


def test_rules_of_safety_cannot_be_accepted():
    assert [name for name, one in RULES.items() if one.acceptable and name.startswith(SAFETY)] == []


def test_what_podman_update_has_changed_is_said():
    has = {"restart": "always", **options(memory=512 * 2**20)}
    found = Scene(wants={"limits": {"memory": "1GiB"}}, has=has).findings()
    assert [(f.rule, f.severity) for f in found] == [("container.drift", "warn")]
    assert "restart is always and was no" in found[0].message and "512 MiB and was 1 GiB" in found[0].message


def test_limits_and_health_checks_by_hand_are_said():
    has = options(cpus=1.5, pids=77, cpuset="0", health=("CMD-SHELL", "false")) | held(other_health=True)
    (found,) = Scene(wants={"limits": {"cpus": 2.0}}, has=has).findings()
    for said in ("cpus is 1.5 and was 2.0", "pids is 77 and was none", "cpuset is 0 and", "health check is false"):
        assert said in found.message
    wants = {"limits": {"cpus": 1.5, "pids": 77}, "healthcheck": {"command": ["true"]}}
    has = options(cpus=1.5, pids=77, health=("CMD", "true")) | held(other_health=True)
    assert [f for f in Scene(wants=wants, has=has).findings() if f.rule == "container.drift"] == []


def test_a_network_that_was_joined_anew_is_said():
    lan = [{"name": "lan", "ip": "10.0.0.5", "ip6": "fd00::0:5", "mac": "02:00:00:00:00:AB"}]

    def found(**how: str) -> list[tuple[str, str]]:
        has = {"ip": "10.0.0.5", "ip6": "fd00::5", "mac": "02:00:00:00:00:ab"} | how
        scene = Scene(wants={"networks": lan}, has={"networks": (InstanceNetwork(name="lan", **has),)})
        return [(f.severity, f.message) for f in scene.findings() if f.rule == "container.drift"]

    assert found() == []
    ((severity, text),) = found(ip="10.0.0.9")
    assert severity == "refuse" and "it is 10.0.0.9, and 10.0.0.5 in its spec" in text
    assert [severity for severity, _ in found(mac="02:00:00:00:00:cd")] == ["warn"]


def test_what_is_open_to_write_in_a_folder_that_stays_refuses():
    mounts = [{"source": "/srv/app", "target": "/app"}]
    volumes = [{"name": "v", "target": "/app/in"}]
    paths = {"preflight": {"paths": {"/srv/app": "xfs"}}}

    def severity(*written: str) -> list[str]:
        scene = Scene(wants={"mounts": mounts, "volumes": volumes}, has=held(written=written), there=paths)
        return [f.severity for f in scene.findings() if f.rule == "mount.stays"]

    assert severity("/app/log") == ["refuse"] and severity("/app/in/db", "/apple") == ["warn"]


def test_older_criu_of_the_same_series_only_warns():
    found = Scene(here={"versions": {"criu": "4.3"}}).findings()
    assert [(f.rule, f.severity) for f in found] == [("criu.older", "warn")]


def test_more_confinement_on_the_destination_only_warns():
    found = Scene(has=held(), there={"preflight": {"confinement": ("selinux",)}}).findings()
    assert [(f.rule, f.severity) for f in found] == [("security.module", "warn")]


def test_floors_refuse_when_the_policy_says_so():
    found = Scene(policy={"securityFloor": "refuse"}).findings()
    assert {f.severity for f in found if f.rule == "security.floor"} == {"refuse"}


def test_hosts_alone_are_checked_for_doctor():
    rules = {f.rule for f in check_host(facts("h1", **_host({"versions": {"criu": "", "runc": "1.4.0"}})))}
    assert {"criu.missing", "security.floor"} <= rules


def test_doctor_names_a_host_from_which_no_memory_follows():
    bare = facts("h1").model_copy(update={"tools": ("perl", *NEEDED_TOOLS, "iptables-restore")})
    (found,) = [f for f in check_host(bare) if f.rule == "strategy.postcopy"]
    assert (found.severity, found.host) == ("warn", "h1")
    assert "python3" in found.message and "python3-minimal" in found.fix
    assert not [f for f in check_host(facts("h1")) if f.rule == "strategy.postcopy"]


def test_a_host_for_virtual_machines_only_lacks_nothing_that_criu_needs():
    bare = {"podman": "", "criu": "", "runc": "", "crun": ""}
    found = facts("h1", **_host({"versions": bare})).model_copy(update={"tools": ()})
    assert "runtime.missing" in {f.rule for f in check_host(found.model_copy(update={"runtimes": {}}))}
    of_libvirt = found.model_copy(update={"runtimes": {"libvirt": "11.3.0"}})
    assert check_host(of_libvirt) == []
    mixed = of_libvirt.model_copy(update={"runtimes": {"libvirt": "11.3.0", "podman": "5.4.2"}})
    assert "criu.missing" in {f.rule for f in check_host(mixed)}


@pytest.mark.parametrize(
    ("program", "have", "bad"),
    [
        ("runc", "1.1.15", True),
        ("runc", "1.2.8", False),
        ("runc", "1.3.2", True),
        ("runc", "1.3.3", False),
        ("runc", "1.5.0", False),
        ("sudo", "1.9.13p3", False),
        ("sudo", "1.9.17", True),
        ("sudo", "1.9.17p1", False),
        ("sudo", "1.9.18", False),
        ("crun", "1.21", True),
        ("crun", "1.28", False),
        ("podman", "5.4.2", True),
        ("podman", "5.8.5", False),
        ("containerd", "2.2.4", True),
        ("containerd", "2.2.7", False),
    ],
)
def test_floors_know_series(program, have, bad):
    assert any(below(have, floor) for floor in FLOORS if floor.program == program) is bad


@pytest.mark.parametrize(
    ("wanted", "open_ones", "severity"),
    [
        ([{"path": "/dev/fuse"}], (), "warn"),
        ([{"path": "/dev/fuse", "target": "/dev/other"}], ("/dev/other",), "refuse"),
        ([], (), "refuse"),
    ],
)
def test_a_device_that_nobody_holds_is_the_destinations_after_a_move(wanted, open_ones, severity):
    has = options(devices=("/dev/fuse",)) | held(devices=open_ones)
    found = Scene(wants={"devices": wanted}, has=has).findings()
    assert [f.severity for f in found if f.rule == "container.devices"] == [severity]


@pytest.mark.parametrize(
    ("ahead", "word"),
    [
        ({"confinement": ()}, "has no AppArmor"),
        ({"confinement": ("apparmor",)}, "is not loaded"),
        ({"confinement": ("apparmor",), "profiles": ("web",)}, ""),
    ],
)
def test_a_profile_of_apparmor_has_to_be_loaded(ahead, word):
    found = Scene(wants={"securityOpt": {"apparmor": "web"}}, there={"preflight": ahead}).findings()
    said = [f.message for f in found if f.rule == "security.profile"]
    assert (word in said[0]) if word else not said
