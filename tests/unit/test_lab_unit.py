"""The lab's pure parts: addresses, names, apt sources, image bytes, files. Nothing here needs root."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
import threading
import time
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from reconciler.cli.lab import app
from reconciler.errors import LabError
from reconciler.lab import (
    cache,
    cgroups,
    demo,
    files,
    mirror,
    network,
    process,
    tools,
)
from reconciler.lab.backend import named
from reconciler.lab.spec import (
    LabPaths,
    LabSpec,
    check_host_count,
    check_rate,
    host_index,
    lab_names,
    subnet,
)

SPEC = LabSpec(name="x", octet=7, hosts=3, rootfs="/cache/rootfs", images="/cache/demo/store")


def test_addresses_of_a_lab_do_not_overlap() -> None:
    assert str(SPEC.subnet) == "10.77.7.0/24"
    assert str(SPEC.controller_address) == "10.77.7.254"
    assert [str(SPEC.address(host)) for host in SPEC.host_names] == ["10.77.7.1", "10.77.7.2", "10.77.7.3"]
    full = SPEC.model_copy(update={"hosts": 8})
    ranges = [full.container_range(host) for host in full.host_names]
    assert not any(a.overlaps(b) for a in ranges for b in ranges if a is not b)
    assert all(SPEC.subnet[128] <= address[0] and address.subnet_of(SPEC.subnet) for address in ranges)
    assert len({full.mac(host) for host in full.host_names}) == 8


@pytest.mark.parametrize("name", ["", "A", "-a", "a/b", "..", "a b", "a" * 33])
def test_bad_lab_names_are_refused(name: str) -> None:
    with pytest.raises(LabError, match="cannot name a lab"):
        LabPaths.of(name)


@pytest.mark.parametrize("host", ["h0", "h9", "h10", "1", "../h1", ""])
def test_bad_host_names_are_refused(host: str) -> None:
    with pytest.raises(LabError):
        host_index(host)


@pytest.mark.parametrize("rate", ["1 gbit", "0gbit", "1", "fast", "1gbit; x"])
def test_bad_rates_are_refused(rate: str) -> None:
    with pytest.raises(LabError, match="is no rate"):
        check_rate(rate)
    assert check_rate("100mbit") == "100mbit"
    assert check_rate(None) is None


@pytest.mark.parametrize("hosts", [0, -1, 9])
def test_bad_host_counts_are_refused(hosts: int) -> None:
    with pytest.raises(LabError, match="1 to 8 hosts"):
        check_host_count(hosts)


def test_identity_fits_an_interface_name_and_differs_among_users(paths: LabPaths, tmp_path: Path) -> None:
    assert len(paths.identity) <= 15
    assert paths.identity != LabPaths("x", tmp_path / "elsewhere" / "x").identity


def test_a_spec_survives_its_file(paths: LabPaths) -> None:
    assert paths.load() is None
    paths.folder.mkdir(parents=True)
    paths.save(SPEC)
    assert paths.load() == SPEC
    assert paths.spec.stat().st_mode & 0o777 == 0o600
    assert lab_names() == ("x",)


def test_a_spec_of_another_version_is_an_error_but_can_be_removed(paths: LabPaths) -> None:
    paths.folder.mkdir(parents=True)
    paths.spec.write_text('{"name": "x", "novel": 1}')
    with pytest.raises(LabError, match="another version"):
        paths.load()
    assert paths.load_or_none() is None


DEB822 = """\
# a comment
Types: deb-src
URIs: http://mirror.example/source/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://mirror.example/debian-security/
Suites: bookworm-security
Components: main

Types: deb
# http://old.example/debian
URIs: http://mirror.example/debian
Suites: bookworm
 bookworm-updates
Components: main contrib
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("debian.sources", DEB822),
        ("debian.list", "deb [arch=amd64 signed-by=/k] http://mirror.example/debian bookworm main # x\n"),
        (
            "x.list",
            "deb-src http://s.example/debian a main\ndeb http://mirror.example/debian trixie main\n",
        ),
    ],
)
def test_the_mirror_comes_from_apt(name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(mirror.MIRROR_VARIABLE, raising=False)
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "another.list").write_text("deb https://vendor.example/apt stable main\n")
    (folder / name).write_text(text)
    assert mirror.find_mirror(tmp_path) == "http://mirror.example/debian"


