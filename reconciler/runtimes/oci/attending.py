"""What a person is shown of a container: its log, and commands beside its processes."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.runtimes.base import LogWish
from reconciler.runtimes.oci.engine import Engine


class EngineAttends(Engine):
    """The ability `attends`."""

    def logs(self, workload: str, wish: LogWish) -> tuple[str, ...]:
        options = [
            *(("--tail", str(wish.tail)) if wish.tail is not None else ()),
            *(("--since", wish.since) if wish.since else ()),
            *(("--follow",) if wish.follow else ()),
            *(("--timestamps",) if wish.timestamps else ()),
        ]
        return self.command("container logs", workload, options=options)

    def enter(
        self, workload: str, words: Sequence[str], *, stdin: bool, terminal: bool, user: str
    ) -> tuple[str, ...]:
        options = [
            *(("--interactive",) if stdin else ()),
            *(("--tty",) if terminal else ()),
            *(("--user", user) if user else ()),
        ]
        return (*self.command("container exec", workload, options=options), *words)
