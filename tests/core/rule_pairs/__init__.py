"""Each rule where it fires, and where it does not, by theme."""

from tests.core.rule_pairs import (
    container,
    engine,
    hosts,
    identity,
    keeping,
    machine,
    network,
    process,
    runtime,
    sockets,
    tree,
)
from tests.core.rule_scene import Scene

PAIRS: dict[str, tuple[Scene, Scene]] = {
    **engine.PAIRS,
    **hosts.PAIRS,
    **identity.PAIRS,
    **keeping.PAIRS,
    **network.PAIRS,
    **runtime.PAIRS,
    **container.PAIRS,
    **process.PAIRS,
    **machine.PAIRS,
    **sockets.PAIRS,
    **tree.PAIRS,
}
