"""A store that is a folder on a host: FOLDER/WORKLOAD/ID with the files of a checkpoint and, last of all, its
manifest. It has that name only once it is whole; one that is being made, copied or removed is
`.ID.….part`, never listed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.core import answers
from reconciler.core.checkpoints import with_manifest
from reconciler.model.checkpoint import Kept, KeptAt, KeptFile, KeptRehearsal, KeptTree, Manifest
from reconciler.model.command import Bytes, Command, Program, Seconds, Tree
from reconciler.model.handover import Located
from reconciler.resources import host_script
from reconciler.stores import noting

LIMIT: Seconds = 4 * 3600.0
"""For what reads or writes all of a checkpoint."""


def shell(name: str, *arguments: str) -> tuple[str, ...]:
    """The argument list that runs a script of stores."""
    return ("/bin/sh", "-c", host_script("store", name), name, *arguments)


def part_of(folder: str, writer: int | None = None) -> str:
    """Where a checkpoint is until it is whole, for the run of that ID. `folder`: its own, .../WORKLOAD/ID;
    `writer`: which of several controllers of one run writes it."""
    parent, _, name = folder.rpartition("/")
    return f"{parent}/.{name}{'' if writer is None else f'.{writer}'}.part"


def part_by(folder: str, run: str) -> str:
    """The same for a run that copies it: others may copy it there, too."""
    parent, _, name = folder.rpartition("/")
    return f"{parent}/.{name}.by-{run}.part"


def begin(part: str) -> Program[Bytes]:
    """An empty folder; how many bytes are free there."""
    said = yield Command(shell("begin", part), changes=True)
    _, _, free = said.stdout.strip().partition(" ")
    return answers.number(free, "the free space of a store")


def pack(part: str, images: str, *, plain: bool = False) -> Program[tuple[KeptFile, ...]]:
    """Make the files of a checkpoint from what was captured in the folder, and from the images of memory. `plain`:
    not compressed, for a store that finds again what it has of them."""
    said = yield Command(shell("pack", part, images, *(("plain",) if plain else ())), timeout=LIMIT, changes=True)
    return tuple(_files(said.stdout))


def _files(text: str) -> Iterator[KeptFile]:
    for line in text.splitlines():
        words = line.split(" ")
        if words[0] == "packed" and len(words) == 4:
            size = answers.number(words[2], "the size of a file")
            try:
                yield KeptFile(name=words[1], bytes=size, sha256=words[3])
            except ValueError:
                raise answers.refused(line, "a file of a checkpoint", "its name, size and digest") from None


def trees_of(located: Located) -> tuple[KeptTree, ...]:
    """As a manifest names them, in the order of their files."""
    return tuple(_kept(tree) for tree in located.trees if tree.kind != "images")


def _kept(tree: Tree) -> KeptTree:
    return KeptTree(kind="rootfs" if tree.kind == "rootfs" else "volume", target=tree.name)


def seal(part: str, folder: str, manifest: Manifest, *, replaces: bool = False) -> Program[None]:
    """All files are there: the checkpoint gets its manifest and its name. `replaces`: also where one has it, which
    goes."""
    text = f"{manifest.text}\n".encode()
    words = ("replace",) if replaces else ()
    yield Command(shell("seal", part, folder, *words), stdin=text, changes=True)


def discard(folder: str) -> Program[None]:
    """Remove a checkpoint, also one that is not whole."""
    yield Command(shell("change", "remove", folder), timeout=LIMIT, changes=True)


def drop(part: str) -> Program[None]:
    """Remove one half of a checkpoint; what is whole stays."""
    yield Command(shell("change", "drop", part), timeout=LIMIT, changes=True)


def copy_files(folder: str, part: str, files: Iterable[KeptFile]) -> Program[None]:
    """The files of a checkpoint into another folder of the same host, and onto its disk."""
    paths = tuple(f"{folder}/{file.name}" for file in files)
    yield Command(("cp", "--", *paths, f"{part}/"), timeout=LIMIT, changes=True)
    yield Command(("sync", "-f", part), timeout=LIMIT, changes=True)


def manifest_text(folder: str) -> Program[str]:
    """The manifest of one checkpoint as it is there; empty where there is none."""
    said = yield Command(("cat", f"{folder}/manifest.json"), ok=(0, 1))
    return said.stdout


def tidy(folder: str) -> Program[None]:
    """Remove halves of one checkpoint that its run has left; what is whole stays."""
    yield Command(shell("change", "tidy", folder), timeout=LIMIT, changes=True)


def pin(folder: str, *, on: bool) -> Program[None]:
    yield Command(shell("change", "pin" if on else "unpin", folder), changes=True)


def note(folder: str, done: KeptRehearsal) -> Program[None]:
    """That it was rehearsed; what was noted before is forgotten."""
    yield Command(shell("change", "rehearsed", folder, noting.word_of(done)), changes=True)


def listed(at: KeptAt, workload: str = "", newest: int = 0, until: str = "") -> Program[tuple[Kept, ...]]:
    """Every whole checkpoint of the store, also those whose manifest cannot be used; or the newest of each,
    of those with IDs up to `until`, as many of what comes after, and the last that were rehearsed."""
    said = yield Command(shell("list", at.folder, workload or "*", str(newest), until))
    return tuple(_kept_in(at, line) for line in said.stdout.split("\n") if line)


def _kept_in(at: KeptAt, line: str) -> Kept:
    parts = line.split(" ", 4)
    if len(parts) != 5:
        raise answers.refused(line, "a checkpoint of a store", "its name, ID, notes and manifest")
    workload, found, pin_word, noted, text = parts
    seen = Kept(at, workload, found, pin_word == "pinned", rehearsed=noting.rehearsal_of(noted))
    return with_manifest(seen, text)


def wrong(folder: str, files: Iterable[KeptFile]) -> Program[tuple[str, ...]]:
    """What of the files is not as it was packed, in words; all is read."""
    wanted = {file.name: file for file in files}
    said = yield Command(shell("sums", folder, *wanted), timeout=LIMIT)
    now = dict(line.split(" ", 1) for line in said.stdout.splitlines() if " " in line)
    bad = []
    for name, file in wanted.items():
        have = now.get(name, "missing")
        if have == "missing":
            bad.append(f"{name} is missing")
        elif have != f"{file.bytes} {file.sha256}":
            bad.append(f"{name} is damaged")
    return tuple(bad)


def look(folder: str, trees: int) -> Program[str]:
    """What a checkpoint tells without its memory; see templates/store/look.sh."""
    return (yield Command(shell("look", folder, *_numbers(trees)), timeout=LIMIT)).stdout


def _numbers(trees: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(1, trees + 1))


def slices(folder: str, asked: str) -> Program[str]:
    """Parts of its memory, a line of base64 for each line that asks; see templates/store/slices.sh."""
    if not asked:
        return ""
    return (yield Command(shell("slices", folder), stdin=asked.encode(), timeout=LIMIT)).stdout


def lay(folder: str, out: str, archives: Iterable[str], *lines: str) -> Program[str]:
    """Make ready, in a new folder, what an archive for others has; see templates/store/lay.sh. What
    such an archive cannot tell of its root filesystem, in words; empty when it can."""
    stdin = "".join(f"{line}\n" for line in lines).encode()
    argv = shell("lay", folder, out, *archives)
    said = yield Command(argv, stdin=stdin, timeout=LIMIT, changes=True, ok=(0, 4), secret=True)
    return said.stderr.strip() if said.status == 4 else ""


def sending(out: str) -> tuple[str, ...]:
    """The argument list of what prints the archive."""
    return shell("send", out)


def taking(part: str, trees: int) -> tuple[str, ...]:
    """The argument list of what makes a checkpoint of others' from standard input, to be packed; see
    templates/store/take.sh."""
    return shell("take", part, *_numbers(trees))


def taken_images(part: str) -> str:
    """Where `taking` has the images of memory."""
    return f"{part}/in/images"


def clear(out: str) -> Program[None]:
    """Remove what was made on the way."""
    yield Command(("rm", "-rf", "--", out), timeout=LIMIT, changes=True)


def unpack(folder: str, trees: Iterable[KeptTree], located: Located) -> Program[None]:
    """Lay a checkpoint out where a workload was staged, each tree where it belongs."""
    by_place = {(str(tree.kind), tree.target): number for number, tree in enumerate(trees, 1)}
    for tree in located.trees:
        if tree.kind == "images":
            yield Command(shell("unpack", folder, tree.path, "images"), timeout=LIMIT, changes=True)
            continue
        number = by_place[tree.kind if tree.kind == "rootfs" else "volume", tree.name]
        yield from unpack_tree(folder, number, tree.path)


def unpack_tree(folder: str, number: int, target: str) -> Program[None]:
    """One tree of a checkpoint, by its number from 1 on, in a folder that is there. What is in it goes."""
    yield Command(shell("unpack", folder, target, "tree", str(number)), timeout=LIMIT, changes=True)


def settled(located: Located) -> Program[None]:
    """Wait until nobody lays out anything there any more: what a controller that has died began goes on."""
    yield Command(shell("settle", *(tree.path for tree in located.trees)), timeout=LIMIT)
