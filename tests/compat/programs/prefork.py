"""Processes of many kinds: forked workers with pipes, a session of its own, a zombie, a stopped one, an orphan."""

import os
import signal
import time

from answers import serve

WORKERS = 6


def worker() -> tuple[int, int, int]:
    """A child that answers each byte with how many it has seen; PID, write end, read end."""
    ask_out, ask_in = os.pipe()
    say_out, say_in = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        seen = 0
        while os.read(ask_out, 1):
            seen += 1
            os.write(say_in, b"%08d" % seen)
        os._exit(0)
    return pid, ask_in, say_out


workers = [worker() for _ in range(WORKERS)]
zombie = os.fork()
if zombie == 0:
    os._exit(7)
stopped = os.fork()
if stopped == 0:
    os.kill(os.getpid(), signal.SIGSTOP)
    os._exit(9)
child = os.fork()
if child == 0:
    if os.fork() == 0:
        time.sleep(100000)  # an orphan, adopted by the container's first process
    os._exit(0)
os.waitpid(child, 0)
time.sleep(0.2)
asked = 0


def kind(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def look() -> tuple[int, str]:
    global asked
    asked += 1
    for pid, ask_in, say_out in workers:
        os.write(ask_in, b"x")
        if int(os.read(say_out, 8)) != asked or os.getpgid(pid) != pid:
            return asked, f"worker {pid} is not who it was"
    if (kind(zombie), kind(stopped)) != ("Z", "T"):
        return asked, f"a zombie is {kind(zombie)}, a stopped process {kind(stopped)}"
    return asked, "ok"


serve(look)
