"""Holds every kind of file lock, in one process while another tries to take them."""

import fcntl
import os

from answers import serve

PATHS = ["/data/flock", "/data/posix", "/tmp/flock", "/tmp/posix"]
files = [os.open(path, os.O_RDWR | os.O_CREAT) for path in PATHS]
ask_out, ask_in = os.pipe()
say_out, say_in = os.pipe()
if os.fork() == 0:
    for file in files:
        os.close(file)
    while os.read(ask_out, 1):
        free = b"held"
        for path in PATHS:
            file = os.open(path, os.O_RDWR)
            try:
                take = fcntl.flock if path.endswith("flock") else fcntl.lockf
                take(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                free = b"free"
            except OSError:
                pass
            os.close(file)
        os.write(say_in, free)
    os._exit(0)
for path, file in zip(PATHS, files, strict=True):
    (fcntl.flock if path.endswith("flock") else fcntl.lockf)(file, fcntl.LOCK_EX)
asked = 0


def look() -> tuple[int, str]:
    global asked
    asked += 1
    os.write(ask_in, b"x")
    return asked, "ok" if os.read(say_out, 4) == b"held" else "a lock is free"


serve(look)
