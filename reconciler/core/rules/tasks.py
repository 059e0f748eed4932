"""What processes and threads are to each other and to the kernel that CRIU cannot make again, or forgets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
    for what, programs in _by_kind(case.held.shares if case.held else (), _WORDS).items():
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
    for what, programs in _by_kind(case.held.apart if case.held else (), _WORDS).items():
        yield Said(
            f"threads of {together(programs)} have {_WORDS[what]} of their own, which a move would lose",
            "let the program use processes for that (Samba: aio max threads = 0), or make the workload anew on the"
            " destination",
            host=case.origin,
        )


@rule("process.timers")
def timers(case: Case) -> Iterator[Said]:
    """A program has a timer that signals one of its threads (`timer_create` with SIGEV_THREAD_ID, which is also
    how the C library makes SIGEV_THREAD). CRIU notes the thread by its number on the host, and the restore fails
    after the freeze (\"Can't create posix timer\")."""
    if case.held and case.held.thread_timers:
        yield Said(
            f"{together(case.held.thread_timers)} has a timer that signals one thread; CRIU cannot make it again",
            "let the program use a timerfd or SIGEV_SIGNAL; profilers that sample by such timers: switch them off",
            host=case.origin,
        )


@rule("process.deadline")
def deadline(case: Case) -> Iterator[Said]:
    """A thread is scheduled by deadline (SCHED_DEADLINE). CRIU knows no such class, and the restore fails after
    the freeze (\"Inconsistent sched params\")."""
    if case.held and case.held.deadlines:
        yield Said(
            f"{together(case.held.deadlines)} is scheduled by deadline, which CRIU cannot set again",
            "give it another class for the move: chrt --other --pid 0 PID, on its host",
            host=case.origin,
        )


@rule("process.leases")
def leases(case: Case) -> Iterator[Said]:
    """A program has leased a file for writing (F_SETLEASE with F_WRLCK, as Samba does for its clients' oplocks),
    or is being asked to give a lease back. Who copies the file breaks the lease, and has to wait for a program
    that is frozen: the move fails after the freeze."""
    if case.held and case.held.leases:
        yield Said(
            f"{together(case.held.leases)} has leased files for writing, and copying them would break the leases",
            "switch the program's leases off (Samba: kernel oplocks = no), or end the sessions that hold them",
            host=case.origin,
        )


@rule("process.forgotten", warns=True)
def forgotten(case: Case) -> Iterator[Said]:
    """Something is set that CRIU does not save and nobody can set for the program: keys in its keyring, undo of
    semaphores (SEM_UNDO), an execution domain (`setarch`, `personality`), memory that is to be merged or kept in
    memory from now on (`mlockall` with MCL_FUTURE, MLOCK_ONFAULT), files that never had a name (O_TMPFILE) and
    could still be given one."""
    for what, programs in _by_kind(case.held.forgotten if case.held else (), _FORGOTTEN).items():
        whose = f" ({together(sorted(filter(None, programs)))})" if any(programs) else ""
        yield Said(f"{_FORGOTTEN[what]}{whose}", _AFTERWARDS, host=case.origin)


_WORDS = {"memory": "memory", "folder": "working folder and umask", "files": "open files"}
_FORGOTTEN = {
    "keys": "keys in the container's keyring do not move along",
    "undo": "System V semaphores do not go back by themselves (SEM_UNDO) for processes that end after the move",
    "personality": "what it was started with by setarch, or has set by personality(2), is the default again",
    "merging": "memory that was to be merged with its like (PR_SET_MEMORY_MERGE) no longer is",
    "lock-all": "memory that it takes after the move is not locked any more (mlockall with MCL_FUTURE)",
    "lock-on-fault": "memory that was to be locked when it is touched (MLOCK_ONFAULT) is taken and locked at once",
    "unnamed-file": "open files without a name (O_TMPFILE) move along, and cannot be given a name any more",
}
_AFTERWARDS = "see whether the program minds; restart it after the move if it does"


def _by_kind(rows: tuple[str, ...], known: Mapping[str, str]) -> dict[str, list[str]]:
    """`WHAT [PROGRAM]` of each, by WHAT; one that is not known here says nothing."""
    found: dict[str, list[str]] = {}
    for what, _, program in (row.partition(" ") for row in rows):
        if what in known:
            found.setdefault(what, []).append(program)
    return found
