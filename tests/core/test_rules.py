"""Every rule once where it fires and once where it does not. A rule without its pair fails the tests."""

from dataclasses import dataclass, field

import pytest

from reconciler.core.diff import Index
from reconciler.core.rules import RULES, Answer, MoveVerdict, check_change, check_host, verdict
from reconciler.core.rules.floors import FLOORS
from reconciler.core.rules.runtime import NEEDED_TOOLS
from reconciler.core.rules.security import below
from reconciler.model.plan import Change, ChangeKind, Finding
from reconciler.model.spec import MigrationPolicy, PolicyRefs
from reconciler.model.world import (
    ContainerMount,
    ContainerOptions,
    DeletedFile,
    InstanceState,
    NetworkFacts,
    Preflight,
    ProcessFacts,
    TcpConnection,
    Versions,
    VolumeFacts,
)
from tests.core.worlds import API, container, facts, host, network, spec, volume, workload, world

MIB = 2**20
GOOD = {"podman": "5.4.2", "runc": "1.1.15", "crun": "1.28", "criu": "4.2", "kernel": "6.18.0"}
TCP = (TcpConnection(local="10.77.0.100:9000", peer="10.77.0.1:5000"),)
LAN = [{"name": "lab", "ip": "10.77.0.100", "mac": "02:00:00:00:01:00"}]
VOLUME = {"volumes": [{"name": "v", "target": "/v"}]}
APP = [{"source": "/srv/app", "target": "/app"}]


@dataclass
class Scene:
    """A workload `web` on h1 that should be on h2. `here` and `there` change the hosts, `has` the container,
    `wants` its spec, `policy` how it moves; `kind` and `objects` where it is about something else than a move."""

    wants: dict = field(default_factory=dict)
    has: dict = field(default_factory=dict)
    here: dict = field(default_factory=dict)
    there: dict = field(default_factory=dict)
    policy: dict = field(default_factory=dict)
    kind: ChangeKind = ChangeKind.MOVE
    here_too: tuple = ()
    there_too: tuple = ()
    objects: tuple = ()
    runtime: str = "podman"
    abilities: dict = field(default_factory=dict)

    def findings(self) -> list[Finding]:
        wanted = workload(on="h2", **self.wants)
        named = wanted.spec.model_copy(update={"runtime": self.runtime})
        wanted = wanted.model_copy(update={"spec": named})
        if self.policy:
            named = wanted.spec.model_copy(update={"migration": PolicyRefs(policy="p")})
            wanted = wanted.model_copy(update={"spec": named})
        moves = self.kind is ChangeKind.MOVE
        on_source = (container(wanted, **{"upper_dir": "/up", "userdata": "/u", **self.has}),) if moves else ()
        source = facts("h1", *on_source, *self.here_too, **_host(self.here))
        destination = facts("h2", *self.there_too, **_host(self.there))
        specs = spec(host("h1"), host("h2"), wanted, *self.objects)
        if self.policy:
            policy = MigrationPolicy(
                api_version=API, kind="MigrationPolicy", metadata={"name": "p"}, spec=self.policy
            )
            specs = specs.model_copy(update={"policies": {"p": policy}})
        change = Change(
            kind=self.kind,
            workload="web",
            source="h1" if moves else None,
            destination="h2",
            reason="test",
        )
        hosts = world(source, destination).model_copy(update={"abilities": self.abilities})
        return check_change(change, specs, hosts, Index.of(hosts))


def _host(changes: dict) -> dict:
    changes = dict(changes)
    versions = changes.pop("versions", {})
    asked = changes.pop("preflight", {})
    answers = None if asked is None else Preflight(**{"capabilities": ("CHOWN", "KILL"), **asked})
    changes["preflight"] = answers
    return {"versions": Versions(**{**GOOD, **versions}), **changes}


def held(**facts_of_processes) -> dict:
    return {"held": ProcessFacts(**facts_of_processes)}


def options(**how) -> dict:
    return {"options": ContainerOptions(**how)}


def foreign(**more):
    """A container on a host that is not ours."""
    other = workload("other")
    return container(other, **{"labels": {}, **more})


LAB = {"name": "lab", "driver": "macvlan", "subnets": ("10.77.0.0/24",), "parent": "e0"}

GIVEN = {"devices": [{"path": "/dev/fuse"}], "securityOpt": {"seccomp": "/etc/web.json"}}

