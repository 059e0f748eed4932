"""Files that are sent ahead while they are in use: later only what has changed since, and all of it right."""

# ruff: noqa: ASYNC220, ASYNC251

from __future__ import annotations

import os
import subprocess
import time

import pytest

from reconciler.errors import CommandFailed
from reconciler.hosts.ssh import SshFleet
from reconciler.lab import Lab
from tests.hosts.links import ACCESS, DEFAULT, FOR_ONE_MORE, KEY, MAKE, copy, facts, sh, sums, tree

pytestmark = pytest.mark.lab

VOLUME = tree("/root/t", kind="volume")

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
        rm $'new\nline'; mkdir -p goes/deep moves folder-to-file loses; touch goes/deep/x moves/x folder-to-file/x
        for f in grows mode owner keeps file-to-folder; do echo $f > $f; done; printf 'same size\n' > same
        touch -d '2001-02-03' same; ln -s nowhere link; head -c 20000000 /dev/urandom > large"""
    sh(hosts, "h1", script)
    sh(hosts, "h2", f"rm -rf {path}; mkdir -p {path}/old/deep")
    for name in ("user.note", ACCESS, DEFAULT):
        os.setxattr(here / "loses", name, b"kept" if name == "user.note" else FOR_ONE_MORE)
    time.sleep(3)  # younger files may change and look the same, so they are always sent again
    wanted = [tree(path, kind="rootfs")]
    await fleet.open_link("h1", "h2", KEY, compression)
    await fleet.prepare_copy("h1", "h2", KEY, wanted)
    assert (there / "large").stat().st_size == 20_000_000
    assert os.getxattr(there / "loses", DEFAULT) == FOR_ONE_MORE
    sh(hosts, "h1", f"cd {path}; {CHANGE}")
    os.setxattr(here / "sub", "trusted.overlay.opaque", b"y")
    for name in ("user.note", ACCESS, DEFAULT):
        os.removexattr(here / "loses", name)
    report = await fleet.copy_trees("h1", "h2", KEY, wanted, lambda _: None)
    assert facts(there) == facts(here)
    assert report.bytes < 1_000_000
    await fleet.close_link("h1", "h2", KEY)
    for host in ("h1", "h2"):
        sh(hosts, host, f"rm -rf {path}")


@pytest.mark.parametrize(
    "otherwise",
    [
        "chmod 777 file",
        "setfattr -n user.note -v other file",
        "setfattr -x user.note file",
        f"setfattr -n {ACCESS} -v 0x{FOR_ONE_MORE.hex()} file",
        "touch -d '2001-02-03 00:00:00.000000002' file",
    ],
    ids=["mode", "attribute", "lost", "acl", "nanosecond"],
)
async def test_what_was_sent_ahead_and_is_not_the_same_there_is_noticed(
    hosts: Lab, fleet: SshFleet, otherwise: str
) -> None:
    make = "rm -rf /root/t; mkdir /root/t; cd /root/t; head -c 9000000 /dev/urandom > file; chmod 640 file"
    sh(hosts, "h1", f"{make}; setfattr -n user.note -v kept file; touch -d '2001-02-03 00:00:00.000000001' file")
    sh(hosts, "h2", "rm -rf /root/t; mkdir /root/t; echo old > /root/t/old")
    time.sleep(3)
    await fleet.open_link("h1", "h2", KEY)
    await fleet.prepare_copy("h1", "h2", KEY, [VOLUME])
    assert sh(hosts, "h2", "ls /root/t") == "file"
    sh(hosts, "h2", f"cd /root/t; {otherwise}")
    with pytest.raises(CommandFailed) as failed:
        await copy(fleet, VOLUME)
    assert failed.value.code == "C320"
    await copy(fleet, VOLUME)
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
        await fleet.prepare_copy("h1", "h2", KEY, [VOLUME])
    finally:
        sh(hosts, "h1", "touch /root/t/stop")
        writer.wait(timeout=20)
    await copy(fleet, VOLUME)
    assert sums(hosts, "h1", "/root/t") == sums(hosts, "h2", "/root/t")
    await fleet.close_link("h1", "h2", KEY)
