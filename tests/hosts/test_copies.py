"""Bulk copies between real hosts: what arrives, how fast, and what is left when they are cut short."""

# ruff: noqa: ASYNC221, ASYNC251

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import time

import pytest

from reconciler.engine.carry import ImageCopy
from reconciler.errors import CommandFailed, HostUnreachable, ReplyLost
from reconciler.hosts.base import CopyReport
from reconciler.hosts.link import LinkOptions
from reconciler.hosts.ssh import SshFleet
from reconciler.lab import Lab
from reconciler.runtimes.podman import PodmanDriver
from tests.hosts.conftest import Fleets, lab_hosts
from tests.hosts.links import (
    ACCESS,
    DEFAULT,
    FOR_ONE_MORE,
    KEY,
    LEFTOVERS,
    MAKE,
    MIB,
    copy,
    facts,
    fill,
    sh,
    sums,
    tree,
)

pytestmark = pytest.mark.lab


@pytest.mark.parametrize(
    ("how", "options"),
    [
        ("direct", LinkOptions()),
        ("relay", LinkOptions(direct=False)),
    ],
    ids=["direct", "relay"],
)
@pytest.mark.parametrize("compression", ["none", "zstd", "lz4"])
async def test_512_mib_arrive_at_speed_and_not_through_us(
    hosts: Lab, fleets: Fleets, how: str, options: LinkOptions, compression: str
) -> None:
    fleet = fleets(*lab_hosts(hosts), links=options)
    fill(hosts, "h1", 512)
    await fleet.open_link("h1", "h2", KEY, compression)
    await copy(fleet, tree("/run/t"))  # memory nobody has touched yet is slow
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seen: list[int] = []
    report = await fleet.copy_trees("h1", "h2", KEY, [tree("/run/t")], seen.append)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    await fleet.close_link("h1", "h2", KEY)
    print(f"{report.how} {compression}: {report.bytes / report.seconds / 1e6:.0f} MB/s, {report.seconds:.2f} s")
    assert report.how == how
    assert 512 * MIB <= report.bytes < 520 * MIB
    assert grown_kib < 8 * 1024
    assert seen == sorted(seen)
    assert seen[-1] == report.bytes
    assert report.seconds < 30
    assert sums(hosts, "h1") == sums(hosts, "h2")


XATTRS = {
    "sub/opaque": {"trusted.overlay.opaque": b"y"},
    "a file": {
        "user.note": b"hello",
        "trusted.overlay.origin": b"\0\xfb\x1d\0",
        "security.capability": bytes.fromhex("0100000200040000000000000000000000000000"),
        ACCESS: FOR_ONE_MORE,
    },
    ".": {"trusted.overlay.impure": b"y"},
    "sub": {DEFAULT: FOR_ONE_MORE},
    "gone": {"trusted.note": b"of a whiteout"},
}


async def test_everything_about_files_survives(hosts: Lab, fleet: SshFleet) -> None:
    """On the hosts' own disk, not on their overlay, which would keep whiteouts and its attributes to itself."""
    path = "/var/lib/containers/copied"
    here, there = (hosts.folder / "hosts" / name / "storage" / "copied" for name in ("h1", "h2"))
    sh(hosts, "h1", f"rm -rf {path}; mkdir {path}; cd {path}; {MAKE}")
    for name, attributes in XATTRS.items():
        for attribute, value in attributes.items():
            os.setxattr(here / name, attribute, value)
    sh(hosts, "h2", f"rm -rf {path}; mkdir -p {path}/old/deep; cd {path}; ln -s /etc sub; mkfifo f; echo 1 > gone")
    await copy(fleet, tree(path, kind="rootfs"))
    expected = facts(here)
    assert facts(there) == expected
    assert expected["gone"][3] == 0
    assert expected["sub/opaque"][-1] == {"trusted.overlay.opaque": b"y"}
    assert expected["a file"][-1] == XATTRS["a file"]
    assert expected["a file"][4] == 981_173_106_123_456_789
    assert expected["sub/hard"][2] == 2
    for host in ("h1", "h2"):
        sh(hosts, host, f"rm -rf {path}")


