"""`templates/criu/kept.pl`: what CRIU drops of sockets is noted, and put back into those of another process.
Real: the kernel's sockets, Perl."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from reconciler.resources import host_script

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("perl") or platform.machine() not in ("x86_64", "aarch64"),
    reason="descriptors are borrowed by root's Perl, on machines whose calls it knows",
)

IP, IP6, ANY_SOURCE = socket.IPPROTO_IP, socket.IPPROTO_IPV6, 39
"""The last: IP_ADD_SOURCE_MEMBERSHIP."""
LOOPBACK = socket.inet_aton("127.0.0.1")
FIRST_DESCRIPTOR = 200


def changed() -> list[socket.socket]:
    """Sockets of which much is not as it is in new ones."""
    made = new()
    four, six, source, stream = made
    number = struct.pack("i", socket.if_nametoindex("lo"))
    four.setsockopt(IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.1.2.3") + LOOPBACK)
    four.setsockopt(IP, socket.IP_MULTICAST_IF, LOOPBACK)
    four.setsockopt(IP, socket.IP_MULTICAST_TTL, 9)
    four.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
    six.setsockopt(IP6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, "ff02::fb") + number)
    six.setsockopt(IP6, socket.IPV6_MULTICAST_IF, number)
    for address in ("10.0.0.1", "10.0.0.2"):
        source.setsockopt(IP, ANY_SOURCE, socket.inet_aton("232.1.1.1") + LOOPBACK + socket.inet_aton(address))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 5000)
    return made


def new() -> list[socket.socket]:
    made = [
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    ]
    for at, one in enumerate(made):
        os.dup2(one.fileno(), FIRST_DESCRIPTOR + at)
        one.close()
    return [socket.socket(fileno=FIRST_DESCRIPTOR + at) for at in range(len(made))]


def leaves() -> None:
    """By the words in which the first has joined: OSError where these do not fit any more."""
    kept = socket.socket(fileno=FIRST_DESCRIPTOR)
    kept.setsockopt(IP, socket.IP_DROP_MEMBERSHIP, socket.inet_aton("239.1.2.3") + LOOPBACK)


class Task:
    """A process that makes sockets, waits, and does one more thing when it is told to."""

    def __init__(
        self, stack: ExitStack, make: Callable[[], object], then: Callable[[], None] = lambda: None
    ) -> None:
        ready, self._says, hears, self._tells = *os.pipe(), *os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                made = make()
                os.write(self._says, b"r")
                os.read(hears, 1)
                then()
                status = 0 if made else 1
            finally:
                os._exit(status)
        os.close(self._says)
        os.close(hears)
        assert os.read(ready, 1) == b"r"
        os.close(ready)
        self.inside = re.findall(r"^NSpid:.*?(\d+)$", Path(f"/proc/{self.pid}/status").read_text(), re.M)[0]
        stack.callback(self._end)
        self._ended = False

    def ends_well(self) -> bool:
        self._ended = True
        os.write(self._tells, b"x")
        os.close(self._tells)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]) == 0

    def _end(self) -> None:
        if not self._ended:
            self.ends_well()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def perl(do: str, folder: Path, pid: int) -> str:
    words = ["perl", "-", do, platform.machine(), folder, str(pid)]
    done = subprocess.run(words, input=host_script("criu", "kept", "pl"), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def noted(folder: Path, pid: int) -> str:
    assert perl("note", folder, pid) == ""
    return (folder / "sockets").read_text()


def test_another_process_gets_it_and_can_leave_as_it_came(stack: ExitStack, tmp_path: Path) -> None:
    before, after = Task(stack, changed), Task(stack, new, leaves)
    had = noted(tmp_path, before.pid)
    assert "group" in had and "IPV6_MULTICAST_IF" in had and "TCP_USER_TIMEOUT" in had
    assert "e8010101 1 0a000001 0a000002\n" in had
    wanted = had.replace(f" {before.inside} ", f" {after.inside} ")
    (tmp_path / "sockets").write_text(wanted)
    assert perl("apply", tmp_path, after.pid) == ""
    assert perl("apply", tmp_path, after.pid) == ""  # once more: a reply was lost
    assert noted(tmp_path, after.pid) == wanted
    assert after.ends_well()


def test_what_cannot_be_put_back_is_told(stack: ExitStack, tmp_path: Path) -> None:
    after = Task(stack, new)
    file = tmp_path / "sockets"
    at = f"{after.inside} {FIRST_DESCRIPTOR}"
    file.write_text(
        f"group {at} 0 gone0 ef010203 0\n"
        f"option {at} TCP_USER_TIMEOUT 88130000\n"
        f"option {after.inside} 999 IP_MULTICAST_TTL 09000000\n"
        f"option {at} TCP_CONGESTION 6e6f6e65\n"
        "group x 1 0 lo ef010203 0\n"
    )
    told = perl("apply", tmp_path, after.pid).splitlines()
    assert [line.partition(" on its socket")[0] for line in told] == [
        f"process {after.inside} lacks the multicast group 239.1.2.3 on gone0",
        f"process {after.inside} lacks the option TCP_USER_TIMEOUT",
        f"process {after.inside} lacks the option IP_MULTICAST_TTL",
    ]
