"""What trees of processes need on their hosts."""

from tests.core.rule_scene import APP, Scene


def files(digest: str) -> dict:
    return {"preflight": {"files": {"/lib/libc.so.6": digest}}}


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
    "tree.host-network": (
        Scene(process={"hostNetwork": True}),
        Scene(process={"hostNetwork": True}, policy={"tcp": "close"}),
    ),
}
