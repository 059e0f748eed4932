"""How processes and threads share what they have, where CRIU takes for granted that they do not, or do."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.rules.base import Case, Said, rule, together


@rule("process.leaderless")
def leaderless(case: Case) -> Iterator[Said]:
    """The first thread of a process has ended (`pthread_exit` in `main`) while others live on. CRIU saves a
    process through its first thread: the dump fails (\"Zombies with threads are not supported\")."""
    if case.held and case.held.leaderless:
        yield Said(
            f"the first thread of {together(case.held.leaderless)} has ended while others live on",
            "let the program's main function wait for its threads (pthread_join) instead of ending; restart it",
            host=case.origin,
        )


@rule("process.shares")
def shares(case: Case) -> Iterator[Said]:
    """Two processes share their memory (`clone` with CLONE_VM, a `vfork` whose child does not go on) or their
    working folder and umask (CLONE_FS), still so after a second look. CRIU saves those for each process by
    itself: the dump fails (\"Can't make VM id\"), and with a child of `vfork` only after ten seconds of freeze."""
    for what, programs in _by_kind(case.held.shares if case.held else ()).items():
        yield Said(
            f"{together(programs)} shares its {_WORDS[what]} with the process that started it",
            "plan again: a program that is being started does so for an instant; one that stays so has to use"
            " threads, or fork",
            host=case.origin,
        )


@rule("process.apart")
def apart(case: Case) -> Iterator[Said]:
    """A thread has a working folder and umask, or open files, of its own (`unshare` with CLONE_FS or CLONE_FILES;
    Samba's threads do so). CRIU saves those of the first thread only: after a move all threads would be in its
    folder, or lose their files, without a word."""
    for what, programs in _by_kind(case.held.apart if case.held else ()).items():
        yield Said(
            f"threads of {together(programs)} have {_WORDS[what]} of their own, which a move would lose",
            "let the program use processes for that (Samba: aio max threads = 0), or make the workload anew on the"
            " destination",
            host=case.origin,
        )


_WORDS = {"memory": "memory", "folder": "working folder and umask", "files": "open files"}


def _by_kind(rows: tuple[str, ...]) -> dict[str, list[str]]:
    """`WHAT PROGRAM` of each, by WHAT; one that is not known here says nothing."""
    found: dict[str, list[str]] = {}
    for what, _, program in (row.partition(" ") for row in rows):
        if what in _WORDS:
            found.setdefault(what, []).append(program)
    return found
