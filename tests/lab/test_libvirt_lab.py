"""Lab hosts with libvirt. Real: libvirtd, QEMU (emulated), Debian's kernel in the guest."""

from __future__ import annotations

import pytest

from reconciler.lab import Lab, Probe
from tests.lab.guests import URI, domain, running_on, virsh

pytestmark = [pytest.mark.lab, pytest.mark.libvirt, pytest.mark.timeout(900)]
ANSWERS_WITHIN = 90.0


def test_a_guest_answers_and_libvirt_moves_it_with_its_client(empty: Lab) -> None:
    address = str(empty.subnet[100])
    empty.exec("h1", ["sh", "-c", "cat > /root/guest.xml"], input=domain(address))
    virsh(empty, "h1", "create", "/root/guest.xml")
    probe = Probe(address, checksums=True).start(ANSWERS_WITHIN)
    virsh(empty, "h1", "migrate", "counter", URI.format(address=empty.hosts[1].address), "--p2p", "--live")
    seen = probe.stop()
    assert running_on(empty) == ["h2"]
    assert seen.survived and seen.memory_intact, seen


def test_hosts_are_told_apart_and_come_back_with_bridge_and_libvirt(empty: Lab) -> None:
    def uuid(host: str) -> str:
        return virsh(empty, host, "capabilities").partition("<uuid>")[2].partition("<")[0]

    before = [uuid("h1"), uuid("h2")]
    assert len(set(before)) == 2
    empty.reboot("h1")
    assert uuid("h1") == before[0]
    bridged = empty.exec("h1", ["ip", "-o", "-4", "addr", "show", "dev", "br0"]).stdout
    assert str(empty.hosts[0].address) in bridged
    reached = empty.exec("h2", ["bash", "-c", f"exec 3<>/dev/tcp/{empty.hosts[0].address}/16509"])
    assert reached.returncode == 0, "libvirt of one host is reached from the other"
