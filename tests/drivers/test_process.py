"""Trees of processes: what scripts are given, and what is believed of their answers. Fake: the host."""

from __future__ import annotations

import base64
import json
from functools import partial
from typing import Any

import pytest

from reconciler.core.unattached import words
from reconciler.errors import HostError, Refused
from reconciler.facts.adding import with_runtime
from reconciler.hosts.base import pump
from reconciler.model.base import canonical_json
from reconciler.model.container import Container
from reconciler.model.labels import LABEL_SPEC
from reconciler.model.network import NetworkDefinition
from reconciler.model.process import ProcessTree
from reconciler.model.question import Question
from reconciler.model.spec import Workload
from reconciler.model.world import HostFacts, InstanceState, TreeFacts
from reconciler.runtimes.process import observing, settings, stores, verifying
from tests.core.worlds import API
from tests.unit.lies import LIES, Liar, harmless
from tests.unit.test_lying_answers import refusal

ID = "ab" * 32
HOST = HostFacts(name="h1", versions={"criu": "4.2.1"})
SPEC = {
    "command": ["/bin/app", "a b", "line\nbreak\n", ""],
    "env": {"A": "1\n2"},
    "user": "nobody:nogroup",
    "networks": [{"name": "lan", "ip": "10.77.0.9", "mac": "02:00:00:00:00:09"}],
    "volumes": [{"name": "data", "target": "/srv/data"}],
    "mounts": [{"source": "/etc/app", "target": "/etc/app", "readOnly": True}],
    "limits": {"memory": "64MiB", "cpus": 0.5, "pids": 9},
}


def workload(**fields: Any) -> Workload:
    spec = {"runtime": "process", "process": {**SPEC, **fields}, "placement": {"host": "h1"}}
    return Workload.model_validate(
        {"apiVersion": API, "kind": "Workload", "metadata": {"name": "web"}, "spec": spec}
    )


def process(**fields: Any) -> ProcessTree:
    return settings.process_of(workload(**fields))


def test_words_arrive_as_they_are_and_no_value_becomes_a_setting() -> None:
    given = settings.files(workload(), {"KEY": b"s\0ecret\n"})
    files = {name: base64.b64decode(data) for name, data in (line.split() for line in given.splitlines())}
    words = [base64.b64decode(word).decode() for word in files[b"argv"].splitlines()]
    assert words == SPEC["command"]
    assert [base64.b64decode(word) for word in files[b"env"].splitlines()] == [b"A=1\n2", b"KEY=s\0ecret\n"]
    rows = [line.split("\t") for line in files[b"settings"].decode().splitlines()]
    assert ["user", "nobody:nogroup"] in rows and [
        "network",
        "macvlan",
        "lan",
        "10.77.0.9",
        "02:00:00:00:00:09",
    ] in rows
    assert ["mount", "bind", "/etc/app", "/etc/app", "ro"] in rows
    assert ["mount", "volume", "/var/lib/reconciler/volumes/data/data", "/srv/data", "rw"] in rows
    assert ["memory", str(64 * 2**20)] in rows and ["cpu", "50000 100000"] in rows
    assert b"ecret" not in files[b"settings"] + files[b"made.json"]


def test_dump_and_restore_name_the_same_mounts() -> None:
    dumped = [word.rpartition(":")[2] for word in settings.dump_options("web", process()) if word != "--external"]
    restored = [
        word.removeprefix("mnt[").partition("]")[0]
        for word in settings.restore_options("web", process())
        if word != "--external"
    ]
    assert dumped == restored and len(set(dumped)) == len(dumped) == 8


