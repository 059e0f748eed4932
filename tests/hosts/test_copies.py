"""Bulk copies between real hosts: what arrives, how fast, and what is left when they are cut short."""

# ruff: noqa: ASYNC220, ASYNC221, ASYNC251

from __future__ import annotations

import asyncio
import os
import resource
import stat
import subprocess
import time
from pathlib import Path

import pytest

from reconciler.errors import CommandFailed, HostUnreachable, ReplyLost
from reconciler.hosts.link import LinkOptions
from reconciler.hosts.ssh import SshFleet
from reconciler.lab import Lab
from tests.hosts.conftest import Fleets, lab_hosts
from tests.hosts.links import KEY, LEFTOVERS, MIB, copy, fill, sh, sums, tree

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


MAKE = r"""
mkdir -p sub/opaque
mknod gone c 0 0; mknod 'sub/gone too' c 0 0
echo secret > 'a file'; chown 1234:4321 'a file'; chmod 4640 'a file'; ln 'a file' sub/hard
echo odd > $'new\nline'; echo dash > ./-dash
ln -s /etc/passwd absolute; ln -s ../../.. up; ln -s nowhere broken
mkfifo pipe; truncate -s 64M sparse; echo end >> sparse; : > empty; mkdir -m 1777 sticky
touch -d '2001-02-03 04:05:06.789' 'a file'; chown 7:8 .; chmod 2751 .
"""
XATTRS = {
    "sub/opaque": {"trusted.overlay.opaque": b"y"},
    "a file": {"user.note": b"hello", "trusted.overlay.origin": b"\0\xfb\x1d\0"},
    ".": {"trusted.overlay.impure": b"y"},
    "gone": {"trusted.note": b"of a whiteout"},
}


def facts(folder: Path) -> dict[str, tuple[object, ...]]:
    """All that is known of everything in a folder, the folder itself included."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (folder, *folder.rglob("*")):
        info = path.lstat()
        attributes = {
            name: os.getxattr(path, name, follow_symlinks=False)
            for name in os.listxattr(path, follow_symlinks=False)
        }
        is_file = stat.S_ISREG(info.st_mode)
        found[str(path.relative_to(folder))] = (
            oct(info.st_mode),
            (info.st_uid, info.st_gid),
            info.st_nlink if is_file else 0,
            info.st_rdev,
            info.st_mtime_ns,
            path.readlink() if path.is_symlink() else path.read_bytes() if is_file else None,
            info.st_blocks < 1024 if path.name == "sparse" else None,
            attributes,
        )
    return found


async def test_everything_about_files_survives(hosts: Lab, fleet: SshFleet) -> None:
    """On the hosts' own disk, not on their overlay, which would keep whiteouts and its attributes to itself."""
    path = "/var/lib/containers/copied"
    here, there = (hosts.folder / "hosts" / name / "storage" / "copied" for name in ("h1", "h2"))
    sh(hosts, "h1", f"rm -rf {path}; mkdir {path}; cd {path}; {MAKE}")
    for name, attributes in XATTRS.items():
        for attribute, value in attributes.items():
            os.setxattr(here / name, attribute, value)
    sh(hosts, "h2", f"rm -rf {path}; mkdir -p {path}/old/deep; cd {path}; ln -s /etc sub; mkfifo f; echo 1 > gone")
    await copy(fleet, tree(path, kind="rootfs", xattrs=True))
    expected = facts(here)
    assert facts(there) == expected
    assert expected["gone"][3] == 0
    assert expected["sub/opaque"][-1] == {"trusted.overlay.opaque": b"y"}
    assert expected["sub/hard"][2] == 2
    for host in ("h1", "h2"):
        sh(hosts, host, f"rm -rf {path}")


async def test_copying_again_replaces_what_was_there(hosts: Lab, fleet: SshFleet) -> None:
    sh(hosts, "h1", "mkdir -p /root/t/d; echo 1 > /root/t/d/x; echo 2 > /root/t/y")
    sh(hosts, "h2", "mkdir -p /root/t")
    await copy(fleet, tree("/root/t"))
    sh(hosts, "h1", "rm -r /root/t/d; echo 3 > /root/t/y")
    await copy(fleet, tree("/root/t"))
    assert sh(hosts, "h2", "cd /root/t; find . -mindepth 1; cat y") == "./y\n3"


CHANGE = r"""
rm -r goes; mv moves moved; echo more >> grows; chmod 600 mode; chown 5:6 owner; ln -sfn elsewhere link
touch -d '2001-02-03' keeps; printf 'SAME SIZE\n' > same; touch -d '2001-02-03' same
rm file-to-folder folder-to-file/x; rmdir folder-to-file; mkdir file-to-folder; echo 1 > file-to-folder/y
echo 2 > folder-to-file
ln grows again; mknod whiteout c 0 0; mkdir -p new/deep; echo 3 > 'new/deep/a file'; chmod 2750 .
"""


