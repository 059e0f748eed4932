"""Guests of a lab whose hosts have libvirt: the domain of a counter, and where it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.lab import Lab
from reconciler.lab.guest import GUEST_FOLDER

MAC = "02:00:00:00:71:00"
URI = "qemu+tcp://{address}/system"


def domain(address: str, *, memory: int = 16, dirty: int = 0, ram: int = 256, more: str = "") -> str:
    """A domain as people write them, with a direct kernel: `memory` MiB held, `dirty` MiB written a second."""
    words = f"console=ttyS0 guest_address={address} guest_memory={memory} guest_dirty={dirty}"
    return f"""\
<domain type='qemu'>
  <name>counter</name>
  <memory unit='MiB'>{ram}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc-q35-10.0'>hvm</type>
    <kernel>{GUEST_FOLDER}/vmlinuz</kernel>
    <initrd>{GUEST_FOLDER}/initrd</initrd>
    <cmdline>{words}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact'><model>qemu64</model></cpu>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <interface type='bridge'>
      <source bridge='br0'/>
      <mac address='{MAC}'/>
      <model type='virtio'/>
    </interface>
    <serial type='file'><source path='/var/log/counter.console'/></serial>
    <memballoon model='none'/>
    {more}
  </devices>
</domain>
"""


def virsh(lab: Lab, host: str, *words: str, check: bool = True) -> str:
    return lab.exec(host, ["virsh", "-q", *words], check=check, timeout_seconds=60).stdout.strip()


def running_on(lab: Lab, name: str = "counter") -> list[str]:
    """The hosts whose libvirt says that it runs there."""
    return [host.name for host in lab.hosts if virsh(lab, host.name, "domstate", name, check=False) == "running"]


CLEAR = """
for id in $(virsh -q list --all --uuid); do
    virsh -q domjobabort "$id" 2>/dev/null
    virsh -q destroy "$id" 2>/dev/null
    virsh -q undefine "$id"
done
rm -rf /var/lib/reconciler/* /var/log/counter.console
true
"""


@contextmanager
def cleared(lab: Lab) -> Iterator[None]:
    """All hosts up, with no guests and nothing known of any, before and after."""
    _clear(lab)
    try:
        yield
    finally:
        _clear(lab)


def _clear(lab: Lab) -> None:
    Lab.up(lab.name)
    for host in lab.hosts:
        lab.set_link(host.name, True)
        lab.start_sshd(host.name)
        lab.exec(host.name, ["sh", "-c", CLEAR], timeout_seconds=60)
