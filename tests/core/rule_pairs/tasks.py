"""What processes and threads share."""

from tests.core.rule_scene import Scene, held

PAIRS: dict[str, tuple[Scene, Scene]] = {
    "process.leaderless": (Scene(has=held(leaderless=("java",))), Scene(has=held(programs=("java",)))),
    "process.shares": (Scene(has=held(shares=("memory app",))), Scene(has=held(shares=()))),
    "process.apart": (Scene(has=held(apart=("folder smbd", "files smbd"))), Scene(has=held(shares=("folder x",)))),
    "process.timers": (Scene(has=held(thread_timers=("qemu",))), Scene(has=held(programs=("qemu",)))),
    "process.deadline": (Scene(has=held(deadlines=("jackd",))), Scene(has=held())),
    "process.leases": (Scene(has=held(leases=("smbd",))), Scene(has=held())),
    "process.forgotten": (
        Scene(has=held(forgotten=("keys", "lock-all app"))),
        Scene(has=held(forgotten=("what no release before knew",))),
    ),
}