PAIRS: dict[str, tuple[Scene, Scene]] = {
    "room.memory": (
        Scene(has={"memory_bytes": 512 * MIB}, there={"memory_free_bytes": 512 * MIB}),
        Scene(has={"memory_bytes": 512 * MIB}, there={"memory_free_bytes": 600 * MIB}),
    ),
    "room.images": (
        Scene(has={"memory_bytes": 512 * MIB}, here={"memory_free_bytes": 1440 * MIB}),
        Scene(has={"memory_bytes": 512 * MIB}, here={"memory_free_bytes": 1441 * MIB}),
    ),
    "room.disk": (
        Scene(has={"memory_bytes": 512 * MIB}, here={"disk_free_bytes": 512 * MIB}),
        Scene(has={"memory_bytes": 512 * MIB}, here={"disk_free_bytes": 900 * MIB}),
    ),
    "container.paused": (
        Scene(has={"state": InstanceState.PAUSED}),
        Scene(has={"state": InstanceState.RUNNING}),
    ),
    "name.taken": (Scene(there_too=(foreign(name="web"),)), Scene(there_too=(foreign(name="web2"),))),
    "volume.taken": (
        Scene(wants=VOLUME, there={"volumes": (VolumeFacts(name="v"),)}),
        Scene(
            wants=VOLUME,
            there={"volumes": (volume("v"),)},
        ),
    ),
    "volume.stale": (
        Scene(wants=VOLUME, here={"volumes": (volume("v"),)}, there={"volumes": (volume("v", epoch=9),)}),
        Scene(wants=VOLUME, here={"volumes": (volume("v"),)}, there={"volumes": (volume("w"),)}),
    ),
    "volume.unclear": (
        Scene(
            wants=VOLUME,
            kind=ChangeKind.CREATE,
            here={"volumes": (volume("v", epoch=3),)},
            there={"volumes": (volume("v"),)},
        ),
        Scene(wants=VOLUME, kind=ChangeKind.CREATE, here={"volumes": (volume("v", epoch=3),)}),
    ),
    "volume.shared": (
        Scene(
            wants=VOLUME,
            here_too=(foreign(mounts=(ContainerMount(kind="volume", name="v", target="/x"),)),),
        ),
        Scene(
            wants=VOLUME,
            here_too=(foreign(mounts=(ContainerMount(kind="volume", name="w", target="/x"),)),),
        ),
    ),
    "image.gone": (Scene(here={"images": ()}, there={"images": ()}), Scene(there={"images": ()})),
    "image.differs": (
        Scene(there={"images": ({"id": "b" * 64, "names": ("localhost/app:1",)},)}),
        Scene(there={"images": ()}),
    ),
    "mount.source-missing": (
        Scene(wants={"mounts": APP}, there={"preflight": {"paths": {"/srv/app": ""}}}),
        Scene(wants={"mounts": APP}, there={"preflight": {"paths": {"/srv/app": "ext2/ext3"}}}),
    ),
    "mount.stays": (
        Scene(wants={"mounts": APP}, there={"preflight": {"paths": {"/srv/app": "xfs"}}}),
        Scene(wants={"mounts": APP}, there={"preflight": {"paths": {"/srv/app": "nfs"}}}),
    ),
    "network.missing": (
        Scene(wants={"networks": [{"name": "app"}]}),
        Scene(wants={"networks": [{"name": "app"}]}, objects=(network("app"),)),
    ),
    "network.subnet": (
        Scene(wants={"networks": [{"name": "lab", "ip": "10.99.0.9"}]}),
        Scene(wants={"networks": LAN}),
    ),
    "network.differs": (
        Scene(wants={"networks": LAN}, there={"networks": (NetworkFacts(**{**LAB, "driver": "bridge"}),)}),
        Scene(wants={"networks": LAN}, there={"networks": (NetworkFacts(**LAB),)}),
    ),
    "network.mac-changes": (
        Scene(wants={"networks": [{"name": "lab", "ip": "10.77.0.100"}]}),
        Scene(wants={"networks": LAN}),
    ),
    "address.taken": (
        Scene(wants={"networks": LAN}, there_too=(foreign(networks=({"name": "lab", "ip": "10.77.0.100"},)),)),
        Scene(wants={"networks": LAN}, there_too=(foreign(networks=({"name": "lab", "ip": "10.77.0.101"},)),)),
    ),
    "address.of-host": (
        Scene(wants={"networks": LAN}, there={"preflight": {"addresses": ("10.77.0.100",)}}),
        Scene(wants={"networks": LAN}, there={"preflight": {"addresses": ("10.77.0.2",)}}),
    ),
    "address.answers": (
        Scene(wants={"networks": LAN}, there={"preflight": {"answers": {"10.77.0.100": "02:00:00:00:09:09"}}}),
        Scene(wants={"networks": LAN}, there={"preflight": {"answers": {"10.77.0.100": "02:00:00:00:01:00"}}}),
    ),
    "port.taken": (
        Scene(
            wants={"ports": [{"container": 80, "host": 8080}]},
            there={"preflight": {"listening": ("tcp/0.0.0.0:8080",)}},
        ),
        Scene(
            wants={"ports": [{"container": 80, "host": 8080}]},
            there={"preflight": {"listening": ("udp/0.0.0.0:8080", "tcp/0.0.0.0:80")}},
        ),
    ),
    "port.stays": (Scene(wants={"ports": [{"container": 80, "host": 8080}]}), Scene(wants={"networks": LAN})),
    "tcp.address-stays": (
        Scene(has={"tcp_established": TCP}),
        Scene(wants={"networks": LAN}, has={"tcp_established": TCP}),
    ),
    "tcp.close-unsupported": (
        Scene(
            has={"tcp_established": TCP, "oci_runtime": "crun"},
            there={"versions": {"crun": "1.21"}},
            policy={"tcp": "close"},
        ),
        Scene(has={"tcp_established": TCP, "oci_runtime": "crun"}, policy={"tcp": "close"}),
    ),
    "podman.missing": (
        Scene(kind=ChangeKind.CREATE, there={"versions": {"podman": ""}}),
        Scene(kind=ChangeKind.CREATE),
    ),
    "podman.older": (
        Scene(there={"versions": {"podman": "4.9.3"}}),
        Scene(there={"versions": {"podman": "6.0.0"}}),
    ),
    "tools.missing": (Scene(there={"tools": ("iptables-restore", "tar")}), Scene()),
    "criu.missing": (Scene(here={"versions": {"criu": ""}}), Scene()),
    "criu.check": (
        Scene(there={"preflight": {"complaint": "Error (criu/cr-check.c:1): no CAP"}}),
        Scene(there={"preflight": {"complaint": ""}}),
    ),
    "criu.tcp-kernel": (
        Scene(there={"versions": {"criu": "4.1.1"}}),
        Scene(there={"versions": {"criu": "4.1.1", "kernel": "6.12.41"}}),
    ),
    "criu.known-bad": (
        Scene(here={"versions": {"criu": "3.17.1"}}),
        Scene(here={"versions": {"criu": "3.17.1", "kernel": "6.1.0-28"}}),
    ),
    "criu.older": (Scene(there={"versions": {"criu": "3.19"}}), Scene(there={"versions": {"criu": "4.2.1"}})),
    "criu.network-lock": (
        Scene(here={"tools": ("nsenter", "flock", "setsid", "timeout", "tar", "ip")}),
        Scene(),
    ),
    "criu.library": (
        Scene(has={"oci_runtime": "crun"}, there={"preflight": {"libcriu": False}}),
        Scene(there={"preflight": {"libcriu": False}}),
    ),
    "oci-runtime.missing": (
        Scene(there={"versions": {"runc": ""}}),
        Scene(has={"oci_runtime": "crun"}, there={"versions": {"runc": ""}}),
    ),
    "oci-runtime.older": (Scene(here={"versions": {"runc": "1.3.6"}}), Scene()),
    "cutover.impossible": (
        Scene(policy={"cutover": "transactional"}, has={"annotations": {}}),
        Scene(policy={"cutover": "transactional"}),
    ),
    "strategy.lazy": (
        Scene(policy={"strategy": "lazy"}, there={"features": ()}),
        Scene(policy={"strategy": "lazy"}),
    ),
    "strategy.several": (
        Scene(policy={"strategy": "lazy"}, has={"processes": 3}),
        Scene(policy={"strategy": "lazy"}, has={"processes": 1}),
    ),
    "perl.missing": (Scene(there={"tools": (*NEEDED_TOOLS, "iptables-restore")}), Scene()),
    "strategy.precopy": (
        Scene(policy={"strategy": "precopy"}),
        Scene(policy={"strategy": "precopy"}, here={"features": ("mem_dirty_track",)}),
    ),
    "compression.missing": (Scene(policy={"compression": "lz4"}), Scene(policy={"compression": "none"})),
    "preflight.incomplete": (Scene(there={"preflight": None, "preflight_error": "time"}), Scene()),
    "arch.differs": (Scene(there={"arch": "aarch64"}), Scene()),
    "cpu.features": (
        Scene(here={"cpu_flags": ("sse2", "avx2")}, there={"cpu_flags": ("sse2",)}),
        # Not a thing programs can use: the hosts are the same for them.
        Scene(here={"cpu_flags": ("sse2", "ibrs_enhanced")}, there={"cpu_flags": ("sse2",)}),
    ),
    "kernel.older": (
        Scene(there={"versions": {"kernel": "6.1.0"}}),
        Scene(there={"versions": {"kernel": "6.18.7"}}),
    ),
    "cgroup.mode": (
        Scene(here={"cgroup_version": 2}, there={"cgroup_version": 1}),
        Scene(here={"cgroup_version": 2}, there={"cgroup_version": 2}),
    ),
    "clock.offset": (Scene(there={"clock_offset_s": 3600.0}), Scene(there={"clock_offset_s": 1.0})),
    "security.module": (
        Scene(has=held(confined_by="containers-default"), here={"preflight": {"confinement": ("apparmor",)}}),
        Scene(
            has=held(confined_by="containers-default"),
            here={"preflight": {"confinement": ("apparmor",)}},
            there={"preflight": {"confinement": ("apparmor",)}},
        ),
    ),
    "security.seccomp": (
        Scene(has=held(seccomp=True), there={"preflight": {"seccomp": False}}),
        Scene(has=held(seccomp=False), there={"preflight": {"seccomp": False}}),
    ),
    "security.capabilities": (
        Scene(has=held(capabilities=("SYS_ADMIN",))),
        Scene(has=held(capabilities=("KILL",))),
    ),
    "security.floor": (Scene(policy={"securityFloor": "warn"}), Scene()),
    "container.auto-remove": (Scene(has={"auto_remove": True}), Scene()),
    "container.privileged": (Scene(has=options(privileged=True)), Scene()),
    "container.host-namespaces": (Scene(has=options(ipc_mode="host")), Scene(has=options(network_mode="lab"))),
    "container.user-namespace": (Scene(has=options(user_mode="auto")), Scene(has=options(user_mode="host"))),
    "container.devices": (Scene(has=options(devices=("/dev/fuse",))), Scene()),
    "device.missing": (
        Scene(wants=GIVEN, there={"preflight": {"paths": {"/dev/fuse": "", "/etc/web.json": "ext4"}}}),
        Scene(wants=GIVEN, there={"preflight": {"paths": {"/dev/fuse": "tmpfs", "/etc/web.json": "ext4"}}}),
    ),
    "security.profile": (
        Scene(wants=GIVEN, there={"preflight": {"paths": {"/dev/fuse": "tmpfs", "/etc/web.json": ""}}}),
        Scene(wants=GIVEN, there={"preflight": {"paths": {"/dev/fuse": "tmpfs", "/etc/web.json": "ext4"}}}),
    ),
    "image.platform": (Scene(wants={"platform": "linux/arm64"}), Scene(wants={"platform": "linux/amd64"})),
    "image.never": (
        Scene(wants={"pull": "never"}, kind=ChangeKind.CREATE, here={"images": ()}, there={"images": ()}),
        Scene(wants={"pull": "never"}, kind=ChangeKind.CREATE, there={"images": ()}),
    ),
    "container.host-gateway": (
        Scene(wants={"extraHosts": {"host.docker.internal": "host-gateway"}}),
        Scene(wants={"extraHosts": {"db": "10.0.0.1"}}),
    ),
    "health.timer": (
        Scene(wants={"healthcheck": {"command": ["true"]}}),
        Scene(wants={"healthcheck": {"disabled": True}}),
    ),
    "container.terminal": (Scene(has=options(terminal=True)), Scene()),
    "container.pod": (Scene(has=options(pod="p" * 64)), Scene()),
    "container.unit": (
        Scene(here={"preflight": {"units": {"web": ("web.service",)}}}),
        Scene(here={"preflight": {"units": {"web": (), "other": ("other.service",)}}}),
    ),
    "container.restart-policy": (
        Scene(wants={"restart": "always"}, here={"versions": {"podman": "4.9.3"}}),
        Scene(wants={"restart": "always"}),
    ),
    "container.storage": (Scene(has={"upper_dir": ""}), Scene()),
    "process.io-uring": (
        Scene(has=held(kernel_objects=("io_uring",))),
        Scene(has=held(kernel_objects=("eventfd",))),
    ),
    "process.devices": (Scene(has=held(devices=("/dev/fuse",))), Scene(has=held(devices=("/dev/nvidia0",)))),
    "process.gpu": (Scene(has=held(devices=("/dev/nvidia0",))), Scene(has=held(devices=("/dev/fuse",)))),
    "process.deleted-files": (
        Scene(has=held(deleted_files=(DeletedFile(path="/tmp/x", bytes=2 * MIB),))),
        Scene(has=held(deleted_files=(DeletedFile(path="/tmp/x", bytes=MIB),))),
    ),
    "process.unix-sockets": (Scene(has=held(unix_peers=("/run/docker.sock",))), Scene(has=held())),
    "process.inotify": (Scene(has=held(lost_watches=2)), Scene(has=held(kernel_objects=("inotify",)))),
    "process.terminal": (Scene(has=held(terminals=("/dev/pts/3",))), Scene(has=held())),
    "process.exec-session": (Scene(has=held(visitors=("sh",))), Scene(has=held())),
    "process.traced": (Scene(has=held(traced=("redis-server",))), Scene(has=held())),
    "process.message-queues": (
        Scene(has=held(kernel_objects=("mqueue",))),
        Scene(has=held(kernel_objects=("eventfd",))),
    ),
    "process.kernel-objects": (
        Scene(has=held(kernel_objects=("perf_event",))),
        Scene(has=held(kernel_objects=("eventpoll", "timerfd", "mqueue"))),
    ),
    "process.mounts": (
        Scene(has=held(foreign_mounts=(("fuse.sshfs", "/mnt"),))),
        Scene(
            has={
                **held(foreign_mounts=(("fuse.sshfs", "/mnt"),)),
                "mounts": (ContainerMount(kind="bind", source="/srv", target="/mnt"),),
            }
        ),
    ),
    "runtime.ability": (
        Scene(runtime="plain", abilities={"plain": ("lifecycle",)}),
        Scene(runtime="plain", abilities={"plain": ("lifecycle",)}, kind=ChangeKind.CREATE),
    ),
    "runtime.missing": (
        Scene(runtime="plain", kind=ChangeKind.CREATE),
        Scene(runtime="plain", kind=ChangeKind.CREATE, there={"runtimes": {"plain": "1"}}),
    ),
    "process.database": (Scene(has=held(programs=("postgres",))), Scene(has=held(programs=("nginx",)))),
}


