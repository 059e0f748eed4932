"""What an engine's driver is made of."""

from __future__ import annotations

from reconciler.runtimes.oci.attending import EngineAttends
from reconciler.runtimes.oci.coming import EngineDestination
from reconciler.runtimes.oci.fencing import EngineFencing
from reconciler.runtimes.oci.leaving import EngineSource


class OciDriver(EngineSource, EngineDestination, EngineFencing, EngineAttends):
    """Lifecycle, checks, networks, volumes, moves, logs and `exec` of an engine's containers. See
    `reconciler.runtimes.base` for what each method promises."""
