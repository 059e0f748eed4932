"""What is done to the outputs of the program under test, from within its process."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

ROOM = 1 << 20


def close_output(argument: str) -> None:
    """The reader goes away: a CI runner that dies, `| head`."""
    read, write = os.pipe()
    os.close(read)
    _become(write)


def full_output(argument: str) -> None:
    """Output goes to a disk that is full."""
    _become(os.open("/dev/full", os.O_WRONLY))


def block_output(argument: str) -> None:
    """Ctrl-S, or a reader that does not read, for so many seconds."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while os.write(write, b"\0" * 65536):
            pass
    except BlockingIOError:
        os.set_blocking(write, True)
    _become(write)

    def read_on() -> None:
        time.sleep(float(argument))
        while os.read(read, ROOM):
            pass

    threading.Thread(target=read_on, daemon=True).start()


def _become(fd: int) -> None:
    for output in (1, 2):
        os.dup2(fd, output)
    os.close(fd)


OUTPUTS: dict[str, Callable[[str], None]] = {
    blow.__name__: blow for blow in (close_output, full_output, block_output)
}