@pytest.mark.parametrize(
    "fields",
    [
        {"attach": {"pidfile": "/run/x"}},
        {"command": [], "restart": "always", "attach": {"pidfile": "/run/x"}},
        {"files": "carry", "root": "/srv/root"},
        {"files": "other"},
        {"command": []},
        {"command": [""]},
        {"hostNetwork": True},
        {"user": None, "groups": ["adm"]},
        {"groups": ["a,b"]},
        {"root": "relative"},
        {"mounts": [{"source": "/a", "target": "/run"}]},
        {"volumes": [{"name": "v", "target": "/run/reconciler/x"}]},
        {"networks": [{"name": "a"}, {"name": "b"}]},
        {"mounts": [{"source": "/srv/a", "target": "/a", "move": True}]},
    ],
)
def test_what_cannot_be_meant_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        workload(**fields)


IP = "10.77.0.9"
ATTACH = {"pidfile": "/run/app.pid", "addresses": [{"ip": IP, "card": "e0"}], "folders": ["/srv/app"]}


def attached(**fields: Any) -> Workload:
    spec = {"runtime": "process", "process": {"attach": {**ATTACH, **fields}}, "placement": {"host": "h1"}}
    return Workload.model_validate(
        {"apiVersion": API, "kind": "Workload", "metadata": {"name": "web"}, "spec": spec}
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"pidfile": None},
        {"unit": "app.service"},
        {"pidfile": None, "unit": "app"},
        {"pidfile": None, "unit": "--all.service"},
        {"pidfile": "/run/../x"},
        {"addresses": [{"ip": IP, "card": "e0 dev"}]},
        {"addresses": [{"ip": "fd00::1", "card": "e0"}]},
        {"folders": ["/srv"]},
        {"folders": ["/etc/app"]},
        {"folders": ["/var/lib"]},
        {"folders": ["/srv/app", "/srv/app/log"]},
        {"folders": ["/srv/app", "/srv/app"]},
    ],
)
def test_what_cannot_be_attached_to_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        attached(**fields)


def test_what_is_attached_to_is_its_hosts_own_and_has_nothing_of_ours() -> None:
    wanted = attached()
    spec = settings.process_of(wanted)
    assert Workload.model_validate_json(wanted.model_dump_json(by_alias=True)) == wanted
    assert wanted.spec.address == IP and [m.source for m in wanted.spec.mounts if m.move] == ["/srv/app"]
    assert settings.dump_options("web", spec) == settings.restore_options("web", spec) == []
    files = dict(line.split(b" ") for line in settings.files(wanted, {}).splitlines())
    rows = base64.b64decode(files[b"settings"]).decode().splitlines()
    assert "network\thost" in rows and f"address\t{IP}\te0" in rows


TOLD = """pid 77
program app
unit app.service
enabled enabled
id 77
id 78
writes /srv/app/log
reads /etc/app.conf
stray 90
session 3
terminal /dev/pts/0
deleted /usr/bin/app"""
OUTSIDE = "0: 09004D0A:2328 FE004D0A:9C40 01 00000000:00000000 00:00000000 00000000 0 0 5 1"
WITHIN = "1: 0100007F:2328 0100007F:9C40 01\n2: 0100007F:9C40 0100007F:2328 01"


async def test_what_a_host_tells_of_what_is_attached_to() -> None:
    made = json.dumps({"workload": "web", "spec": canonical_json(settings.process_of(attached()))})
    mapped = "/usr/lib/libc.so.6\n/srv/app/plugin.so"
    told = {"made web": f"{made}\n{ID}", "found web": TOLD, "tcp web": f"{OUTSIDE}\n{WITHIN}"}
    (tree,) = (await observed(seen(**told, **{"mapped web": mapped}))).instances
    assert isinstance(tree, TreeFacts) and tree.attached and tree.found is not None
    assert tree.mapped == ("/etc/app.conf", "/usr/lib/libc.so.6"), "what goes along needs no comparing"
    known = tree.found
    assert (known.ids, known.strays, known.sessions, known.peers) == ((77, 78), (90,), (3,), (IP,))
    assert (known.writes, known.terminals) == (("/srv/app/log",), ("/dev/pts/0",))
    assert known.deleted == ("/usr/bin/app",)
    assert (known.program, known.unit, known.enabled) == ("app", "app.service", "enabled")


