"""`reconcile` with a stopwatch on each command it sends: `python -m tests.bench.traced FILE ARGUMENT...`.

FILE gets one JSON object a line. Right before a held source is released, when clients wait no more, what CRIU and
the hold wrote on the hosts is kept too: the retirement that follows removes it.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TextIO

from reconciler.cli.main import run
from reconciler.hosts.ssh.fleet import SshHost
from reconciler.model.command import Command, Result

CRIU_LOGS = ("dump.log", "restore.log", "lazy-pages.log")
_KEEP = r"""
cd /var/lib/containers/storage/overlay-containers || exit 0
for f in */userdata/dump.log */userdata/restore.log */userdata/lazy-pages.log; do
    [ -s "$f" ] && printf '\n@@ log %s %s\n' "${f##*/}" "$(stat -c '%W %.W %.Y' "$f")" && cat "$f"
done
for f in /var/lib/reconciler/workloads/*/hook/*; do
    case $f in *.log|*/log) continue ;; esac
    [ -f "$f" ] && printf '\n@@ file %s %s\n' "${f##*/}" "$(stat -c '%W %.W %.Y' "$f")"
done
true
"""

_run = SshHost._run


def trace(out: TextIO) -> None:
    """Put the stopwatch on."""

    def write(kind: str, **row: object) -> None:
        out.write(json.dumps({"kind": kind, **row}) + "\n")

    async def timed(self: SshHost, command: Command, on_line: object, go: object = None) -> Result:
        if "release" in command.argv[:4]:
            for name in sorted(self._fleet._hosts):
                kept = await _run(self._fleet.host(name), Command(("/bin/sh", "-c", _KEEP)), None)
                write("kept", host=name, text=kept.stdout)
        began = time.time()
        status = None
        try:
            result = await _run(self, command, on_line, go)  # type: ignore[arg-type]
            status = result.status
            return result
        finally:
            argv = [word[:120] for word in command.argv]
            write("command", host=self.name, argv=argv, began=began, ended=time.time(), status=status)

    SshHost._run = timed  # type: ignore[method-assign]


def main() -> int:
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        trace(out)
        return run(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
