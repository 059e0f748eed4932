"""A process whose memory follows it (templates/criu/serve.py): what CRIU restores, played by a program of its own
with a real userfaultfd, that does with its memory what it is told."""

from __future__ import annotations

import platform
import select
import subprocess
import sys
from pathlib import Path

import pytest

TASK, BASE, PAGE = 77, 0x7A0000000000, 4096
FINISHED = 0x52535446
CALLS = {"x86_64": (323, 25), "aarch64": (282, 216)}
"""userfaultfd and mremap, by machine."""
PROGRAM = f"""
import ctypes, fcntl, os, socket, struct, sys, time, zlib
home, size, USERFAULTFD, MREMAP = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
BASE, PAGE = {BASE}, {PAGE}
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = libc.mmap.restype = ctypes.c_long
word = ctypes.c_long
held = libc.syscall(word(USERFAULTFD), word(os.O_CLOEXEC | os.O_NONBLOCK))
if held < 0:
    sys.exit(9)
FEATURES = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 6  # fork, remap, remove, unmap
fcntl.ioctl(held, 0xc018aa3f, struct.pack("QQQ", 0xaa, FEATURES, 0))
made = libc.mmap(word(BASE), word(size), 3, 0x100022, -1, word(0))
assert made == BASE, ctypes.get_errno()
fcntl.ioctl(held, 0xc020aa00, struct.pack("QQQQ", BASE, size, 1, 0))
os.chdir(home)
keeper = socket.socket(socket.AF_UNIX)
keeper.connect("lazy-pages.socket")
keeper.send(struct.pack("i", {TASK}))
socket.send_fds(keeper, [b"x"], [held])
os.close(held)

def done(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "failed")

def sums(at, count):
    return zlib.crc32(ctypes.string_at(at, count * PAGE))

for line in sys.stdin:
    verb, *rest = line.split()
    first, count, other = [int(word) for word in rest + ["0"] * (3 - len(rest))]
    at, to = BASE + PAGE * first, BASE + PAGE * other
    answer = 0
    if verb == "over":
        keeper.send(struct.pack("I", {FINISHED}))
        keeper.close()
    elif verb == "sum":
        answer = sums(at, count)
    elif verb == "set":
        ctypes.memset(at, count, PAGE)
    elif verb == "unmap":
        done(libc.munmap(word(at), word(count * PAGE)))
    elif verb == "empty":
        done(libc.madvise(word(at), word(count * PAGE), 4))
    elif verb == "move":
        done(libc.syscall(word(MREMAP), word(at), word(count * PAGE), word(count * PAGE), word(3), word(to)))
    elif verb == "fork":  # its child says the sum
        child = os.fork()
        if not child:
            time.sleep(count / 1000)
            print(sums(at, other), flush=True)
            os._exit(0)
        continue
    print(answer, flush=True)
"""


class Restored:
    """It runs. `pages`: how many are its, from `BASE` on."""

    def __init__(self, home: Path, pages: int) -> None:
        calls = [str(number) for number in CALLS[platform.machine()]]
        argv = [sys.executable, "-c", PROGRAM, str(home), str(pages * PAGE), *calls]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def say(self, verb: str, *numbers: int) -> None:
        assert self.process.stdin
        self.process.stdin.write(" ".join([verb, *map(str, numbers)]).encode() + b"\n")

    def answers(self, within: float) -> bool:
        """Whether it says something before the time is up; else it waits for memory."""
        assert self.process.stdout
        return bool(select.select([self.process.stdout], [], [], within)[0])

    def answer(self) -> int:
        if not self.answers(30):
            raise AssertionError("it waits for memory")
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line and self.process.wait() == 9:
            pytest.skip("nobody may have a userfaultfd here")
        return int(line)

    def do(self, verb: str, *numbers: int) -> int:
        self.say(verb, *numbers)
        return self.answer()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()
