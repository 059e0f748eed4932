"""What of a pod's move needs no containerd: what it is made from at its destination, who answers for its image,
its networks."""

from __future__ import annotations

import http.client
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.errors import HostError
from reconciler.hosts import shell
from reconciler.model.container import Container
from reconciler.model.world import ContainerFacts, InstanceState, NetworkFacts
from reconciler.resources import host_script
from reconciler.runtimes.cri import archive, configs, copies, making, networks
from reconciler.runtimes.cri.calls import CriCall
from reconciler.runtimes.cri.unsupported import unsupported

POD, IMAGE, MANIFEST = "a" * 64, "sha256:" + "c" * 64, "sha256:" + "d" * 64
OWN = [{"name": "lan", "ip": "192.0.2.7", "ip6": "2001:db8::7", "mac": "02:00:00:00:00:07"}]


def wanted(**fields: object) -> Container:
    return Container.model_validate({"image": "app:1", **fields})


# --- what a container that waits is made from ---


def test_an_archive_has_what_containerd_reads_first_and_nothing_of_the_pod() -> None:
    packed = archive.packed("web", IMAGE, f"127.0.67.82:5047/a@{MANIFEST}", {"org.criu.config": "/x"})
    with tarfile.open(fileobj=io.BytesIO(packed)) as opened:
        names = opened.getnames()
        read = {name: opened.extractfile(name) for name in names if name.endswith(".dump")}
        parts = {name: json.load(file) for name, file in read.items() if file}
    assert names == ["checkpoint", "config.dump", "spec.dump", "status.dump", archive.DESCRIPTORS]
    assert parts["config.dump"]["rootfsImageRef"].endswith(MANIFEST)
    assert parts["status.dump"]["annotations"] == {"org.criu.config": "/x"}
    assert len(packed) < 20_000


CURL = """#!/bin/sh
cat /proc/$PPID/cmdline >"$KEPT/asked-by"
for word; do
    case $word in
        @*) cp "${word#@}" "$KEPT/request";;
        */heads) printf 'grpc-status: 0\\r\\n' >"$word";;
    esac
done
cp "$KEPT/notes/web.tar" "$KEPT/archive"
"""


def test_what_a_container_that_waits_is_asked_with_is_in_no_command_line(tmp_path: Path) -> None:
    """An environment may be secret, and longer than a command line. Real: the script. Fake: curl."""
    secret = "S3CR3T" * 20_000
    config = configs.container("web", wanted(env={"TOKEN": secret}), IMAGE)
    call = CriCall("CreateContainer", "create", {"pod_sandbox_id": POD, "config": config}, "id")
    packed = archive.packed("web", IMAGE, IMAGE, {})
    (tmp_path / "curl").write_text(CURL)
    (tmp_path / "curl").chmod(0o755)
    (tmp_path / "notes").mkdir()
    file = str(tmp_path / "notes" / "web.tar")
    argv, stdin = making.arrival(call, file, ("", "", "", ""), packed)
    path = f"{tmp_path}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "TMPDIR": str(tmp_path), "KEPT": str(tmp_path)}
    done = subprocess.run(argv, input=stdin, env=env, capture_output=True, check=False)
    assert done.returncode == 0 and "@@ call 0" in done.stdout.decode() and "grpc 0" in done.stdout.decode()
    assert (tmp_path / "archive").read_bytes() == packed
    assert secret.encode() in (tmp_path / "request").read_bytes()
    assert b"CreateContainer" not in (tmp_path / "asked-by").read_bytes()
    assert len(shell.line(argv, "t")) < shell.MAX_LINE


# --- who answers for its image ---


@pytest.fixture
def known(unused_tcp_port: int) -> Iterator[int]:
    words = (f"127.0.67.82:{unused_tcp_port}", MANIFEST, "application/json", "483", "30")
    argv = ("perl", "-e", host_script("cri", "known", "pl"), *words)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout and server.stdout.readline() == "ready\n"
        yield unused_tcp_port
        server.kill()


