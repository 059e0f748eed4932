"""What libvirt's driver makes of specs and of answers. Recorded: data/libvirt-observe.txt, from a lab host."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.core.lines import sections
from reconciler.core.made_from import changed_fields
from reconciler.errors import HostError
from reconciler.model import domain as xml
from reconciler.model.command import Command, Result
from reconciler.model.labels import LABEL_SPEC, LABEL_WORKLOAD
from reconciler.model.live import LiveMigration
from reconciler.model.plan import Move
from reconciler.model.spec import MigrationPolicySpec, Workload
from reconciler.model.world import InstanceState, MachineFacts
from reconciler.runtimes.base import Handover, Underway
from reconciler.runtimes.libvirt import domains, moving, observing
from tests.lab.guests import domain

RECORDED = (Path(__file__).parent / "data" / "libvirt-observe.txt").read_text()
UUID = "179b0fb7-86ef-513b-bbf5-9e2a12649bb5"
STATES = {
    "running (migrated)": InstanceState.RUNNING,
    "running (post-copy)": InstanceState.RUNNING,
    "in shutdown (user)": InstanceState.RUNNING,
    "paused (user)": InstanceState.PAUSED,
    "paused (I/O error)": InstanceState.PAUSED,
    "paused (migrating)": InstanceState.OTHER,
    "paused (post-copy)": InstanceState.OTHER,
    "paused (post-copy failed)": InstanceState.OTHER,
    "paused (starting up)": InstanceState.OTHER,
    "shut off (destroyed)": InstanceState.EXITED,
    "crashed (panicked)": InstanceState.EXITED,
    "": InstanceState.OTHER,
    "nonsense": InstanceState.OTHER,
}


def workload(text: str, name: str = "counter", **fields: object) -> Workload:
    return Workload.model_validate(
        {
            "apiVersion": "reconciler/v1alpha1",
            "kind": "Workload",
            "metadata": {"name": name},
            "spec": {
                "runtime": "libvirt",
                "virtualMachine": {"domain": text, **fields},
                "placement": {"host": "h1"},
            },
        }
    )


def seen(text: str = RECORDED) -> dict[str, MachineFacts]:
    return observing._machines(sections(text))


def test_what_a_host_says_of_a_domain() -> None:
    found = seen()["counter"]
    assert (found.id, found.state, found.reason) == (UUID, InstanceState.RUNNING, "migrated")
    assert found.labels[LABEL_WORKLOAD] == "counter" and found.persistent
    assert found.memory_bytes == 256 * 2**20 and found.resident_bytes > 2**26
    (card,) = found.networks
    assert (card.name, card.mac, card.ip) == ("br0", "02:00:00:00:71:00", None)


@pytest.mark.parametrize(("said", "state"), STATES.items())
def test_who_only_comes_or_has_gone_does_not_run(said: str, state: InstanceState) -> None:
    found = seen(RECORDED.replace("running (migrated)", said))["counter"]
    assert found.state is state
    assert found.memory_bytes == (256 * 2**20 if state.has_processes else 0)


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("<domain type", "<!DOCTYPE x><domain type", "document type"),
        ("</domain>", "", "not XML"),
        ("02:00:00:00:71:00", "02:00:00:00:71", "a MAC address"),
        ("unit='KiB'>262144</currentMemory>", "unit='KiB'>much</currentMemory>", "a whole number"),
        ("unit='KiB'>262144</currentMemory>", "unit='furlong'>1</currentMemory>", "one that libvirt knows"),
        ('name="counter"', 'name="../x"', "a name"),
    ],
)
def test_a_host_that_answers_nonsense_is_not_believed(old: str, new: str, wanted: str) -> None:
    assert old in RECORDED
    with pytest.raises(HostError, match=wanted):
        seen(RECORDED.replace(old, new))


def test_a_domain_is_known_again_whatever_libvirt_adds_to_it() -> None:
    wanted = workload(domain("10.77.9.100"))
    made = xml.read(domains.made(wanted).decode())
    labels = domains.labels(made)
    assert labels[LABEL_WORKLOAD] == "counter"
    assert wanted.spec.virtual_machine is not None
    assert changed_fields(wanted.spec.virtual_machine, labels[LABEL_SPEC]) == []
    assert seen()["counter"].labels.keys() == labels.keys()


def test_its_name_is_the_workloads_and_its_uuid_of_name_and_spec() -> None:
    text = domain("10.77.9.100")
    first, again = (xml.read(domains.made(workload(text)).decode()) for _ in range(2))
    assert first.findtext("name") == "counter"
    assert first.findtext("uuid") == again.findtext("uuid")
    other = xml.read(domains.made(workload(text, name="other")).decode())
    changed = xml.read(domains.made(workload(domain("10.77.9.101"))).decode())
    assert len({d.findtext("uuid") for d in (first, other, changed)}) == 3
    own = text.replace("<name>counter</name>", f"<name>else</name><uuid>{UUID}</uuid>")
    found = xml.read(domains.made(workload(own)).decode())
    assert (found.findtext("name"), found.findtext("uuid")) == ("counter", UUID)


def test_spaces_and_order_of_attributes_are_no_change() -> None:
    text = domain("10.77.9.100")
    other = text.replace("\n", "\n   ").replace("<model type='virtio'/>", '<model  type="virtio"></model>')
    one, two = (workload(t).spec.virtual_machine for t in (text, other))
    assert one == two


def test_what_must_be_on_its_host() -> None:
    disk = "<disk type='file' device='disk'><source file='/srv/a.qcow2'/><target dev='vda'/></disk>"
    machine = workload(domain("10.77.9.100", more=disk)).spec.virtual_machine
    assert machine is not None
    assert machine.files[0] == "/srv/a.qcow2" and machine.files[1].endswith("vmlinuz")
    assert machine.bridges == ("br0",)


@pytest.mark.parametrize(
    ("live", "words"),
    [
        ({"transport": "tcp"}, ["counter", "qemu+tcp://[2001:db8::2]/system"]),
        ({}, ["--tls", "counter", "qemu+tls://[2001:db8::2]/system"]),
        ({"bandwidth": "10MiB", "autoConverge": True}, ["--bandwidth", "10", "--auto-converge"]),
        ({"bandwidth": "1KiB"}, ["--bandwidth", "1"]),
        ({"within": "90s", "onTimeout": "suspend"}, ["--timeout", "90", "--timeout-suspend"]),
        ({"within": "2m", "onTimeout": "post-copy"}, ["--timeout", "120", "--timeout-postcopy", "--postcopy"]),
    ],
)
def test_what_virsh_is_told(live: dict[str, object], words: list[str]) -> None:
    told = moving.arguments("counter", "2001:db8::2", LiveMigration.model_validate(live))
    assert " ".join(words) in " ".join(told)
    assert {"--p2p", "--live", "--persistent", "--undefinesource", "--abort-on-error"} <= set(told)
    assert ("--tls" in told) == ("tcp" not in live.values())


JOB = """Job type:         Unbounded
Operation:        Outgoing migration
Data processed:   21.500 MiB
Data remaining:   235.258 MiB
Data total:       256.758 MiB
"""


def handover() -> Handover:
    move = Move(
        workload="counter", source="h1", destination="h2", container_id=UUID, image_id="", epoch=2, cutover=None
    )
    return Handover(workload(domain("10.77.9.100")), move, MigrationPolicySpec(), "run1", address="10.77.9.2")


@pytest.mark.parametrize(
    ("job", "command", "status", "said", "stands"),
    [
        (JOB, "under way", "", "", Underway(True, 22544384, 269230277)),
        (JOB, "", "", "", Underway(True, 22544384, 269230277)),
        ("Job type:         None\n", "under way", "", "", Underway(True)),
        ("", "", "0", "", Underway(False)),
        (
            "Job type:         None\n",
            "",
            "1",
            "error: operation failed: x",
            Underway(False, why="operation failed: x"),
        ),
        ("", "", "137", "", Underway(False, why="virsh did not say why")),
        ("", "", "", "", Underway(False)),
    ],
)
def test_how_a_migration_stands(job: str, command: str, status: str, said: str, stands: Underway) -> None:
    text = f"@@ job\n{job}\n@@ command\n{command}\n@@ status\n{status}\n@@ said\n{said}\n@@ end\n"
    program = moving.progress(handover())
    assert isinstance(next(program), Command)
    with pytest.raises(StopIteration) as ended:
        program.send(Result(0, text))
    assert ended.value.value == stands


def test_half_an_answer_says_nothing() -> None:
    program = moving.progress(handover())
    next(program)
    with pytest.raises(HostError, match="to its end"):
        program.send(Result(0, "@@ job\n"))
    looking = observing._look()
    next(looking)
    with pytest.raises(HostError, match="to its end"):
        looking.send(Result(0, RECORDED.replace("@@ end", "")))
