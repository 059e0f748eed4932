"""The closer look: what the script prints, as facts. Recorded on lab hosts, shortened."""

import pytest

from reconciler.errors import HostError
from reconciler.model.command import Command, Result
from reconciler.model.question import Question
from reconciler.model.world import DeletedFile
from reconciler.runtimes.base import LooksCloser
from reconciler.runtimes.oci.inspected import options_of
from reconciler.runtimes.podman import PodmanDriver
from reconciler.runtimes.podman.parse import sections
from reconciler.runtimes.podman.probes import arguments, held, of_host
from tests.core.worlds import container, facts, workload

QUESTION = Question(
    paths=("/srv/app", "/nope"),
    addresses=("10.77.0.100",),
    names=("web",),
    containers=(("c" * 64, 41),),
)
HOST = f"""
@@ criu
ok

@@ host
libcriu
confinement apparmor
seccomp
capabilities 000001fffeffffff
address 127.0.0.1
address 10.77.0.2
sudo 1.9.16p2

@@ listening
tcp 00000000:0016
udp 0100007F:0143

@@ path /srv/app
ext2/ext3

@@ path /nope

@@ units web
web.container
web.service

@@ container {"c" * 64}
device /dev/fuse
device /dev/null
deleted 2097152 /tmp/a b
lost-watch 4711
object eventfd
object [io_uring]
nested pid
backlog 00000000:1B59
family vsock
corked UDP
unread inotify
option TCP_USER_TIMEOUT
dropped EFD_SEMAPHORE
made /etc/hosts
holes
group FB0000E0
group ff0200000000000000000000000000fb
parent 41 7 odd
parent 42 41 child
parent 55 7 sh
program odd
seccomp
socket [1506668]
socket [1506669]
terminal /dev/pts/0
traced odd
capabilities 0000000000000020
confined containers-default-0.50 (enforce)
mount fuse.sshfs /mnt
unix 1506668 1506437 /srv/sock
unix 1506669 1506668
unix 999 1000 /not/ours

@@ answers
10.77.0.100 02:00:00:00:01:00

@@ end
"""
MEASURED = container(workload(), pid=41)


def test_answers_about_the_host():
    found = of_host(sections(HOST), QUESTION)
    assert found.complaint == "" and found.libcriu and found.seccomp and found.confinement == ("apparmor",)
    assert found.addresses == ("127.0.0.1", "10.77.0.2") and found.sudo == "1.9.16p2"
    assert found.listening == ("tcp/0.0.0.0:22", "udp/127.0.0.1:323")
    assert found.paths == {"/srv/app": "ext2/ext3", "/nope": ""}
    assert found.answers == {"10.77.0.100": "02:00:00:00:01:00"}
    assert found.units == {"web": ("web.container", "web.service")}
    assert "SYS_ADMIN" in found.capabilities and "SYS_RESOURCE" not in found.capabilities


def test_a_complaint_of_criu_is_kept():
    found = of_host(sections("@@ criu\nError (criu/cr-check.c:84): no\n"), Question())
    assert found.complaint == "Error (criu/cr-check.c:84): no"


def test_what_processes_hold():
    found = held(sections(HOST)["container " + "c" * 64], MEASURED)
    assert found is not None
    assert found.kernel_objects == ("eventfd", "io_uring") and found.devices == ("/dev/fuse",)
    assert found.deleted_files == (DeletedFile(path="/tmp/a b", bytes=2097152),)
    assert found.unix_peers == ("/srv/sock",), "sockets between its own processes do not count"
    assert (found.lost_watches, found.terminals, found.traced) == (1, ("/dev/pts/0",), ("odd",))
    assert found.visitors == ("sh",), "the first process and its children belong to the container"
    assert found.foreign_mounts == (("fuse.sshfs", "/mnt"),)
    assert found.seccomp and found.confined_by.startswith("containers-default") and found.capabilities == ("KILL",)
    assert (found.nested, found.backlog, found.strange_sockets) == (("pid",), ("0.0.0.0:7001",), ("vsock",))
    assert (found.corked, found.unread, found.socket_options) == (True, ("inotify",), ("TCP_USER_TIMEOUT",))
    assert (found.dropped, found.made, found.shm_holes) == (("EFD_SEMAPHORE",), ("/etc/hosts",), True)
    assert found.multicast == ("224.0.0.251", "ff02::fb")


def test_a_group_that_is_none_is_no_fact():
    with pytest.raises(HostError, match="multicast group"):
        held(f"capabilities 0\ngroup {'zz' * 4}", MEASURED)


def test_processes_that_cannot_be_told_apart_are_not_known():
    assert held("", MEASURED) is None


def test_one_command_and_the_facts_it_changes():
    driver = PodmanDriver()
    assert isinstance(driver, LooksCloser)
    program = driver.preflight(facts("h1", MEASURED), QUESTION)
    command = next(program)
    assert isinstance(command, Command)
    assert not command.changes and command.argv[4:] == tuple(arguments(QUESTION))
    with pytest.raises(StopIteration) as stop:
        program.send(Result(0, HOST))
    host = stop.value.value
    assert host.preflight is not None and host.containers[0].held is not None


def test_an_answer_that_stops_early_is_not_believed():
    program = PodmanDriver().preflight(facts("h1"), Question())
    next(program)
    with pytest.raises(HostError, match="early"):
        program.send(Result(0, HOST.split("@@ answers")[0]))


@pytest.mark.parametrize(
    ("inspected", "field", "value"),
    [
        ({"HostConfig": {"Privileged": True, "Devices": [{"PathOnHost": "/dev/sda"}]}}, "devices", ()),
        ({"HostConfig": {"Devices": [{"PathOnHost": "/dev/fuse"}]}}, "devices", ("/dev/fuse",)),
        ({"HostConfig": {"IpcMode": "shareable"}}, "ipc_mode", ""),
        ({"HostConfig": {"IpcMode": "host"}}, "ipc_mode", "host"),
        ({"HostConfig": {"NetworkMode": "bridge"}}, "network_mode", ""),
        ({"Config": {"Tty": True}}, "terminal", True),
        ({"Pod": "p1"}, "pod", "p1"),
        ({}, "privileged", False),
    ],
)
def test_how_a_container_was_made(inspected, field, value):
    assert getattr(options_of(inspected), field) == value
