# persist.py room|write HOME RUN, or back HOME RUN: keep the images of HOME/checkpoint, whose memory follows to another host,
# on this host's disk in HOME/persisted, and put them in their place again after it has lost power. For persist.sh.
#
# `persisted/sums` has a line for each part that is on disk, written after the part is: what a loss of power leaves of it
# is true. Parts are written from the end, for memory is sent from its beginning: what was sent and what was written
# meet. Only parts whose sums agree are put back; `from-disk` says which, and `partial` that it was not all.
import errno
import json
import os
import subprocess
import sys
import time
import zlib
from contextlib import suppress

PAGE, PART, PIECE = 4096, 16 << 20, 1 << 20
SPARE = 256 << 20  # bytes of disk that are left to others
NO_ROOM, NOTHING = 4, 66


def sealed(what):
    text = json.dumps(what)
    return b"%s %08x\n" % (text.encode(), zlib.crc32(text.encode()))


def opened(line):
    """What was sealed; None where it is torn."""
    text, _, told = line.rpartition(b" ")
    try:
        return json.loads(text) if line.endswith(b"\n") and int(told, 16) == zlib.crc32(text) else None
    except ValueError:
        return None


def is_pages(name):
    return name.startswith("pages-") and name.endswith(".img")


def put(name, text):
    """For others, and whole."""
    with open(name + ".new", "w") as out:
        out.write("%s\n" % text)
    os.rename(name + ".new", name)


def synced(path):
    """A file or folder."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def files_of(folder):
    """Names in it, from there on, and sizes."""
    for here, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(here, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield os.path.relpath(path, folder), os.path.getsize(path)


def refuse_without_room():
    """The disk of others must not be filled for what may never be needed."""
    disk, needed = os.statvfs("."), sum(size for _, size in files_of("checkpoint"))
    free = disk.f_bavail * disk.f_frsize
    if os.stat("checkpoint").st_dev != os.stat(".").st_dev and free < needed + SPARE:
        print("%d bytes of disk are free, and %d needed" % (free, needed + SPARE), file=sys.stderr)
        sys.exit(NO_ROOM)


def crc_of(file, at, length, room, out=None):
    """Of a part, which is written as well; None where there is less."""
    crc, end = 0, at + length
    while at < end:  # ends with the part, or the file
        got = os.preadv(file, [memoryview(room)[: end - at]], at)
        if not got:
            return None
        piece = memoryview(room)[:got]
        crc = zlib.crc32(piece, crc)
        while out is not None and piece:  # ends by what was written
            written = os.pwrite(out, piece, at + got - len(piece))
            piece = piece[written:]
        at += got
    return crc


def write(run):
    os.nice(19)
    os.makedirs("persisted", 0o700, exist_ok=True)  # persist.sh has laid out all but pages
    sizes, room, done = dict(files_of("checkpoint")), bytearray(PIECE), 0
    total, pages = sum(sizes.values()), sorted(filter(is_pages, sizes))
    sums = os.open("persisted/sums", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    os.write(sums, sealed({"run": run, "sizes": sizes}))
    for name in sorted(set(sizes) - set(pages)):
        file = os.open("persisted/" + name, os.O_RDONLY)
        crc = crc_of(file, 0, sizes[name], room)
        os.fsync(file)
        os.close(file)
        if crc is None:
            sys.exit("%s has become shorter" % name)
        os.write(sums, sealed([name, 0, sizes[name], crc]))
        done += sizes[name]
    outs = {}
    for name in pages:
        try:  # on disk already, where there was too little memory
            os.link("checkpoint/" + name, "persisted/" + name)
            synced("persisted/" + name)
        except OSError:
            outs[name] = os.open("persisted/" + name, os.O_WRONLY | os.O_CREAT, 0o600)
            os.ftruncate(outs[name], sizes[name])
    for here, _, _ in os.walk("persisted"):
        synced(here)
    synced(".")
    os.fsync(sums)
    for name in reversed(pages):
        file, out = os.open("checkpoint/" + name, os.O_RDONLY), outs.get(name)
        for at in range((sizes[name] - 1) // PART * PART, -1, -PART):
            put("persist.disk", "%d %d" % (done, total))
            if not os.path.exists("persist.pid"):
                sys.exit("it was ended")
            length = min(PART, sizes[name] - at)
            crc = crc_of(file, at, length, room, out)
            if crc is None:
                sys.exit("%s has become shorter" % name)
            if out is not None:
                os.fdatasync(out)
                os.posix_fadvise(out, at, length, os.POSIX_FADV_DONTNEED)  # memory is for others
            os.write(sums, sealed([name, at, length, crc]))
            os.fdatasync(sums)
            done += length
        os.close(file)
    os.write(sums, sealed("whole"))
    os.fsync(sums)
    put("persist.disk", "%d %d" % (done, total))


def told(run):
    """The sizes of all files of this run's images, and the parts of each that were written."""
    sizes, parts = None, {}
    with suppress(FileNotFoundError), open("persisted/sums", "rb") as sums:
        for line in sums:
            said = opened(line)
            if said is None:
                break  # torn, and so is what follows
            if isinstance(said, dict):
                sizes = said["sizes"] if said["run"] == run else None
            elif isinstance(said, list):
                parts.setdefault(said[0], []).append(said[1:])
    if not sizes:
        print("none of its images are on disk", file=sys.stderr)
        sys.exit(NOTHING)
    return sizes, parts


def back(run):
    """What is there again is said, in bytes, and what of it should be."""
    sizes, parts = told(run)
    room, have, found = bytearray(PIECE), {}, 0
    for name, size in sizes.items():
        good = have.setdefault(name, [])
        with suppress(FileNotFoundError):
            file = os.open("persisted/" + name, os.O_RDONLY)
            for at, length, crc in sorted(parts.get(name, [])):
                if crc_of(file, at, length, room) == crc:
                    good.append([at, length])
                    found += length
            os.close(file)
        if not is_pages(name) and sum(length for _, length in good) != size:
            print("%s is not on disk as it was" % name, file=sys.stderr)
            sys.exit(NOTHING)
    if found < sum(sizes.values()):
        put("persisted/partial", "")
    put("persisted/from-disk", json.dumps({name: good for name, good in have.items() if is_pages(name)}))
    synced("persisted/from-disk")
    synced("persisted")
    put("persist.disk", "%d %d" % (found, sum(sizes.values())))
    if os.path.isdir("checkpoint"):  # what is not surely on disk, or nothing
        os.rename("checkpoint", "persisted/was.%d" % time.time_ns())
    os.rename("persisted", "checkpoint")
    synced(".")


how, home, run = sys.argv[-3:]
os.chdir(home)
if how == "room":
    refuse_without_room()
elif how == "back":
    back(run)
else:
    try:
        write(run)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            subprocess.call(["rm", "-rf", "persisted"])
        raise