async def test_a_sparse_file_costs_what_its_data_costs(hosts: Lab, fleet: SshFleet) -> None:
    """As a whole, sent ahead, and changed after that."""
    data = 'perl -e \'open F, "+<", "/root/t/big"; seek F, 1e11, 0; print F "in the middle"\''
    for host in ("h1", "h2"):
        sh(hosts, host, "rm -rf /root/t; mkdir /root/t")
    sh(hosts, "h1", f"cd /root/t; truncate -s 200G big; {data}; head -c 9M /dev/urandom > large; echo 1 > 'a b'")
    wanted = [tree("/root/t", kind="volume")]
    report = await copy(fleet, *wanted)
    assert report.bytes < 12 * MIB
    assert report.seconds < 60
    same = "cd /root/t; stat -c '%s %y' big; [ $(stat -c %b big) -lt 100 ]; tail -c +100000000001 big | head -c 13"
    assert sh(hosts, "h2", same) == sh(hosts, "h1", same)
    time.sleep(3)  # younger files may change and look the same, so they are always sent again
    await fleet.open_link("h1", "h2", KEY)
    await fleet.prepare_copy("h1", "h2", KEY, wanted)
    sh(hosts, "h1", f"echo new > /root/t/small; {data.replace('1e11', '1e10')}")
    report = await copy(fleet, *wanted)
    await fleet.close_link("h1", "h2", KEY)
    assert report.bytes < MIB
    assert sh(hosts, "h2", same) == sh(hosts, "h1", same)
    assert sh(hosts, "h2", "cd /root/t; tail -c +10000000001 big | head -c 13; cat small") == "in the middlenew"


async def test_copying_again_replaces_what_was_there(hosts: Lab, fleet: SshFleet) -> None:
    sh(hosts, "h1", "mkdir -p /root/t/d; echo 1 > /root/t/d/x; echo 2 > /root/t/y")
    sh(hosts, "h2", "mkdir -p /root/t")
    await copy(fleet, tree("/root/t"))
    sh(hosts, "h1", "rm -r /root/t/d; echo 3 > /root/t/y")
    await copy(fleet, tree("/root/t"))
    assert sh(hosts, "h2", "cd /root/t; find . -mindepth 1; cat y") == "./y\n3"


async def test_a_prepared_copy_empties_once_and_a_failed_one_is_not_prepared_any_more(
    hosts: Lab, fleet: SshFleet
) -> None:
    sh(hosts, "h1", "rm -rf /root/t; mkdir /root/t; echo new > /root/t/file")
    sh(hosts, "h2", "rm -rf /root/t; mkdir /root/t; echo old > /root/t/old")
    await fleet.open_link("h1", "h2", KEY)
    await fleet.prepare_copy("h1", "h2", KEY, [tree("/root/t")])
    assert sh(hosts, "h2", "ls /root/t") == ""
    sh(hosts, "h2", "echo strange > /root/t/strange")
    with pytest.raises(CommandFailed) as failed:
        await copy(fleet, tree("/root/t"))
    assert failed.value.code == "C320", "the sums see what came between"
    await copy(fleet, tree("/root/t"))
    assert sums(hosts, "h1", "/root/t") == sums(hosts, "h2", "/root/t")
    await fleet.close_link("h1", "h2", KEY)


async def test_pages_go_while_they_are_written(hosts: Lab, fleet: SshFleet) -> None:
    """As CRIU writes them: one file after the other, each only ever appended to."""
    await fleet.open_link("h1", "h2", KEY)
    await fleet.prepare_copy("h1", "h2", KEY, [tree("/run/t")])
    sh(hosts, "h1", "cd /run/t; head -c 9M /dev/urandom > pages-1.img; head -c 3M /dev/urandom > pages-2.img")
    await _until(hosts, "[ $(stat -c %s /run/t/pages-2.img) = 3145728 ]")
    sh(hosts, "h1", "cd /run/t; head -c 5M /dev/urandom >> pages-1.img; mkdir fds; echo 1 > fds/core-1.img")
    report = await copy(fleet, tree("/run/t"))
    assert report.bytes > 17 * MIB
    assert sums(hosts, "h1") == sums(hosts, "h2")


