"""What an engine's driver is made of."""

from __future__ import annotations

from reconciler.runtimes.oci.coming import EngineDestination
from reconciler.runtimes.oci.fencing import EngineFencing
from reconciler.runtimes.oci.leaving import EngineSource


class OciDriver(EngineSource, EngineDestination, EngineFencing):
    """Lifecycle, checks, networks, volumes and moves of an engine's containers. See `reconciler.runtimes.base` for
    what each method promises."""
