"""Links on real hosts: what they leave, what their keys cannot do, and what happens when a host is gone."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.errors import HostError
from reconciler.hosts.link import folder_key
from reconciler.hosts.ssh import SshFleet
from reconciler.lab import Lab
from reconciler.model.command import Command, Result
from tests.hosts.conftest import Fleets, lab_hosts
from tests.hosts.links import FOLDER, KEY, LEFTOVERS, copy, sh, sums, tree

pytestmark = pytest.mark.lab
AUTHORIZED = "/root/.ssh/authorized_keys"


async def test_links_leave_nothing(hosts: Lab, fleet: SshFleet) -> None:
    everything = f"cat {AUTHORIZED}; stat -c '%a %U' {AUTHORIZED} /root/.ssh; ls -A /root/.ssh"
    before = sh(hosts, "h2", everything)
    await fleet.open_link("h1", "h2", KEY)
    await fleet.open_link("h1", "h2", "other")
    assert sh(hosts, "h2", f"cat {AUTHORIZED}").count("restrict,from=") == 2
    assert sh(hosts, "h1", f"stat -c %a {FOLDER} {FOLDER}/*/id").split() == ["700", "600", "600"]
    await fleet.close_link("h1", "h2", KEY)
    assert sh(hosts, "h2", f"cat {AUTHORIZED}").count("restrict,from=") == 1
    await fleet.close_link("h1", "h2", "other")
    await fleet.close_link("h1", "h2", "other")
    assert sh(hosts, "h2", everything) == before
    for host in ("h1", "h2"):
        assert not {KEY, "other"} & set(sh(hosts, host, f"ls {FOLDER}").split())
        assert sh(hosts, host, LEFTOVERS) == ""
        assert sh(hosts, host, "pgrep -fa '[m]aster[.]0' || true") == ""


async def test_an_open_link_opens_again_from_another_controller(
    hosts: Lab, fleet: SshFleet, fleets: Fleets
) -> None:
    await fleet.open_link("h1", "h2", KEY)
    line = sh(hosts, "h2", f"grep restrict {AUTHORIZED}")
    second = fleets(*lab_hosts(hosts))
    await asyncio.gather(second.open_link("h1", "h2", KEY), fleet.open_link("h1", "h2", KEY))
    assert sh(hosts, "h2", f"grep restrict {AUTHORIZED}") == line


async def test_the_key_can_do_nothing_else(hosts: Lab, fleet: SshFleet) -> None:
    sh(hosts, "h1", "mkdir -p /root/t; echo 1 > /root/t/x")
    sh(hosts, "h2", "mkdir -p /root/t")
    await copy(fleet, tree("/root/t"))
    folder = f"{FOLDER}/{folder_key(KEY)}"
    use = f"ssh -F {folder}/ssh_config -S none -o ControlMaster=no"
    for request in ("id", "sh -c id", "tree 2 none", "tree 1 none x", "image 1 none", "tree 01;id none", ""):
        done = hosts.exec("h1", ["sh", "-c", f'{use} link "{request}" < /dev/null'], check=False)
        assert done.returncode in (64, 77), (request, done)
        assert "uid=" not in done.stdout
    forward = hosts.exec("h1", ["sh", "-c", f"{use} -W 127.0.0.1:22 link < /dev/null"], check=False)
    assert "SSH-2.0" not in forward.stdout
    shell = hosts.exec("h1", ["sh", "-c", f"echo id | {use} -tt link"], check=False)
    assert "uid=" not in shell.stdout

    # From elsewhere the key is worth nothing.
    key = sh(hosts, "h1", f"cat {folder}/id")
    sh(hosts, "h3", f"mkdir -p /root/t; umask 077; echo '{key}' > /root/t/id")
    address = next(host.spec.address for host in lab_hosts(hosts) if host.metadata.name == "h2")
    away = ["ssh", "-i", "/root/t/id", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", address, "hello"]
    assert "Permission denied" in hosts.exec("h3", away, check=False).stderr


async def test_a_stolen_link_cannot_write_outside_its_tree(hosts: Lab, fleet: SshFleet) -> None:
    sh(hosts, "h1", "mkdir -p /root/t /root/evil; echo 1 > /root/t/x")
    sh(hosts, "h2", "mkdir -p /root/t; rm -rf /root/victim; mkdir /root/victim")
    await copy(fleet, tree("/root/t"))
    folder = f"{FOLDER}/{folder_key(KEY)}"
    send = f"ssh -F {folder}/ssh_config -S {folder}/master.0 link 'tree 1 none'"
    script = f"""
    cd /root/evil; echo bad > f; ln -sfn /root/victim link; ln -sfn ../victim up
    tar -P --transform='s,^f$,../victim/dots,' -cf - f | {send} || true
    tar -P --transform='s,^f$,/root/victim/absolute,' -cf - f | {send} || true
    for way in link up; do
        tar -cf a.tar $way; tar --transform="s,^f$,$way/through," -rf a.tar f; {send} < a.tar || true
        {send} < a.tar || true
    done
    """
    sh(hosts, "h1", script)
    assert sh(hosts, "h2", "ls -A /root/victim; rm -rf /root/victim") == ""


async def test_links_that_cross(hosts: Lab, fleet: SshFleet) -> None:
    for host, mine in (("h1", "a"), ("h2", "b")):
        sh(hosts, host, f"mkdir -p /root/t/a /root/t/b; head -c 64M /dev/urandom > /root/t/{mine}/x")
    there, back = await asyncio.gather(
        fleet.copy_trees("h1", "h2", KEY, [tree("/root/t/a")], lambda count: None),
        fleet.copy_trees("h2", "h1", "other", [tree("/root/t/b")], lambda count: None),
    )
    assert there.how == back.how == "direct"
    assert sums(hosts, "h1", "/root/t") == sums(hosts, "h2", "/root/t")


async def test_close_says_what_is_left_when_a_host_is_gone(hosts: Lab, fleet: SshFleet) -> None:
    await fleet.open_link("h1", "h2", KEY)
    hosts.kill_sshd("h2")
    await asyncio.sleep(0.2)
    with pytest.raises(HostError, match="from h2") as caught:
        await fleet.close_link("h1", "h2", KEY)
    assert "reconciler-link:" in caught.value.fix
    assert sh(hosts, "h1", f"ls {FOLDER}") == ""
    hosts.start_sshd("h2")
    await fleet.close_link("h1", "h2", KEY)
    assert "restrict" not in sh(hosts, "h2", f"cat {AUTHORIZED}")


async def test_private_keys_stay_on_the_host(hosts: Lab, fleet: SshFleet) -> None:
    """What comes back from hosts while a link is made never holds one."""
    told: list[str] = []
    host = fleet.host("h1")
    original = host.run

    async def listen(command: Command) -> Result:
        result = await original(command)
        told.append(result.stdout + result.stderr)
        return result

    host.run = listen  # type: ignore[method-assign]
    await fleet.open_link("h1", "h2", KEY)
    assert told
    assert "PRIVATE" not in "".join(told)


async def test_what_an_earlier_copy_left_running_is_ended_first(hosts: Lab, fleet: SshFleet) -> None:
    """A receiver whose sender's host vanished waits for ever; nobody may write beside the next copy."""
    sh(hosts, "h1", "mkdir -p /root/t; echo 1 > /root/t/x")
    sh(hosts, "h2", "mkdir -p /root/t")
    await copy(fleet, tree("/root/t"))
    stuck = f"""exec < /dev/null > /dev/null 2>&1
    receiver=$(ls /var/lib/reconciler/bin/transfer-receive-*)
    mkfifo /run/t/never; sleep 300 > /run/t/never 2>&1 < /dev/null & disown
    setsid "$receiver" {folder_key(KEY)} 'images 1 none' < /run/t/never > /dev/null 2>&1 & disown
    sleep 0.3
    """
    sh(hosts, "h2", stuck)
    assert "transfer-receive" in sh(hosts, "h2", LEFTOVERS)
    await copy(fleet, tree("/root/t"))
    assert sh(hosts, "h2", LEFTOVERS) == ""
    assert sh(hosts, "h2", f"ls {FOLDER}/*").split() == ["list", "lock"]
    sh(hosts, "h2", "pkill -f '^sleep 300' || true")