def asked(port: int, path: str) -> tuple[int, str | None, str | None]:
    connection = http.client.HTTPConnection("127.0.67.82", port, timeout=10)
    connection.request("HEAD", path)
    answer = connection.getresponse()
    return answer.status, answer.getheader("Docker-Content-Digest"), answer.getheader("Content-Length")


def test_that_image_is_there_and_no_other(known: int) -> None:
    assert asked(known, f"/v2/reconciler/base/manifests/{MANIFEST}") == (200, MANIFEST, "483")
    assert asked(known, f"/v2/reconciler/base/manifests/{MANIFEST}?ns=127.0.67.82") == (200, MANIFEST, "483")
    assert asked(known, f"/v2/reconciler/base/manifests/{IMAGE}")[0] == 404
    assert asked(known, f"/v2/reconciler/base/blobs/{MANIFEST}")[0] == 404


# --- networks ---


def told(**plugin: object) -> dict[str, str]:
    """What CRI says of its status, with this plugin as the first of a network."""
    config = {"Name": "lan", "Plugins": [{"Network": {}, "Source": json.dumps(plugin)}]}
    loopback = {"Name": "cni-loopback", "Plugins": [{"Source": '{"type": "loopback"}'}]}
    return {"cniconfig": json.dumps({"Networks": [{"Config": loopback}, {"Config": config}]})}


def test_networks_are_those_of_cni() -> None:
    ranges = [[{"subnet": "192.0.2.0/24"}], [{"subnet": "2001:db8::/64"}]]
    found = networks.of_host(told(type="macvlan", master="eth1", ipam={"ranges": ranges}))
    subnets = ("192.0.2.0/24", "2001:db8::/64")
    assert found == (NetworkFacts(name="lan", driver="macvlan", subnets=subnets, parent="eth1", runtime="cri"),)
    assert found[0].on_segment
    (bridge,) = networks.of_host(told(type="bridge", ipam={"subnet": "198.51.100.0/24"}))
    assert (bridge.driver, bridge.subnets, bridge.on_segment) == ("bridge", ("198.51.100.0/24",), False)
    assert networks.of_host({}) == ()


@pytest.mark.parametrize(
    "info",
    [{"cniconfig": "[]"}, {"cniconfig": '{"Networks": 5}'}, told(type="mac vlan"), told(ipam={"subnet": "x"})],
)
def test_what_nobody_can_read_is_said(info: dict[str, str]) -> None:
    with pytest.raises(HostError):
        networks.of_host(info)


def test_a_pod_has_its_own_address_before_that_of_cni() -> None:
    (own,) = networks.of_pod(wanted(networks=OWN), ("10.0.0.9", None))
    assert (own.name, own.ip, own.ip6, own.mac) == ("lan", "192.0.2.7", "2001:db8::7", "02:00:00:00:00:07")
    (named,) = networks.of_pod(wanted(networks=[{"name": "lan"}]), ("10.0.0.9", None))
    assert (named.name, named.ip) == ("lan", "10.0.0.9")
    (other,) = networks.of_pod(wanted(), ("10.0.0.9", None))
    assert (other.name, other.ip) == (networks.UNKNOWN, "10.0.0.9")
    assert networks.of_pod(None, (None, None)) == ()
    assert networks.is_own(wanted(networks=OWN)) and not networks.is_own(wanted(networks=[{"name": "lan"}]))


def test_one_network_and_no_names_in_it() -> None:
    two = wanted(networks=[*OWN, {"name": "other"}])
    assert [where for where, _, _ in unsupported(two)] == [("networks", 1)]
    named = wanted(networks=[{"name": "lan", "aliases": ["db"]}])
    assert [where for where, _, _ in unsupported(named)] == [("networks", 0, "aliases")]
    assert list(unsupported(wanted(networks=OWN, mounts=[{"source": "/a", "target": "/b", "move": True}]))) == []


def test_who_has_no_control_group_has_no_tasks() -> None:
    """All that runs on a host would be taken for its, and ended."""
    with pytest.raises(ValueError, match="cgroup"):
        copies.tasks(ContainerFacts(id=POD, name="web", state=InstanceState.CREATED))
