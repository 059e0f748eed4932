"""Each rule where it fires, and where it does not, by theme."""

from tests.core.rule_pairs import (
    cluster,
    container,
    engine,
    hosts,
    identity,
    keeping,
    machine,
    network,
    pods,
    process,
    runtime,
    sockets,
    tasks,
    tree,
)
from tests.core.rule_scene import Scene

PAIRS: dict[str, tuple[Scene | cluster.ClusterScene, Scene | cluster.ClusterScene]] = {
    **engine.PAIRS,
    **hosts.PAIRS,
    **identity.PAIRS,
    **keeping.PAIRS,
    **network.PAIRS,
    **runtime.PAIRS,
    **container.PAIRS,
    **cluster.PAIRS,
    **pods.PAIRS,
    **process.PAIRS,
    **machine.PAIRS,
    **sockets.PAIRS,
    **tasks.PAIRS,
    **tree.PAIRS,
}