def test_every_rule_has_a_pair():
    assert PAIRS.keys() == RULES.keys()
    assert len(RULES) >= 35


@pytest.mark.parametrize("name", PAIRS)
def test_rule_fires(name):
    found = [f for f in PAIRS[name][0].findings() if f.rule == name]
    assert found, [f.rule for f in PAIRS[name][0].findings()]
    for finding in found:
        assert finding.message and finding.fix and finding.host in ("h1", "h2")
        assert finding.severity == RULES[name].severity


@pytest.mark.parametrize("name", PAIRS)
def test_rule_is_silent(name):
    assert name not in {f.rule for f in PAIRS[name][1].findings()}


@pytest.mark.parametrize("name", PAIRS)
def test_rule_has_a_page(name):
    assert len(RULES[name].text) > 40 and RULES[name].text.endswith(".")


def test_an_ordinary_move_is_fine():
    scene = Scene(wants={"networks": LAN}, has={"tcp_established": TCP, **held(kernel_objects=("eventpoll",))})
    assert scene.findings() == []


def test_all_findings_come_at_once():
    scene = Scene(has={"auto_remove": True, **held(kernel_objects=("io_uring",), traced=("x",))})
    assert {"container.auto-remove", "process.io-uring", "process.traced"} <= {f.rule for f in scene.findings()}


def test_verdicts():
    refuse = Finding(rule="a", severity="refuse", workload="w", host="h", message="m")
    warn = refuse.model_copy(update={"severity": "warn"})
    assert verdict([]) is Answer.YES
    assert verdict([warn]) is Answer.YES_BUT
    assert MoveVerdict("w", "h", (warn, refuse)).answer is Answer.NO


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
