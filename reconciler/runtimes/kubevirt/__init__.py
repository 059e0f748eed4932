"""Virtual machines of KubeVirt. It moves them by itself, between the nodes of a cluster; where one runs is its
word.

Excludes: HTTP, markers and leases (hosts), decisions (core), the course of a move (engine). Every module yields
API calls and reads answers."""

from reconciler.runtimes.kubevirt.driver import KubevirtDriver

__all__ = ["KubevirtDriver"]