async def test_pages_that_changed_after_they_were_sent_are_noticed(hosts: Lab, fleet: SshFleet) -> None:
    """As when a dump failed, and a second one wrote into the same folder."""
    await fleet.open_link("h1", "h2", KEY)
    await fleet.prepare_copy("h1", "h2", KEY, [tree("/run/t")])
    sh(hosts, "h1", "head -c 5M /dev/urandom > /run/t/pages-1.img")
    await _until(hosts, "[ $(stat -c %s /run/t/pages-1.img) = 5242880 ]")
    sh(hosts, "h1", "head -c 5M /dev/urandom | dd of=/run/t/pages-1.img conv=notrunc status=none")
    with pytest.raises(CommandFailed) as caught:
        await copy(fleet, tree("/run/t"))
    assert caught.value.code == "C320"
    await copy(fleet, tree("/run/t"))
    assert sums(hosts, "h1") == sums(hosts, "h2")


async def _until(hosts: Lab, condition: str) -> None:
    """Wait for something to be true on the destination."""
    for _ in range(200):
        if hosts.exec("h2", ["sh", "-c", condition], check=False).returncode == 0:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"never true: {condition}")


async def test_many_trees_at_once(hosts: Lab, fleet: SshFleet) -> None:
    paths = [f"/root/t/{n} and more" for n in range(12)]
    for host in ("h1", "h2"):
        sh(hosts, host, "\n".join(f"mkdir -p '{path}'" for path in paths))
    sh(hosts, "h1", "\n".join(f"echo {n} > '{path}/n'" for n, path in enumerate(paths)))
    await copy(fleet, *(tree(path, kind="volume") for path in paths))
    assert sh(hosts, "h2", "cat /root/t/*/n | sort -n | tr '\\n' ' '") == " ".join(map(str, range(12)))


# Stands before the real client on the source's PATH, where it sees what the link's key sends.
TAMPER = r"""
printf '%s\n' '#!/bin/sh' \
  'case "$*" in *"link images"*) FILTER | /usr/bin/ssh "$@"; exit $? ;; *) exec /usr/bin/ssh "$@" ;; esac' \
  > /usr/local/bin/ssh
chmod 755 /usr/local/bin/ssh
"""


@pytest.mark.parametrize(
    ("change", "codes"),
    [("sed s/needle/nEEdle/", {"C320"}), ("head -c 700000", {"C320", "C321", "C322"})],
    ids=["changed", "truncated"],
)
async def test_what_changed_on_the_way_is_noticed(
    hosts: Lab, fleet: SshFleet, change: str, codes: set[str]
) -> None:
    make = "mkdir -p /root/t; (seq 200000; echo needle) > /root/t/x; cp /root/t/x /root/t/y"
    sh(hosts, "h1", make)
    sh(hosts, "h2", "mkdir -p /root/t")
    await fleet.open_link("h1", "h2", KEY, "none")
    sh(hosts, "h1", TAMPER.replace("FILTER", change))
    with pytest.raises(CommandFailed) as caught:
        await copy(fleet, tree("/root/t"))
    assert caught.value.code in codes
    sh(hosts, "h1", "rm /usr/local/bin/ssh")
    await copy(fleet, tree("/root/t"))
    assert sums(hosts, "h1", "/root/t") == sums(hosts, "h2", "/root/t")


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "relay"])
async def test_full_destination_says_so(hosts: Lab, fleets: Fleets, direct: bool) -> None:
    fleet = fleets(*lab_hosts(hosts), links=LinkOptions(direct=direct))
    fill(hosts, "h1", 64)
    sh(hosts, "h2", "mount -o remount,size=16m /run/t")
    with pytest.raises(CommandFailed) as caught:
        await copy(fleet, tree("/run/t"))
    assert (caught.value.code, caught.value.where) == ("C322", "h2")
    assert "No space left" in caught.value.stderr
    sh(hosts, "h2", "mount -o remount,size=1g /run/t")
    await copy(fleet, tree("/run/t"))
    await fleet.close_link("h1", "h2", KEY)