async def test_what_is_in_its_way_is_asked() -> None:
    question = Question(ids=(77, 78), cards=("e0",), own=(IP,), attach=(("web", "pidfile", "/run/app.pid"),))
    answer = (
        f"@@ found web\nproblem owner 1000\n@@ cards\ne0\n@@ addresses\n{IP}\n@@ ids\n77 sh\n78 above\n@@ end\n"
    )
    facts = await pump(observing.hashes(HOST, question), Liar("h1", lambda _: answer))
    assert facts.preflight is not None
    ahead = facts.preflight.tree
    assert (ahead.taken, ahead.above, ahead.cards, ahead.addresses) == ({77: "sh"}, (78,), ("e0",), (IP,))
    message, fix = words(facts.preflight.found["web"].problem, ("pidfile", "/run/app.pid"))
    assert "/run/app.pid belongs to the user 1000" in message and fix
    assert "say why" in words("", ("unit", "a.service"))[0]


def _says(text: str, _: object) -> str:
    return text


@pytest.mark.parametrize("lie", [*LIES, "9" * 5000, "-1"])
async def test_hosts_that_lie_of_what_is_attached_to(lie: str) -> None:
    for key in ("pid", "id", "writes", "reads", "unit", "terminal", "problem", "program"):
        text = f"@@ found web\n{key} {lie}\n@@ cards\n{lie}\n@@ ids\n{lie}\n@@ end\n"
        question = Question(ids=(77,), cards=("e0",), attach=(("web", "pidfile", "/run/app.pid"),))
        try:
            facts = await pump(observing.hashes(HOST, question), Liar("h1", partial(_says, text)))
        except HostError as error:
            refusal(error, "h1")
        else:
            assert facts.preflight is not None
            told = facts.preflight.found["web"]
            assert all(harmless(word) for word in (told.problem, told.unit, told.program, *told.terminals))


