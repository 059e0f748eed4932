"""Looking into programs that serve nobody: a command in the container, before and after each move."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.compat.clients import Lost

Run = Callable[[str], str]
"""Run a shell command in the container, wherever it is, and return what it prints."""


class Inside:
    """What a look must find. `look` returns a number that must grow from look to look."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def look(self) -> int:
        raise NotImplementedError


class Pipeline(Inside):
    def look(self) -> int:
        if broken := self.run("cat /tmp/broken 2>/dev/null || true"):
            raise Lost(broken.splitlines()[0])
        return int(self.run("cat /tmp/last") or 0)


class Tmux(Inside):
    """The last line of the terminal: `count NUMBER PID`."""

    shell = ""

    def look(self) -> int:
        seen = re.findall(r"^count (\d+) (\d+)$", self.run("tmux capture-pane -p"), re.MULTILINE)
        if not seen:
            raise Lost("nothing is on the terminal")
        number, shell = seen[-1]
        if self.shell and shell != self.shell:
            raise Lost("it is another shell than before")
        self.shell = shell
        return int(number)


class InotifyFile(Inside):
    """Writes one more file into the folder and waits until the watcher has told of it."""

    written = 0

    def look(self) -> int:
        self.written += 1
        name = f"file{self.written}"
        wait = f"for i in 1 2 3 4 5 6 7 8 9 10; do grep -qx {name} /tmp/seen && break; sleep 0.2; done 2>/dev/null"
        told = self.run(f"echo x > /data/{name}; {wait}; cat /tmp/seen || true").split()
        if told.count(name) != 1:
            raise Lost(f"the watch told of {name} {told.count(name)} times")
        return self.written
