"""`doctor` on real hosts, healthy ones and such that were broken on purpose. Real: all of it."""

from __future__ import annotations

import json

import pytest

from reconciler.cli.main import run
from tests.lab.pair import Bench

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


def test_doctor_says_one_line_for_each_healthy_host(bench: Bench):
    bench.capture()
    assert run(["doctor", "--specs", str(bench.specs(("web", bench.web(), "h1")))]) == 0
    lines = bench.capture().splitlines()
    assert [line.split()[:2] for line in lines] == [["h1", "ready"], ["h2", "ready"]]


def test_doctor_names_what_to_mend(bench: Bench):
    specs = str(bench.specs(("web", bench.web(), "h1")))
    bench.on("h2", "mv /usr/sbin/iptables-restore /root/")
    try:
        bench.capture()
        assert run(["doctor", "h2", "--specs", specs]) == 7
        told = bench.capture()
        assert run(["doctor", "--json", "--moves", "--specs", specs]) == 7
        report = json.loads(bench.capture())
    finally:
        bench.on("h2", "mv /root/iptables-restore /usr/sbin/")
    assert "apt-get install iptables" in told and told.splitlines()[-1].startswith("h2  cannot be used")
    assert [(host["name"], host["health"]) for host in report["hosts"]] == [("h1", "ready"), ("h2", "unusable")]
    assert [(v["workload"], v["destination"], v["verdict"]) for v in report["moves"]] == [("web", "h2", "no")]


def test_doctor_on_a_host_that_is_off(bench: Bench):
    bench.lab.set_link("h2", False)
    try:
        bench.capture()
        assert run(["doctor", "h2", "--specs", str(bench.specs(("web", bench.web(), "h1")))]) == 7
        assert "fix" in bench.capture()
    finally:
        bench.lab.set_link("h2", True)
