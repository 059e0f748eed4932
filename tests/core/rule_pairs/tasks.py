"""What processes and threads share."""

from tests.core.rule_scene import Scene, held

PAIRS: dict[str, tuple[Scene, Scene]] = {
    "process.leaderless": (Scene(has=held(leaderless=("java",))), Scene(has=held(programs=("java",)))),
    "process.shares": (Scene(has=held(shares=("memory app",))), Scene(has=held(shares=()))),
    "process.apart": (Scene(has=held(apart=("folder smbd", "files smbd"))), Scene(has=held(shares=("folder x",)))),
}
