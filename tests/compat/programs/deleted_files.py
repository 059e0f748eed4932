"""Keeps deleted files open: small ones, one in a deleted folder, and one of as many KiB as the argument."""

import os
import sys

from answers import serve


def deleted(name: str, content: bytes) -> int:
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT)
    os.write(descriptor, content)
    os.unlink(name)
    return descriptor


size = int(sys.argv[1]) * 1024 if len(sys.argv) > 1 else 200 * 1024
contents = {f"/tmp/gone{i}": os.urandom(1024 * i + 1) for i in range(5)} | {"/data/gone": os.urandom(size)}
files = {name: deleted(name, content) for name, content in contents.items()}
os.makedirs("/tmp/folder")
inside = deleted("/tmp/folder/file", b"inside")
os.rmdir("/tmp/folder")
asked = 0


def look() -> tuple[int, str]:
    global asked
    asked += 1
    for name, descriptor in files.items():
        if os.pread(descriptor, len(contents[name]) + 1, 0) != contents[name] or os.path.exists(name):
            return asked, f"{name} is not what it was"
        os.pwrite(descriptor, contents[name], 0)
    if os.pread(inside, 9, 0) != b"inside":
        return asked, "the file of a deleted folder is lost"
    return asked, "ok"


serve(look)
