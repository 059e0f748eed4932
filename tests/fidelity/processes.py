"""All that /proc and a few calls say of a container's processes: read from outside, by their PIDs there, and known
by the PIDs that they have inside."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

Facts = dict[str, str]
LIBC = ctypes.CDLL(None, use_errno=True)
IOPRIO_GET = {"x86_64": 252, "aarch64": 31}[os.uname().machine]
SPECIAL = (
    "mem",
    "pagemap",
    "maps",
    "smaps",
    "numa_maps",
    "mountinfo",
    "mounts",
    "mountstats",
    "environ",
    "cmdline",
)
SPECIAL += (
    "auxv",
    "clear_refs",
    "kcov",
    "stat",
    "cgroup",
    "net",
    "task",
    "fd",
    "fdinfo",
    "map_files",
    "ns",
    "timers",
)
"""What is read in a way of its own, or not at all: it has no contents to compare."""
OUTSIDE = ("Pid", "Tgid", "PPid", "Ngid", "TracerPid")
INNERMOST = ("NSpid", "NStgid", "NSpgid", "NSsid")
"""Fields of `status` with PIDs: of the host's namespace, and of each namespace down to their own."""
KERNELS = ("[vvar]", "[vvar_vclock]", "[vdso]", "[vsyscall]")
PAGE = 4096
MOST_READ = 2 << 20
"""Bytes of one mapping whose contents are compared."""


