"""What somebody has changed in a container's network namespace is there after a move: addresses, routes, rules,
neighbours, filters, sysctls. Real: hosts, Podman, runc and crun, CRIU, the kernel's network."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.lab import Lab
from tests.lab.repo import Repo

pytestmark = pytest.mark.lab

CHANGE = """
    nft 'add table inet guard; add chain inet guard in { type filter hook input priority 0; }'
    nft add rule inet guard in tcp dport 9999 counter packets 5 bytes 300 drop
    iptables -A INPUT -p tcp --dport 9998 -m comment --comment 'not this one' -j DROP; iptables -P FORWARD DROP
    ip addr add NEAR/32 dev eth0; ip -6 addr add fd00::7/64 dev eth0 nodad; ip addr add 192.168.9.1/24 dev lo
    ip link set eth0 mtu 1400 txqueuelen 77 alias uplink
    ip link set eth0 promisc on; ip link set eth0 allmulticast on
    ip route add 172.16.9.0/24 via LAST; ip route add default dev eth0 table 100
    ip -6 route add fd01::/64 via fd00::9
    ip rule add from NEAR lookup 100; ip -6 rule add from fd00::7 lookup 100
    ip neigh add OTHER lladdr 02:00:00:00:00:99 dev eth0
    sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.eth0.rp_filter=2 net.ipv4.conf.lo.forwarding=0
"""
LOOK = r"""
    nft list table inet guard; iptables-save | grep '^[-:]' | sed 's, \[.*,,'
    ip -o addr | sed 's/^[0-9]*: //; s/ nodad//; s/valid_lft.*//' | grep -v ' fe80::'
    ip -o link | grep -o ': .* mtu [0-9]*' | sed 's/@[^:]*//'; ip -o link | grep -o 'qlen [0-9]*\|alias.*'
    ip route; ip route show table 100; ip rule; ip neigh show nud permanent
    ip -6 route | grep -v ^fe80; ip -6 rule
    cd /proc/sys/net; cat ipv4/ip_forward ipv4/conf/*/rp_filter ipv4/conf/*/arp_notify ipv4/conf/*/forwarding
    cat ipv6/conf/*/accept_dad
"""

NFT_THAT_MAKES_NO_TABLES = """#!/bin/sh
case $* in */network/tables) exit 1 ;; esac
exec /usr/sbin/nft "$@"
"""


@pytest.fixture
def repo(tmp_path: Path, clean_lab: Lab) -> Repo:
    return Repo(tmp_path, clean_lab)


def inside(repo: Repo, host: str, script: str) -> str:
    """What a script of the host's says in the container's network namespace."""
    for name, number in (("NEAR", 126), ("LAST", 254), ("OTHER", 200)):
        script = script.replace(name, str(repo.lab.subnet[number]))
    enter = "nsenter --net=/proc/$(podman inspect --format '{{.State.Pid}}' counter)/ns/net sh -ec \"$1\""
    return repo.lab.exec(host, ["sh", "-ec", enter, "sh", script], timeout_seconds=60).stdout


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_there_and_back(repo: Repo, runtime: str) -> None:
    repo.counter(container={"ociRuntime": runtime})
    repo.apply()
    inside(repo, "h1", CHANGE)
    before = inside(repo, "h1", LOOK)
    for word in (
        "dport 9999 counter packets 5",
        "dport 9998",
        "172.16.9.0/24",
        "lookup 100",
        "mtu 1400",
        "00:99",
        "qlen 77",
        "PROMISC",
    ):
        assert word in before
    for host in ("h2", "h1"):
        repo.place("counter", host)
        repo.apply()
        assert repo.running_on() == [host]
        assert inside(repo, host, LOOK) == before


SEVERAL_WAYS = """
    ip route add 10.9.9.0/24 via LAST metric 7; ip route append 10.9.9.0/24 dev eth0 metric 7
    ip route append 10.9.9.0/24 via OTHER metric 7
"""


def test_several_ways_to_one_place_keep_their_order_there_and_where_it_goes_back(repo: Repo) -> None:
    repo.counter()
    repo.apply()
    inside(repo, "h1", SEVERAL_WAYS)
    before = inside(repo, "h1", "ip route")
    assert before.count("10.9.9.0/24") == 3
    repo.lab.exec(
        "h2", ["sh", "-ec", "cat >/usr/local/sbin/nft; chmod 755 /usr/local/sbin/nft"], input="#!/bin/sh\nexit 1\n"
    )
    inside(repo, "h1", "nft 'add table inet guard'")
    try:
        repo.place("counter", "h2")
        repo.apply(expect=1)
    finally:
        repo.lab.exec("h2", ["rm", "/usr/local/sbin/nft"])
    assert repo.running_on() == ["h1"]
    assert inside(repo, "h1", "ip route") == before
    repo.apply()
    assert repo.running_on() == ["h2"]
    assert inside(repo, "h2", "ip route") == before


def test_a_host_that_cannot_make_its_filters_does_not_keep_it(repo: Repo) -> None:
    repo.counter()
    repo.apply()
    inside(repo, "h1", "nft 'add table inet guard'")
    fails = "cat >/usr/local/sbin/nft; chmod 755 /usr/local/sbin/nft"
    repo.lab.exec("h2", ["sh", "-ec", fails], input=NFT_THAT_MAKES_NO_TABLES)
    try:
        repo.place("counter", "h2")
        said = repo.apply(expect=1)
    finally:
        repo.lab.exec("h2", ["rm", "/usr/local/sbin/nft"])
    assert "its network is another: it lacks the table inet guard of nftables" in said.stdout + said.stderr
    assert repo.running_on() == ["h1"]
    assert "inet guard" in inside(repo, "h1", "nft list tables")