def test_disabled_sources_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(mirror.MIRROR_VARIABLE, raising=False)
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "d.sources").write_text("Enabled: no\n" + DEB822.split("\n\n")[2])
    with pytest.raises(LabError, match="no Debian mirror") as caught:
        mirror.find_mirror(tmp_path)
    assert mirror.MIRROR_VARIABLE in caught.value.fix
    monkeypatch.setenv(mirror.MIRROR_VARIABLE, "http://chosen.example/d")
    assert mirror.find_mirror(tmp_path) == "http://chosen.example/d"


def test_missing_packages_are_named_with_the_command_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools.shutil, "which", lambda command, path=None: None if command == "gcc" else command)
    monkeypatch.setattr(tools, "_KEYRING", Path("/"))
    assert tools.missing_packages() == ("gcc", "libc6-dev")
    assert tools.missing_packages(build=False) == ()
    with pytest.raises(LabError) as caught:
        tools.require_packages(build=True)
    assert "apt-get install" in caught.value.fix
    assert "gcc libc6-dev" in caught.value.fix


def test_without_root_there_is_no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="needs root"):
        named("namespace").check()
    with pytest.raises(LabError, match="no lab backend"):
        named("magic")


def test_a_failing_program_is_an_error_with_its_last_words() -> None:
    with pytest.raises(LabError) as caught:
        tools.run(["sh", "-c", "echo cause >&2; exit 3"], what="it broke")
    assert (caught.value.what, caught.value.why) == ("it broke", "cause")
    assert tools.run(["false"], check=False).returncode == 1


def test_a_lock_keeps_others_out_and_survives_removal(tmp_path: Path) -> None:
    lock, order = tmp_path / "lock", list[str]()

    def second() -> None:
        with tools.locked(lock):
            order.append("second")

    with tools.locked(lock):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.05)
        order.append("first")
        lock.unlink()
    thread.join(timeout=5)
    assert order == ["first", "second"]


def test_a_free_subnet_is_found_around_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_routed_networks", lambda: [IPv4Network("10.77.0.0/24")])
    assert network._free_octet(None, taken={1}) == 2
    assert network._free_octet(5, taken=set()) == 5
    with pytest.raises(LabError, match="in use"):
        network._free_octet(0, taken=set())


def test_wide_routes_do_not_take_all_subnets(monkeypatch: pytest.MonkeyPatch) -> None:
    class Done:
        stdout = json.dumps([{"dst": d} for d in ("default", "10.0.0.0/8", "10.77.3.0/24", "10.77.9.9")])

    monkeypatch.setattr(network, "run", lambda *_a, **_k: Done)
    assert network._routed_networks() == [IPv4Network("10.77.3.0/24"), IPv4Network("10.77.9.9/32")]
    assert subnet(3) == IPv4Network("10.77.3.0/24")


def test_groups_inherit_cpus_on_v1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    v1, v2 = tmp_path / "cpuset", tmp_path / "unified"
    for root in (v1, v2):
        (root / "g").mkdir(parents=True)
    for folder in (v1, v1 / "g"):
        for name, value in (("cpuset.cpus", "0-1"), ("cpuset.mems", "0"), ("cgroup.clone_children", "0")):
            (folder / name).write_text(value if folder == v1 else "")
    monkeypatch.setattr(cgroups, "hierarchies", lambda: (v1, v2))
    assert cgroups.create("g") == (v1 / "g", v2 / "g")
    assert (v1 / "g" / "cpuset.cpus").read_text() == "0-1"
    assert (v1 / "g" / "cgroup.clone_children").read_text() == "1"
    (v2 / "g" / "init").mkdir()
    assert cgroups.entry_groups("g") == (v1 / "g", v2 / "g" / "init")
    assert cgroups.named("g") == {"g"}


