"""Names of files that cannot be copied. Real: lab hosts, SSH, the scripts."""

from __future__ import annotations

import pytest

from reconciler.errors import HostError
from reconciler.hosts.link import LinkOptions
from reconciler.lab import Lab
from tests.hosts.conftest import Fleets, lab_hosts
from tests.hosts.links import KEY, copy, sh, tree

pytestmark = pytest.mark.lab

DEEP = """
import os
os.makedirs("/root/t/kept", exist_ok=True)
os.chdir("/root/t/kept")
for _ in range(30):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
open("file", "w").close()
"""


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "relay"])
async def test_a_path_that_nobody_can_name_is_told_before_anything_is_done(
    hosts: Lab, fleets: Fleets, direct: bool
) -> None:
    """A prepared copy says so while the workload runs; another one before the destination loses anything."""
    fleet = fleets(*lab_hosts(hosts), links=LinkOptions(direct=direct))
    hosts.exec("h1", ["python3", "-c", DEEP])
    sh(hosts, "h2", "mkdir -p /root/t; echo old >/root/t/old")
    pair = tree("/root/t", kind="volume")
    try:
        await fleet.open_link("h1", "h2", KEY)
        for way in (fleet.prepare_copy("h1", "h2", KEY, [pair]), copy(fleet, pair)):
            with pytest.raises(HostError) as caught:
                await way
            assert (caught.value.code, caught.value.where) == ("C326", "h1")
            assert "4227 bytes" in str(caught.value) and "./kept/ddd" in str(caught.value)
            assert sh(hosts, "h2", "cat /root/t/old") == "old"
        sh(hosts, "h1", "rm -rf /root/t/kept; echo new >/root/t/new")
        await copy(fleet, pair)
        assert sh(hosts, "h2", "ls /root/t") == "new"
    finally:
        await fleet.close_link("h1", "h2", KEY)
        for host in ("h1", "h2"):
            sh(hosts, host, "rm -rf /root/t")
