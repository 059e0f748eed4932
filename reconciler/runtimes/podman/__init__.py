"""Podman: moves, checkpoints and lifecycle of containers through its command line, on the host itself.

Excludes: transport (hosts), decisions (core). Every module yields commands and reads their results.
"""

from reconciler.runtimes.podman.driver import PodmanDriver

__all__ = ["PodmanDriver"]
