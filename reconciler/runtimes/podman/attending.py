"""What a person is shown of a container: its log, and commands beside its processes."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.runtimes.base import LogWish


def logs(workload: str, wish: LogWish) -> tuple[str, ...]:
    options = [
        *(("--tail", str(wish.tail)) if wish.tail is not None else ()),
        *(("--since", wish.since) if wish.since else ()),
        *(("--follow",) if wish.follow else ()),
        *(("--timestamps",) if wish.timestamps else ()),
    ]
    return ("podman", "container", "logs", *options, "--", workload)


def enter(workload: str, words: Sequence[str], *, stdin: bool, terminal: bool, user: str) -> tuple[str, ...]:
    options = [
        *(("--interactive",) if stdin else ()),
        *(("--tty",) if terminal else ()),
        *(("--user", user) if user else ()),
    ]
    return ("podman", "container", "exec", *options, "--", workload, *words)