def test_the_demo_image_is_the_same_bytes_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Done:
        stdout = "amd64\n"

    monkeypatch.setattr(demo, "run", lambda *_a, **_k: Done)
    for name in ("counter", "busybox"):
        (tmp_path / name).write_bytes(name.encode())
    ids = [
        demo.build_archive(tmp_path / f"{n}.tar", tmp_path / "counter", tmp_path / "busybox", "localhost/d:1")
        for n in range(2)
    ]
    assert ids[0] == ids[1]
    assert (tmp_path / "0.tar").read_bytes() == (tmp_path / "1.tar").read_bytes()
    with tarfile.open(tmp_path / "0.tar") as tar:
        read = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    manifest = json.loads(read["manifest.json"])[0]
    config = read[manifest["Config"]]
    layer = read[manifest["Layers"][0]]
    assert hashlib.sha256(config).hexdigest() == ids[0]
    assert json.loads(config)["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        assert tar.getmember("bin/counter").mode == 0o755
        assert tar.getmember("bin/sh").linkname == "busybox"


def test_a_build_that_fails_leaves_nothing_and_leftovers_are_removed(tmp_path: Path) -> None:
    target = tmp_path / "thing"
    (tmp_path / "thing.tmp-1").mkdir()

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise LabError("no")

    with pytest.raises(LabError):
        cache.build_once(target, fail)
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []
    cache.build_once(target, lambda folder: (folder / "whole").touch())
    cache.build_once(target, fail)
    assert (target / "whole").exists()


def test_files_agree_with_each_other(paths: LabPaths) -> None:
    paths.folder.mkdir(parents=True)
    files.write_all(paths, SPEC)
    before = paths.inventory.read_text()
    files.write_all(paths, SPEC)
    assert paths.inventory.read_text() == before
    documents = list(yaml.safe_load_all(before))
    assert [document["metadata"]["name"] for document in documents] == ["h1", "h2", "h3"]
    second = documents[1]["spec"]
    assert second["address"] == "10.77.7.2"
    assert Path(second["identityFile"]).stat().st_mode & 0o077 == 0
    assert f"10.77.7.2,h2 {second['hostKey']}" in paths.known_hosts.read_text().splitlines()
    assert len({document["spec"]["hostKey"] for document in documents}) == 3
    assert "StrictHostKeyChecking yes" in paths.ssh_config.read_text()


def test_status_without_labs(paths: LabPaths) -> None:
    assert "no labs" in CliRunner().invoke(app, ["status"]).stdout
    assert json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)["labs"] == []


def test_status_and_ssh_config_of_a_lab_that_is_down(paths: LabPaths) -> None:
    paths.folder.mkdir(parents=True)
    files.write_all(paths, SPEC)
    paths.save(SPEC)
    found = json.loads(CliRunner().invoke(app, ["status", "--name", "x", "--json"]).stdout)["labs"][0]
    assert [host["state"] for host in found["hosts"]] == ["down"] * 3
    assert found["inventory"] == str(paths.inventory)
    assert CliRunner().invoke(app, ["ssh-config", "--name", "x"]).stdout == paths.ssh_config.read_text()
    done = CliRunner().invoke(app, ["exec", "--name", "x", "h1", "--", "true"])
    assert isinstance(done.exception, LabError)
    assert done.exception.code == "L704"


def test_a_lab_that_does_not_exist(paths: LabPaths) -> None:
    done = CliRunner().invoke(app, ["status", "--name", "y"])
    assert isinstance(done.exception, LabError)
    assert (done.exception.code, "lab up --name y" in done.exception.fix) == ("L703", True)


def test_a_process_is_known_by_its_start(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "100"]) as child:
        assert process.remember(tmp_path / "pid", child.pid)
        assert process.read(tmp_path / "pid") == child.pid
        (tmp_path / "other").write_text(f"{child.pid} 1")
        assert process.read(tmp_path / "other") is None
        process.kill(child.pid, "sleep")
    assert process.read(tmp_path / "pid") is None
    assert not process.remember(tmp_path / "pid", child.pid)
