"""`reconcile import HOST`: what runs on a host, as specs that are valid. Real: hosts, SSH, Podman."""

from __future__ import annotations

import json

import pytest
import yaml

from reconciler.cli.main import run
from reconciler.lab import Probe
from tests.lab.pair import IMAGE, Bench

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
MADE = (
    "podman run -d --name shop --restart on-failure:3 -e MODE=prod -e DB_PASSWORD=hunter2 -v shopdata:/data"
    " -v /srv:/conf:ro --label team=x --cap-add NET_ADMIN --init --network lab:ip={ip},mac=02:00:00:00:02:77"
    " {image} sleep 9999;"
    " podman run -d --rm --name Plain_1 -p 8099:80/udp --tmpfs /scratch:size=10m --add-host db:10.1.1.1"
    " {image} sleep 9999"
)


def test_what_runs_on_a_host_becomes_specs(
    bench: Bench, client: Probe, capsys: pytest.CaptureFixture[str]
) -> None:
    out = bench.folder / "from-h1.yaml.new"
    hosts = str(bench.folder / "hosts.yaml")
    bench.on("h1", MADE.format(ip=bench.ip(119), image=IMAGE))
    try:
        capsys.readouterr()
        code = run(["import", "h1", "--specs", hosts, "--out", str(out), "--json"])
        told = json.loads(capsys.readouterr().out)
    finally:
        bench.on("h1", "podman rm -f -t 0 shop Plain_1; podman volume rm shopdata", check=False)
    text = out.read_text()
    out.unlink()
    assert code == told["exitCode"] == 0, told
    assert [(one["what"], one["missing"]) for one in told["remarks"]] == [("web", False)], "it is ours already"
    assert "hunter2" not in text and text == told["text"]
    specs = {one["metadata"]["name"]: one["spec"] for one in yaml.safe_load_all(text)}
    assert specs["shop"] == {
        "container": {
            "image": IMAGE,
            "command": ["sleep", "9999"],
            "env": {"MODE": "prod"},
            "secretEnv": {"DB_PASSWORD": {"fromEnv": "DB_PASSWORD"}},
            "volumes": [{"name": "shopdata", "target": "/data"}],
            "mounts": [{"source": "/srv", "target": "/conf", "readOnly": True}],
            "labels": {"team": "x"},
            "init": True,
            "restart": "on-failure",
            "restartRetries": 3,
            "capAdd": ["CAP_NET_ADMIN"],
            "networks": [{"name": "lab", "ip": bench.ip(119), "mac": "02:00:00:00:02:77"}],
        },
        "placement": {"host": "h1"},
    }
    assert specs["plain-1"] == {
        "container": {
            "image": IMAGE,
            "command": ["sleep", "9999"],
            "extraHosts": {"db": "10.1.1.1"},
            "tmpfs": [{"target": "/scratch", "size": "10MiB"}],
            "ports": [{"container": 80, "host": 8099, "protocol": "udp"}],
        },
        "placement": {"host": "h1"},
    }
    assert specs.keys() == {"shop", "plain-1"}
