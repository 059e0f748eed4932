"""What trees of processes need on their hosts."""

from reconciler.model.attach import FoundTree
from reconciler.model.plan import ChangeKind
from tests.core.rule_scene import APP, Scene


def files(digest: str) -> dict:
    return {"preflight": {"files": {"/lib/libc.so.6": digest}}}


IP = "10.77.0.100"
ATTACH = {"pidfile": "/run/app.pid", "addresses": [{"ip": IP, "card": "e0"}], "folders": ["/srv/app"]}
DAEMON = {"command": [], "attach": ATTACH}
THERE = {"preflight": {"tree": {"cards": ("e0",)}}}


def found(**facts: object) -> dict:
    """What runs of it, as it is attached to."""
    return {"attached": True, "found": FoundTree(pid=77, program="app", **facts)}


def attaching(problem: str) -> Scene:
    here = {"preflight": {"found": {"web": FoundTree(pid=77, problem=problem)}}}
    return Scene(process=DAEMON, kind=ChangeKind.CREATE, there=here)


LIBRARY = {"mapped": ("/lib/libc.so.6",)}
PAIRS: dict[str, tuple[Scene, Scene]] = {
    "tree.files": (
        Scene(process={}, has=LIBRARY, here=files("1"), there=files("2")),
        Scene(process={}, has=LIBRARY, here=files("1"), there=files("1")),
    ),
    "tree.mounts": (
        Scene(process={"mounts": APP}, there={"preflight": {"paths": {"/srv/app": ""}}}),
        Scene(process={"mounts": APP}, there={"preflight": {"paths": {"/srv/app": "ext4"}}}),
    ),
    "tree.boot": (
        Scene(process={"startAtBoot": True}, there={"settings": {"process": ("boots-nothing",)}}),
        Scene(process={"startAtBoot": True}, there={"settings": {"process": ("cron",)}}),
    ),
    "tree.host-network": (
        Scene(process={"hostNetwork": True}),
        Scene(process={"hostNetwork": True}, policy={"tcp": "close"}),
    ),
    "attach.found": (attaching("restarts app.service always"), attaching("")),
    "attach.tree": (
        Scene(process=DAEMON, has=found(strays=(78,)), there=THERE),
        Scene(process=DAEMON, has=found(), there=THERE),
    ),
    "attach.files": (
        Scene(process=DAEMON, has=found(writes=("/var/log/app.log",)), there=THERE),
        Scene(process=DAEMON, has=found(writes=("/srv/app/log",)), there=THERE),
    ),
    "attach.boot": (
        Scene(process=DAEMON, has=found(unit="app.service", enabled="enabled"), there=THERE),
        Scene(process=DAEMON, has=found(unit="app.service", enabled="disabled"), there=THERE),
    ),
    "attach.ids": (
        Scene(process=DAEMON, has=found(), there={"preflight": {"tree": {"cards": ("e0",), "taken": {77: "sh"}}}}),
        Scene(process=DAEMON, has=found(), there=THERE),
    ),
    "attach.address": (
        Scene(process=DAEMON, has=found(peers=("10.77.0.1",)), there=THERE),
        Scene(process=DAEMON, has=found(peers=(IP,)), there=THERE),
    ),
    "attach.cutover": (
        Scene(process=DAEMON, has=found(), there=THERE, policy={"cutover": "restore-back"}),
        Scene(process=DAEMON, has=found(), there=THERE, policy={"cutover": "transactional"}),
    ),
    "attach.anew": (
        Scene(process=DAEMON, kind=ChangeKind.RECREATE),
        Scene(process={}, kind=ChangeKind.RECREATE),
    ),
    "attach.let-go": (
        Scene(process=DAEMON, has=found(), kind=ChangeKind.REMOVE),
        Scene(process={}, has={}, kind=ChangeKind.REMOVE),
    ),
}