async def test_missing_folders_say_so(hosts: Lab, fleet: SshFleet) -> None:
    sh(hosts, "h1", "mkdir -p /root/t")
    with pytest.raises(CommandFailed) as caught:
        await copy(fleet, tree("/root/t"))
    assert "is not a folder" in caught.value.stderr
    sh(hosts, "h1", "rm -r /root/t")
    sh(hosts, "h2", "mkdir -p /root/t")
    with pytest.raises(CommandFailed) as caught:
        await copy(fleet, tree("/root/t"))
    assert caught.value.where == "h1"


async def test_interrupted_copies_leave_nothing_running(hosts: Lab, fleet: SshFleet, fleets: Fleets) -> None:
    """As when the controller dies: its connections are gone, nothing is said."""
    fill(hosts, "h1", 640)
    await fleet.open_link("h1", "h2", KEY)
    second = fleets(*lab_hosts(hosts))
    await second.open_link("h1", "h2", KEY)
    moving = asyncio.Event()
    doomed = asyncio.create_task(second.copy_trees("h1", "h2", KEY, [tree("/run/t")], lambda count: moving.set()))
    await moving.wait()
    await second.close()
    with pytest.raises((ReplyLost, HostUnreachable)):
        await doomed
    await asyncio.sleep(1)
    for host in ("h1", "h2"):
        assert "transfer-" not in sh(hosts, host, LEFTOVERS)
    await copy(fleet, tree("/run/t"))
    assert sums(hosts, "h1") == sums(hosts, "h2")


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "relay"])
async def test_cancelled_copies_leave_nothing_running(hosts: Lab, fleets: Fleets, direct: bool) -> None:
    fill(hosts, "h1", 640)
    fleet = fleets(*lab_hosts(hosts), links=LinkOptions(direct=direct))
    await fleet.open_link("h1", "h2", KEY)
    moving = asyncio.Event()
    task = asyncio.create_task(fleet.copy_trees("h1", "h2", KEY, [tree("/run/t")], lambda count: moving.set()))
    await moving.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.5)
    for host in ("h1", "h2"):
        assert "transfer-" not in sh(hosts, host, LEFTOVERS)
    await copy(fleet, tree("/run/t"))
    assert sums(hosts, "h1") == sums(hosts, "h2")
    await fleet.close_link("h1", "h2", KEY)


@pytest.mark.parametrize("compression", ["none", "zstd", "lz4"])
async def test_a_broken_connection_between_the_hosts_is_named(
    hosts: Lab, fleet: SshFleet, compression: str
) -> None:
    fill(hosts, "h1", 640)
    await fleet.open_link("h1", "h2", KEY, compression)
    moving = asyncio.Event()
    task = asyncio.create_task(fleet.copy_trees("h1", "h2", KEY, [tree("/run/t")], lambda count: moving.set()))
    await moving.wait()
    sh(hosts, "h1", "pkill -9 -f '^ssh: .*master[.]0 .*mux'")
    with pytest.raises(CommandFailed) as caught:
        await task
    assert caught.value.code == "C323"
    await copy(fleet, tree("/run/t"))


NOISY = "echo 'echo noise; echo noise >&2' > /root/.bashrc; mkdir -p /root/t"


@pytest.mark.parametrize("action", ["REJECT", "DROP"])
async def test_relay_where_the_source_cannot_reach_the_destination(
    hosts: Lab, fleets: Fleets, action: str
) -> None:
    address = next(host.spec.address for host in lab_hosts(hosts) if host.metadata.name == "h2")
    sh(hosts, "h1", f"iptables -A OUTPUT -d {address} -p tcp --dport 22 -j {action}")
    sh(hosts, "h1", f"{NOISY}; head -c 3M /dev/urandom > /root/t/x")
    sh(hosts, "h2", NOISY)
    fleet = fleets(*lab_hosts(hosts), links=LinkOptions(connect=2))
    try:
        await fleet.open_link("h1", "h2", KEY)
        assert "reconciler-link" not in sh(hosts, "h2", "cat /root/.ssh/authorized_keys")
        report = await copy(fleet, tree("/root/t"))
        await fleet.close_link("h1", "h2", KEY)
    finally:
        for host in ("h1", "h2"):
            sh(hosts, host, "rm /root/.bashrc")
    assert report.how == "relay"
    assert report.bytes > 3 * MIB
    assert sums(hosts, "h1", "/root/t") == sums(hosts, "h2", "/root/t")
    await fleet.close()
    assert subprocess.run(["pgrep", "-fa", "ssh -F .*rc-.*config"], check=False).returncode == 1