def outside(container: str) -> dict[int, int]:
    """PID outside of each process by its PID inside."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if container in (folder / "cgroup").read_text() and (folder / "comm").read_text() != "conmon\n":
                found[int(_fields(_text(folder / "status"))["NSpid"].split()[-1])] = int(folder.name)
        except (OSError, KeyError):
            continue
    return dict(sorted(found.items()))


def record(pids: dict[int, int]) -> Facts:
    """Facts of all processes and threads, as `process/PID/...`."""
    facts: Facts = {"processes": " ".join(map(str, pids)), "memory": str(_own_memory(pids.values()))}
    spaces: dict[str, int] = {}
    inner = {str(pid): str(inside) for inside, pid in pids.items()}
    for inside, pid in pids.items():
        root = Path("/proc", str(pid))
        for key, value in _of(root, pid, spaces, inner):
            facts[f"process/{inside}/{key}"] = value
        for task in sorted((root / "task").iterdir()):
            if task.name != str(pid):
                name = _fields(_text(task / "status"))["NSpid"].split()[-1]
                for key, value in _task(task, int(task.name)):
                    facts[f"process/{inside}/task/{name}/{key}"] = value
    return facts


def _own_memory(pids: Iterable[int]) -> int:
    """KiB that all of them have together, what they share counted once, without files that can be read again."""
    rolled = [_fields(_text(Path(f"/proc/{pid}/smaps_rollup"))) for pid in pids]
    return sum(int(one[key].split()[0]) for one in rolled for key in ("Pss_Anon", "Pss_Shmem") if key in one)


def _of(root: Path, pid: int, spaces: dict[str, int], inner: dict[str, str]) -> Iterator[tuple[str, str]]:
    after = _text(root / "stat").rpartition(")")[2].split()
    if after[0] == "Z":  # nobody has asked how it ended
        yield "ended", after[-1]
        return
    yield from _task(root, pid)
    for name in ("cmdline", "environ", "auxv"):
        yield name, shown(_bytes(root / name))
    for link in ("cwd", "exe", "root"):
        yield link, _link(root / link)
    for space in sorted((root / "ns").iterdir()):
        # A number means nothing elsewhere; which processes share it does.
        yield f"ns/{space.name}", f"that of process number {spaces.setdefault(_link(space), len(spaces))}"
    yield from _timers(_text(root / "timers"), inner)
    yield from _mounts(_text(root / "mountinfo"))
    yield from _memory(root)


def _task(root: Path, pid: int) -> Iterator[tuple[str, str]]:
    for path in sorted([*root.iterdir(), *(root / "attr").iterdir()]):
        if path.name in SPECIAL or path.is_symlink() or path.is_dir():
            continue
        name, text = str(path.relative_to(root)), _text(path)
        fields = (
            _fields(text) if name != "limits" else {row[:26].strip(): row[26:] for row in text.splitlines()[1:]}
        )
        if fields:
            for key, value in fields.items():
                words = value.split()
                if name == "status" and key in OUTSIDE:
                    continue
                yield f"{name}/{key}", words[-1] if key in INNERMOST and words else " ".join(words)
        else:
            yield name, " ".join(text.split())
    for number, value in enumerate(_text(root / "stat").rpartition(")")[2].split(), start=3):
        yield f"stat/{number:02}", value
    yield "affinity", " ".join(map(str, sorted(os.sched_getaffinity(pid))))
    yield "ioprio", hex(LIBC.syscall(IOPRIO_GET, 1, pid))
    yield "policy", str(os.sched_getscheduler(pid))


def _timers(text: str, inner: dict[str, str]) -> Iterator[tuple[str, str]]:
    for block in re.split(r"^ID: ", text, flags=re.M)[1:]:
        number, *rest = block.splitlines()
        for line in rest:
            key, _, value = line.partition(": ")
            who, dot, pid = value.rpartition(".")
            yield f"timers/{number}/{key}", f"{who}{dot}{inner.get(pid, pid)}"


def _mounts(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        head, _, tail = line.partition(" - ")
        _, _, device, root, target, options, *tags = head.split()
        kind, source, more = tail.split(" ", 2)
        key = f"mounts/{target}"
        yield f"{key}/device", device
        yield f"{key}/options", options
        yield f"{key}/propagation", " ".join(re.sub(r":\d+", "", tag) for tag in tags)
        yield f"{key}/root", root
        yield f"{key}/kind", kind
        yield f"{key}/source", source
        yield f"{key}/of-file-system", more


def _memory(root: Path) -> Iterator[tuple[str, str]]:
    with (root / "mem").open("rb", buffering=0) as memory:
        for area in _areas(_text(root / "smaps")):
            key = f"memory/{area.low:x}-{area.high:x}"
            yield f"{key}/rights", area.rights
            yield f"{key}/name", area.name
            for field, value in area.fields.items():
                yield f"{key}/{field}", value
            size = area.high - area.low
            if area.rights[0] == "r" and size <= MOST_READ and area.name not in KERNELS:
                memory.seek(area.low)
                content = memory.read(size)
                if area.name == "[heap]":  # of a static program: the kernel itself writes in its first page
                    yield f"{key}/first-page", digest(content[:PAGE])
                    content = content[PAGE:]
                yield f"{key}/contents", digest(content)


@dataclass
class _Area:
    low: int
    high: int
    rights: str
    offset: int
    name: str
    fields: dict[str, str]

    def goes_on_in(self, other: _Area) -> bool:
        """Whether the kernel might as well have made one of them, as it does when they are mapped anew."""
        one = self.high == other.low and (self.rights, self.name) == (other.rights, other.name)
        return one and (not self.name or self.offset + self.high - self.low == other.offset)


def _areas(text: str) -> list[_Area]:
    head = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) (\S+) (\S+) \d+ *(.*)$", re.M)
    starts, areas = [*head.finditer(text)], list[_Area]()
    for found, after in zip(starts, [*starts[1:], None], strict=True):
        low, high, rights, offset, _, name = found.groups()
        fields = _fields(text[found.end() : after.start() if after else None])
        fields = {key: " ".join(value.split()) for key, value in fields.items()}
        area = _Area(int(low, 16), int(high, 16), rights, int(offset, 16), name, fields)
        if areas and areas[-1].goes_on_in(area):
            area = _joined(areas.pop(), area)
        areas.append(area)
    return areas


def _joined(first: _Area, second: _Area) -> _Area:
    fields = dict(second.fields)
    for key, value in first.fields.items():
        sizes = [re.fullmatch(r"(\d+) kB", text) for text in (value, fields.get(key, ""))]
        if sizes[0] and sizes[1] and "PageSize" not in key:
            fields[key] = f"{int(sizes[0][1]) + int(sizes[1][1])} kB"
    return _Area(first.low, second.high, first.rights, first.offset, first.name, fields)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def shown(content: bytes) -> str:
    """Bytes as text that can be read and compared."""
    return content.decode("utf-8", "backslashreplace").replace("\0", "\\0")


def _fields(text: str) -> dict[str, str]:
    """`key: value` and `key   : value` lines; none unless there are several."""
    pairs = re.findall(r"^([A-Za-z][\w.()&>-]*)[ \t]*:[ \t]*(.*)$", text, re.M)
    return dict(pairs) if len(pairs) > 1 else {}


def _text(path: Path) -> str:
    return shown(_bytes(path))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        return f"<{os.strerror(error.errno or 0)}>".encode()


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError as error:
        return f"<{os.strerror(error.errno or 0)}>"