@pytest.mark.parametrize("network", [{"driver": "bridge"}, {"driver": "macvlan", "parent": "e0"}])
def test_only_networks_with_a_card_and_a_subnet_can_be_joined(network: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        next(stores.create_network("lan", NetworkDefinition.model_validate(network)))


def seen(now: str = "started 5\nprocesses 2\npid 77\nmemory 4096\nown 9", **changes: str) -> str:
    made = json.dumps({"workload": "web", "spec": canonical_json(process())})
    parts = {
        "made web": f"{made}\n{ID}",
        "now web": now,
        "mapped web": "/usr/lib/libc.so.6\n/srv/data/file\n/tmp/x (deleted)\n/run/reconciler/output",
        "tcp web": "",
        "networks": json.dumps({"name": "lan", "driver": "macvlan", "subnet": "10.77.0.0/24", "parent": "e0"}),
        "volumes": 'data {"io.reconciler.workload": "web"}',
        "end": "",
        **changes,
    }
    return "".join(f"@@ {name}\n{text}\n" for name, text in parts.items())


async def observed(text: str) -> HostFacts:
    return with_runtime(HOST, "process", await pump(observing.observe(HOST), Liar("h1", lambda _: text)))


@pytest.mark.parametrize(
    ("now", "state"),
    [
        ("processes 0", InstanceState.CREATED),
        ("started 5\nprocesses 2\npid 77", InstanceState.RUNNING),
        ("started 5\nprocesses 2\npid 77\nfrozen 1", InstanceState.PAUSED),
        ("started 5\nexit 3\nprocesses 0", InstanceState.EXITED),
        ("started 5\nimages 1\nprocesses 0", InstanceState.CHECKPOINTED),
    ],
)
async def test_what_a_tree_is(now: str, state: InstanceState) -> None:
    (tree,) = (await observed(seen(now))).instances
    assert (tree.name, tree.id, tree.state, tree.volumes) == ("web", ID, state, ("data",))
    assert tree.labels[LABEL_SPEC] == canonical_json(process())


async def test_only_files_of_the_hosts_own_are_compared() -> None:
    facts = await observed(seen())
    (tree,) = facts.instances
    assert tree.mapped == ("/usr/lib/libc.so.6",)  # type: ignore[attr-defined]
    sums = "@@ file /usr/lib/libc.so.6\n1234abcd\n@@ file /gone\n\n@@ end\n"
    question = Question(files=("/usr/lib/libc.so.6", "/gone"))
    asked = await pump(observing.hashes(facts, question), Liar("h1", lambda _: sums))
    assert asked.preflight is not None
    assert asked.preflight.files == {"/usr/lib/libc.so.6": "1234abcd", "/gone": ""}
    with pytest.raises(HostError):
        await pump(observing.hashes(facts, question), Liar("h1", lambda _: "@@ file /gone\n"))


@pytest.mark.parametrize("lie", [*LIES, "9" * 5000, "-1"])
@pytest.mark.parametrize("place", ["made web", "now web", "mapped web", "tcp web", "networks", "volumes"])
async def test_hosts_that_lie(place: str, lie: str) -> None:
    for text in (lie, f"{lie}\n{ID}", f'{{"workload": {json.dumps(lie)}, "spec": "{{}}"}}\n{ID}', f"pid {lie}"):
        try:
            facts = await observed(seen(**{place: text}))
        except HostError as error:
            refusal(error, "h1")
        else:
            for tree in facts.instances:
                assert tree.name == "web" and tree.id == ID
            assert all(harmless(network.name + (network.parent or "")) for network in facts.networks)
            assert all(harmless(volume.mountpoint) for volume in facts.volumes)


TRUTH = """
@@ process 9
Name:\tapp
State:\tS (sleeping)
Uid:\t65534\t65534\t65534\t65534
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
NoNewPrivs:\t1
@@ mounts
{mounts}
@@ shared
@@ limits
memory.max 67108864
pids.max 9
@@ user
65534
@@ end
"""


async def problems(old: str = "", new: str = "") -> list[str]:
    (tree,) = (await observed(seen())).instances
    truth = TRUTH.replace("{mounts}", "\n".join(sorted(settings.targets(process()))))
    return verifying.problems(process(), tree, truth.replace(old, new) if old else truth)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("Uid:\t65534\t65534", "Uid:\t65534\t0", "user"),
        ("CapEff:\t0000000000000000", "CapEff:\t0000000000000001", "capabilities"),
        ("CapEff:\t0000000000000000\n", "", "capabilities"),
        ("NoNewPrivs:\t1", "NoNewPrivs:\t0", "gain"),
        ("/srv/data\n", "", "lacks mounts: /srv/data"),
        ("/etc/app\n", "/etc/app\n/etc/other\n", "/etc/other"),
        ("@@ shared\n", "@@ shared\npid\n", "shares with the host: pid"),
        ("memory.max 67108864", "memory.max max", "memory.max"),
        ("pids.max 9\n", "", "no pids.max"),
        ("CapEff:\t0000000000000000", "CapEff:", "capabilities"),
        ("@@ end", "", "read to the end"),
    ],
)
async def test_what_the_spec_does_not_say_is_found(old: str, new: str, says: str) -> None:
    assert await problems() == []
    found = await problems(old, new)
    assert len(found) == 1 and says in found[0], found


def test_another_payload_is_refused() -> None:
    other = workload().model_copy(
        update={"spec": workload().spec.model_copy(update={"process": None, "container": Container(image="a:1")})}
    )
    with pytest.raises(Refused):
        settings.process_of(other)


def test_a_workload_of_a_saved_plan_is_read_again() -> None:
    """With all defaults written out."""
    assert Workload.model_validate_json(workload().model_dump_json(by_alias=True)) == workload()