async def test_noise_on_the_direct_way(hosts: Lab, fleet: SshFleet) -> None:
    sh(hosts, "h1", f"{NOISY}; echo 1 > /root/t/x")
    sh(hosts, "h2", NOISY)
    try:
        assert (await copy(fleet, tree("/root/t"))).how == "direct"
    finally:
        for host in ("h1", "h2"):
            sh(hosts, host, "rm /root/.bashrc")
    assert sh(hosts, "h2", "cat /root/t/x") == "1"


async def carry_image(fleet: SshFleet, image: str, known_as: str) -> CopyReport:
    return await ImageCopy(PodmanDriver(), fleet, "h1", "h2", "other", image, known_as).carry(lambda count: None)


@pytest.mark.parametrize("format_", ["docker", "oci"])
@pytest.mark.parametrize("direct", [True, False], ids=["direct", "relay"])
async def test_images_keep_id_and_names(hosts: Lab, fleets: Fleets, format_: str, direct: bool) -> None:
    fleet = fleets(*lab_hosts(hosts), links=LinkOptions(direct=direct))
    name = f"localhost/made-{format_}-{int(direct)}:7"
    build = f"""
    mkdir -p /root/t; head -c 4M /dev/urandom > /root/t/blob
    printf 'FROM localhost/reconciler-demo:1\\nCOPY blob /blob\\nLABEL a=b\\n' > /root/t/Containerfile
    podman build -q --isolation=chroot --format {format_} -t {name} /root/t
    """
    image_id = sh(hosts, "h1", build).splitlines()[-1]
    report = await carry_image(fleet, image_id, name)
    assert report.bytes > 4 * MIB
    assert sh(hosts, "h2", f"podman image inspect --format '{{{{.Id}}}}' {name}") == image_id
    again = await carry_image(fleet, image_id, name)
    assert again.bytes == 0
    for host in ("h1", "h2"):
        sh(hosts, host, f"podman rmi -f {image_id}")


async def test_an_archive_names_no_image_of_the_destination(hosts: Lab, fleet: SshFleet) -> None:
    """A source in somebody's hands packs its image under the names of others."""
    victim, fresh, wanted = "localhost/victim:1", "localhost/fresh:1", "localhost/wanted:1"
    image = """
    mkdir -p /root/t; head -c 1k /dev/urandom > /root/t/blob
    printf 'FROM localhost/reconciler-demo:1\\nCOPY blob /blob\\n' > /root/t/Containerfile
    podman build -q --isolation=chroot --format docker """
    theirs = sh(hosts, "h2", f"{image} -t {victim} /root/t").splitlines()[-1]
    ours = sh(hosts, "h1", f"{image} -t {victim} -t {fresh} -t {wanted} /root/t").splitlines()[-1]
    liar = f'[ "$1" != save ] || set -- save --format docker-archive {victim} {fresh} {wanted}'
    program = f'#!/bin/sh\n{liar}\nexec /usr/bin/podman "$@"\n'
    hosts.exec("h1", ["sh", "-c", "cat > /usr/local/bin/podman; chmod 755 /usr/local/bin/podman"], input=program)
    try:
        await carry_image(fleet, ours, wanted)
        known = sh(
            hosts, "h2", "podman image ls --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}'"
        ).splitlines()
        assert f"{victim} sha256:{theirs}" in known
        assert f"{wanted} sha256:{ours}" in known
        assert not [line for line in known if line.startswith(fresh)]
    finally:
        sh(hosts, "h1", f"rm /usr/local/bin/podman; podman rmi -f {ours}")
        sh(hosts, "h2", f"podman rmi -f {ours} {theirs}")
