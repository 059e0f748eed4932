"""Trees of processes without a container engine: namespaces, a control group and a root of their own, moved by
CRIU.

Excludes: transport (hosts), decisions (core), what is CRIU's (criu). Every module yields commands and reads
results."""

from reconciler.runtimes.process.driver import ProcessDriver

__all__ = ["ProcessDriver"]
