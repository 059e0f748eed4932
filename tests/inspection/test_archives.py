"""Archives as an enemy makes them: each is refused by name, and nothing is ever written. Real: tar, gzip, zstd.
Made here: the images inside, by the same schema that reads them."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import tarfile
from pathlib import Path

import pytest
import zstandard

from reconciler.cli.main import run
from reconciler.core import criu_images
from reconciler.errors import InputError
from reconciler.inspection import archive
from reconciler.inspection.compare import differences
from reconciler.inspection.look import look


def image(message: str, *bodies: dict, head: dict | None = None) -> bytes:
    out = struct.pack("<II", 0x54564319, 0)
    for body in bodies:
        data = _made(message, body).SerializeToString()
        out += struct.pack("<I", len(data)) + data
    return out


def _made(message: str, body: dict):
    made = criu_images._classes()[message]()
    for key, value in body.items():
        if isinstance(value, dict):
            getattr(made, key).CopyFrom(
                _made({"tc": "task", "reg": "reg", "isk": "inet", "usk": "unix"}[key], value)
            )
        elif isinstance(value, list):
            field = getattr(made, key)
            field.extend(_made("vma", v) if isinstance(v, dict) else v for v in value)
        else:
            setattr(made, key, value)
    return made


def checkpoint(secret: bytes = b"hunter2") -> dict[str, bytes]:
    """Two processes; the first listens, and has its arguments in the second page of its pages."""
    page = b"prog\0-x\0two words\0".ljust(64, b"\0") + b"PASSWORD=" + secret + b"\0"
    return {
        "config.dump": json.dumps({"id": "c" * 64, "name": "web", "rootfsImageID": "i", "lockID": 0}).encode(),
        "spec.dump": json.dumps({"process": {"env": ["PASSWORD=" + secret.decode(), "A=1"]}}).encode(),
        "checkpoint/pstree.img": image("pstree", {"pid": 1, "threads": [1, 2]}, {"pid": 7, "ppid": 1}),
        "checkpoint/core-1.img": image("core", {"mtype": 1, "tc": {"comm": b"prog"}}),
        "checkpoint/core-7.img": image("core", {"mtype": 1, "tc": {"comm": b"evil\x1b[2J\xff"}}),
        "checkpoint/ids-1.img": image("ids", {"files_id": 2}),
        "checkpoint/fdinfo-2.img": image("fdinfo", {"id": 5, "fd": 3, "type": 4}, {"id": 6, "fd": 4, "type": 1}),
        "checkpoint/files.img": image(
            "file",
            {
                "type": 4,
                "id": 5,
                "isk": {
                    "proto": 6,
                    "state": 1,
                    "src_port": 80,
                    "dst_port": 99,
                    "src_addr": [0x0100007F],
                    "dst_addr": [2],
                },
            },
            {"type": 1, "id": 6, "reg": {"name": b"/data/x"}},
        ),
        "checkpoint/mm-1.img": image(
            "mm",
            {
                "arg_start": 0x5000,
                "arg_end": 0x5012,
                "env_start": 0x5040,
                "env_end": 0x5040 + 10 + len(secret),
                "vmas": [{"start": 0, "end": 8192, "status": 1 << 9}, {"start": 0, "end": 4096, "status": 1 << 6}],
            },
        ),
        "checkpoint/pagemap-1.img": image(
            "pagemap", {"vaddr": 9}, {"vaddr": 0x1000, "nr_pages": 1, "flags": 4}, {"vaddr": 0x5000, "nr_pages": 1}
        ),
        "checkpoint/pages-9.img": bytes(4096) + page.ljust(4096, b"\0"),
    }


def pack(path: Path, members: dict[str, bytes], *extra: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for info in extra:
            tar.addfile(info, io.BytesIO(bytes(info.size)))
    return path


def odd(name: str, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname = kind, mode, link
    return info


def test_what_is_in_a_checkpoint(tmp_path):
    found = look(pack(tmp_path / "c.tar", checkpoint()))
    first, second = found.processes
    assert first.command == ("prog", "-x", "two words") and first.threads == 2
    assert first.environment == {"PASSWORD": "hunter2"}
    assert first.mapped == {"anonymous": 8192, "file": 4096} and first.dumped_bytes == 8192
    assert [f.text for f in first.files] == ["tcp established 127.0.0.1:80 2.0.0.0:99", "/data/x"]
    assert second.parent == 1 and second.name == "evil\\x1b[2J\ufffd", "nothing reaches a terminal as it is"
    assert found.sizes["pages"] == 8192 and found.provenance.engine == "podman"


@pytest.mark.parametrize("packed", ["gzip", "zstd", "folder"])
def test_all_forms_read_the_same(tmp_path, packed):
    plain = pack(tmp_path / "c.tar", checkpoint())
    other = tmp_path / "other"
    if packed == "folder":
        for name, data in checkpoint().items():
            (other / name).parent.mkdir(parents=True, exist_ok=True)
            (other / name).write_bytes(data)
    elif packed == "gzip":
        other.write_bytes(gzip.compress(plain.read_bytes()))
    else:
        other.write_bytes(zstandard.compress(plain.read_bytes()))
    assert look(other).model_copy(update={"path": ""}) == look(plain).model_copy(update={"path": ""})
    assert differences(look(plain), look(other)) == ()


BAD = {
    "a name that climbs out": odd("checkpoint/../../etc/passwd"),
    "an absolute name": odd("/etc/passwd"),
    "a symbolic link": odd("checkpoint/x.img", tarfile.SYMTYPE, link="/etc/shadow"),
    "a hard link": odd("checkpoint/x.img", tarfile.LNKTYPE, link="/etc/shadow"),
    "a device": odd("checkpoint/x.img", tarfile.CHRTYPE),
    "a fifo": odd("checkpoint/x.img", tarfile.FIFOTYPE),
    "a setuid file": odd("checkpoint/x.img", mode=0o4755),
    "a member twice": odd("config.dump"),
    "a member twice, spelt in another way": odd("./checkpoint//pstree.img"),
    "an image twice": odd("elsewhere/pstree.img"),
    "a control character": odd("checkpoint/\x1b[2J"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_member_that_does_not_belong_is_refused(tmp_path, name):
    path = pack(tmp_path / "c.tar", checkpoint(), BAD[name])
    with pytest.raises(InputError) as caught:
        look(path)
    assert caught.value.code == "E186" and "\x1b" not in str(caught.value)
    assert os.listdir(tmp_path) == ["c.tar"], "nothing was written"


@pytest.mark.parametrize("form", ["tar", "gzip", "zstd"])
@pytest.mark.parametrize("share", [0.1, 0.35, 0.6, 0.9])
def test_an_archive_that_is_cut_short_is_refused(tmp_path, form, share):
    path = pack(tmp_path / "c.tar", checkpoint() | {"checkpoint/pages-3.img": os.urandom(50_000)})
    data = path.read_bytes()
    if form == "gzip":
        data = gzip.compress(data)
    if form == "zstd":
        data = zstandard.compress(data)
    path.write_bytes(data[: int(len(data) * share) // 512 * 512])
    with pytest.raises(InputError) as caught:
        look(path)
    assert caught.value.code == "E186"


def test_a_bomb_is_refused_before_it_goes_off(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "SLACK", 1 << 20)
    monkeypatch.setattr(archive, "RATIO", 20)
    path = pack(tmp_path / "c.tar", checkpoint() | {"checkpoint/pages-3.img": bytes(64 << 20)})
    path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(InputError, match="not read") as caught:
        look(path)
    assert "far more" in caught.value.why


def test_a_header_that_is_a_bomb_is_refused(tmp_path):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 40
    (tmp_path / "c.tar").write_bytes(info.tobuf() + bytes(1024))
    with pytest.raises(InputError) as caught:
        look(tmp_path / "c.tar")
    assert caught.value.code == "E186"


@pytest.mark.parametrize(
    "data", [b"", b"abc", b"\x19\x43\x56\x54\0\0\0\0\xff\xff\xff\xff", bytes(7) + b"\xff" * 40]
)
def test_an_image_that_is_none_is_named(tmp_path, data):
    path = pack(tmp_path / "c.tar", checkpoint() | {"checkpoint/files.img": data})
    with pytest.raises(InputError, match=r"files\.img") as caught:
        look(path)
    assert caught.value.code == "E187"


def test_a_huge_image_is_not_read_into_memory(tmp_path, monkeypatch):
    from reconciler.inspection import look as module

    monkeypatch.setattr(module, "SMALL", 1000)
    path = pack(tmp_path / "c.tar", checkpoint() | {"checkpoint/files.img": bytes(5000)})
    with pytest.raises(InputError) as caught:
        look(path)
    assert caught.value.code == "E186"


def test_processes_that_go_round_end(tmp_path, capsys):
    members = checkpoint() | {
        "checkpoint/pstree.img": image("pstree", {"pid": 1, "ppid": 7}, {"pid": 7, "ppid": 1})
    }
    assert run(["checkpoints", "show", str(pack(tmp_path / "c.tar", members))]) == 0


@pytest.mark.parametrize("arguments", [["show"], ["show", "--json"], ["files"], ["files", "--json"]])
def test_values_are_shown_only_when_asked_for(tmp_path, capsys, arguments):
    path = str(pack(tmp_path / "c.tar", checkpoint()))
    assert run(["checkpoints", arguments[0], path, *arguments[1:]]) == 0
    assert "hunter2" not in capsys.readouterr().out
    assert run(["checkpoints", "show", path, "--values"]) == 0
    assert "hunter2" in capsys.readouterr().out


def test_differences_are_named_and_values_are_not(tmp_path, capsys):
    one = str(pack(tmp_path / "a.tar", checkpoint()))
    changed = checkpoint(b"swordfish") | {
        "checkpoint/files.img": image("file", {"type": 1, "id": 6, "reg": {"name": b"/y"}})
    }
    two = str(pack(tmp_path / "b.tar", changed))
    assert run(["checkpoints", "diff", one, two, "--json"]) == 0
    out = capsys.readouterr().out
    assert "hunter2" not in out and "swordfish" not in out
    rows = {(d["about"], d["change"], d["what"]) for d in json.loads(out)["differences"]}
    assert ("environment", "changed", "PASSWORD") in rows and ("file", "changed", "1 fd 4") in rows
    assert ("socket", "removed", "1 tcp 127.0.0.1:80 2.0.0.0:99") in rows


def test_what_is_no_checkpoint_is_said_so(tmp_path, capsys):
    assert run(["checkpoints", "show", str(tmp_path / "none")]) == 4
    assert "E185" in capsys.readouterr().err
    assert run(["checkpoints", "show", str(pack(tmp_path / "c.tar", {"a": b"b"}))]) == 4
    assert "E187" in capsys.readouterr().err
    os.mkfifo(tmp_path / "pipe")
    assert run(["checkpoints", "show", str(tmp_path / "pipe")]) == 4
