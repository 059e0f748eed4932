"""Checkpoints that are kept, looked into and laid out for others. Real: the scripts, on this machine. Made here:
the images inside; fake: that there is a host between."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.commands.exporting import _new_file
from reconciler.criu import capturing
from reconciler.errors import InputError, Refused
from reconciler.inspection.compare import differences
from reconciler.inspection.kept import KeptLook
from reconciler.inspection.look import look
from reconciler.model.checkpoint import KeptTree, Manifest, TakenFrom
from reconciler.model.command import Tree
from reconciler.model.container_network import PublishedPort
from reconciler.model.handover import Located
from reconciler.runtimes.podman import exporting
from reconciler.stores import directory
from tests.inspection.test_archives import checkpoint
from tests.stores.conftest import here

ODD = "two\nlines \\ and é"
OCI = {"process": {"args": ["/bin/web"], "env": ["PASSWORD=x"]}, "annotations": {"org.criu.config": "x", "a": "b"}}
SPEC = {"spec": {"container": {"image": "app:1", "volumes": [{"name": "web-data", "target": "/data"}]}}}


@pytest.fixture
def made(tmp_path: Path, capture: Callable) -> Callable[..., tuple[str, Manifest]]:
    """A checkpoint of a root filesystem and a volume; `meanwhile` happens after they were archived."""

    def make(name: str = "one", meanwhile: str = ":") -> tuple[str, Manifest]:
        rootfs, volume, images = tmp_path / "rootfs", tmp_path / "volume", tmp_path / "images"
        for folder in (rootfs / "etc", volume, images):
            folder.mkdir(parents=True, exist_ok=True)
        (rootfs / "etc" / "motd").write_text("hello")
        (rootfs / "etc" / "gone").write_text("x")
        if not (volume / ODD).exists():
            (volume / ODD).write_text("data")
            (volume / "link").symlink_to("a -> b")
        for path, data in checkpoint().items():
            if path.startswith("checkpoint/"):
                (images / path.removeprefix("checkpoint/")).write_bytes(data)
        (tmp_path / "config.json").write_text(json.dumps(OCI))
        part = str(tmp_path / f"{name}.part")
        here(directory.begin(part))
        trees = (Tree("rootfs", str(rootfs)), Tree("volume", str(volume), "/data"))
        here(capturing.shadow(Located("x", trees), part, str(tmp_path / "config.json")))
        assert capture(Path(part), meanwhile).returncode == 0
        manifest = Manifest(
            id="20261126-014639-8584",
            workload="web",
            epoch=3,
            taken_at=1e9,
            frozen_s=0.25,
            came_from=TakenFrom(host="h1", runtime="podman", image="app:1", image_id="ab" * 32, container_id="c"),
            trees=(KeptTree(kind="rootfs"), KeptTree(kind="volume", target="/data")),
            files=here(directory.pack(part, str(images))),
            spec=SPEC,
        ).sealed()
        return part, manifest

    return make


def looked(folder: str, manifest: Manifest):
    found = KeptLook("web@x", manifest)
    found.take(here(directory.look(folder, len(manifest.trees))))
    return found, found.told(here(directory.slices(folder, found.asked)))


def test_a_host_tells_what_is_in_it(made: Callable, tmp_path: Path) -> None:
    gone = tmp_path / "rootfs" / "etc" / "gone"
    folder, manifest = made(
        meanwhile=f"rm {gone}; echo longer >{tmp_path}/rootfs/etc/motd; echo x >{gone.parent}/new"
    )
    found, told = looked(folder, manifest)
    assert [(c.path, c.kind, c.bytes) for c in told.changed] == [("etc/motd", "file", 7), ("etc/new", "file", 2)]
    (volume,) = told.volumes
    assert volume.name == "/data" and {c.path: c.kind for c in volume.files} == {ODD: "file", "link": "link"}
    assert told.processes[0].command == ("prog", "-x", "two words")
    assert told.sizes["pages"] > 0 and told.sizes["volumes"] == 4
    assert told.environment == {"PASSWORD": "x"} and told.provenance.freeze_ms == 250
    assert found.deleted == ()


def test_two_are_compared_by_their_files(made: Callable, tmp_path: Path) -> None:
    first = looked(*made())[1]
    second = looked(*made("two", f"echo other >{tmp_path}/volume/new; rm {tmp_path}/volume/link"))[1]
    assert [(d.about, d.sign, d.what) for d in differences(first, second) if d.about == "volume"] == [
        ("volume", "-", "/data link"),
        ("volume", "+", "/data new"),
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_what_is_gone_from_the_image_is_told(made: Callable, tmp_path: Path) -> None:
    (tmp_path / "rootfs" / "etc").mkdir(parents=True)
    os.mknod(tmp_path / "rootfs" / "etc" / "mtab", 0o020000, 0)
    found, told = looked(*made())
    assert told.deleted == ("etc/mtab",) and found.deleted == ("etc/mtab",)
    assert "etc/mtab" not in [c.path for c in told.changed]


def answer(**members: bytes) -> str:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return base64.b64encode(out.getvalue()).decode()


@pytest.mark.parametrize(
    "said",
    ["no base64!", answer(images__x=b""), answer(**{"1.base": b"-rw what is this"}), answer(**{"oci.json": b"{"})],
    ids=["not base64", "no archive of images", "not a list", "not JSON"],  # what is packed tells the time, too
)
def test_a_host_that_lies_is_refused(made: Callable, said: str) -> None:
    _, manifest = made()
    with pytest.raises(InputError) as caught:
        KeptLook("web@x", manifest).take(said)
    assert caught.value.code in ("E186", "E187")


def exported(folder: str, manifest: Manifest, out: Path) -> Path:
    found, _ = looked(folder, manifest)
    section = exporting.made_from(manifest)
    lines = (exporting.config_dump(manifest, section, found.oci), exporting.spec_dump(found.oci), '["/etc/mtab"]')
    laid = out.with_suffix(".laid")
    assert here(directory.lay(folder, str(laid), exporting.archives(manifest, section), *lines)) == ""
    with out.open("wb") as sink:
        subprocess.run(directory.sending(str(laid)), stdout=sink, check=True, timeout=60)
    here(directory.clear(str(laid)))
    assert not laid.exists()
    return out


def test_an_archive_for_others_has_the_same_in_it(made: Callable, tmp_path: Path) -> None:
    folder, manifest = made(meanwhile=f"rm {tmp_path}/rootfs/etc/gone")
    inside, outside = looked(folder, manifest)[1], look(exported(folder, manifest, tmp_path / "web.tar"))
    assert outside.processes == inside.processes and outside.changed == inside.changed
    assert outside.provenance.engine == "podman" and outside.provenance.container == "web"
    assert [(v.name, sorted(c.path for c in v.files)) for v in outside.volumes] == [("web-data", ["link", ODD])]
    assert outside.deleted == ("etc/mtab",)


def test_what_files_alone_do_not_tell_is_said(made: Callable, tmp_path: Path) -> None:
    mark = tmp_path / "rootfs" / "etc"
    mark.mkdir(parents=True)
    try:
        os.setxattr(mark, "trusted.overlay.opaque", b"y")
    except OSError:
        pytest.skip("no such marks can be made here")
    folder, manifest = made()
    names = exporting.archives(manifest, exporting.made_from(manifest))
    assert "opaque" in here(directory.lay(folder, str(tmp_path / "laid"), names, "{}", "{}", "[]"))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"came_from": TakenFrom(host="h1", runtime="process")}, "process ran it"),
        ({"spec": {}}, "does not say what"),
        ({"spec": {"spec": {"container": {"image": "a", "userns": "auto"}}}}, "`userns`"),
    ],
)
def test_what_podman_cannot_take_is_refused(made: Callable, changed: dict, why: str) -> None:
    with pytest.raises(Refused, match=why) as caught:
        exporting.made_from(made()[1].model_copy(update=changed))
    assert caught.value.code == "P454"


def test_nothing_in_it_is_ours(made: Callable) -> None:
    _, manifest = made()
    section = exporting.made_from(manifest)
    port = PublishedPort(host=8000, container=80)
    section = section.model_copy(update={"labels": {"team": "web"}, "ports": [port]})
    told = json.loads(exporting.config_dump(manifest, section, OCI))
    assert told["labels"] == {"team": "web"} and told["newNetworks"] == {"podman": {"interface_name": "eth0"}}
    (published,) = told["newPortMappings"]
    assert (published["host_port"], published["container_port"]) == (8000, 80)
    assert json.loads(exporting.spec_dump(OCI))["annotations"] == {"a": "b"}


def test_an_archive_is_written_whole_or_not(tmp_path: Path) -> None:
    path = tmp_path / "web.tar"
    with pytest.raises(ZeroDivisionError), _new_file(path) as (_, sink):
        os.write(sink, b"half" * (1 // 0))
    assert os.listdir(tmp_path) == []
    with _new_file(path) as (_, sink):
        os.write(sink, b"all")
    assert path.read_bytes() == b"all" and path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="there already"), _new_file(path):
        pass
    with pytest.raises(InputError, match="cannot be written"), _new_file(tmp_path / "no" / "web.tar"):
        pass