@pytest.mark.parametrize("compression", ["none", "zstd"])
async def test_files_are_sent_ahead_and_then_only_what_changed(
    hosts: Lab, fleet: SshFleet, compression: str
) -> None:
    path = "/var/lib/containers/ahead"
    here, there = (hosts.folder / "hosts" / name / "storage" / "ahead" for name in ("h1", "h2"))
    script = f"""rm -rf {path}; mkdir {path}; cd {path}; {MAKE}
        rm $'new\nline'; mkdir -p goes/deep moves folder-to-file; touch goes/deep/x moves/x folder-to-file/x
        for f in grows mode owner keeps file-to-folder; do echo $f > $f; done; printf 'same size\n' > same
        touch -d '2001-02-03' same; ln -s nowhere link; head -c 20000000 /dev/urandom > large"""
    sh(hosts, "h1", script)
    sh(hosts, "h2", f"rm -rf {path}; mkdir -p {path}/old/deep")
    time.sleep(3)  # younger files may change and look the same, so they are always sent again
    wanted = [tree(path, kind="rootfs", xattrs=True)]
    await fleet.open_link("h1", "h2", KEY, compression)
    await fleet.prepare_copy("h1", "h2", KEY, wanted)
    assert (there / "large").stat().st_size == 20_000_000
    sh(hosts, "h1", f"cd {path}; {CHANGE}")
    os.setxattr(here / "sub", "trusted.overlay.opaque", b"y")
    report = await fleet.copy_trees("h1", "h2", KEY, wanted, lambda _: None)
    assert facts(there) == facts(here)
    assert report.bytes < 1_000_000
    await fleet.close_link("h1", "h2", KEY)
    for host in ("h1", "h2"):
        sh(hosts, host, f"rm -rf {path}")


async def test_what_was_sent_ahead_and_is_not_the_same_there_is_noticed(hosts: Lab, fleet: SshFleet) -> None:
    sh(hosts, "h1", "rm -rf /root/t; mkdir /root/t; head -c 9000000 /dev/urandom > /root/t/file")
    sh(hosts, "h2", "rm -rf /root/t; mkdir /root/t; echo old > /root/t/old")
    time.sleep(3)
    await fleet.open_link("h1", "h2", KEY)
    await fleet.prepare_copy("h1", "h2", KEY, [tree("/root/t", kind="volume")])
    assert sh(hosts, "h2", "ls /root/t") == "file"
    sh(hosts, "h2", "chmod 777 /root/t/file")
    with pytest.raises(CommandFailed) as failed:
        await copy(fleet, tree("/root/t", kind="volume"))
    assert failed.value.code == "C320"
    await copy(fleet, tree("/root/t", kind="volume"))
    assert sums(hosts, "h1", "/root/t") == sums(hosts, "h2", "/root/t")
    await fleet.close_link("h1", "h2", KEY)


async def test_files_that_are_written_all_the_time_arrive_as_they_are_in_the_end(
    hosts: Lab, fleet: SshFleet
) -> None:
    write = """rm -rf /root/t; mkdir /root/t; cd /root/t; n=0; head -c 9000000 /dev/urandom > large
        while [ ! -e stop ]; do n=$((n + 1)); echo $n > f$((n % 50)); rm -f f$((n % 7)); done"""
    sh(hosts, "h2", "rm -rf /root/t; mkdir /root/t")
    writer = subprocess.Popen(hosts.exec_argv("h1", ["sh", "-c", write]))
    try:
        time.sleep(0.5)
        await fleet.open_link("h1", "h2", KEY)
        await fleet.prepare_copy("h1", "h2", KEY, [tree("/root/t", kind="volume")])
    finally:
        sh(hosts, "h1", "touch /root/t/stop")
        writer.wait(timeout=20)
    await copy(fleet, tree("/root/t", kind="volume"))
    assert sums(hosts, "h1", "/root/t") == sums(hosts, "h2", "/root/t")
    await fleet.close_link("h1", "h2", KEY)


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
    report = await fleet.copy_image("h1", "h2", "other", image_id, lambda count: None)
    assert report.bytes > 4 * MIB
    assert sh(hosts, "h2", f"podman image inspect --format '{{{{.Id}}}}' {name}") == image_id
    again = await fleet.copy_image("h1", "h2", "other", image_id, lambda count: None)
    assert again.bytes == 0
    await fleet.close_link("h1", "h2", "other")
    for host in ("h1", "h2"):
        sh(hosts, host, f"podman rmi -f {image_id}")
