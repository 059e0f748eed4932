"""Real hosts on this machine, for trying Reconciler out and for its tests.

    lab = Lab.up("demo", hosts=2, rate="1gbit", report=print)
    lab.exec("h1", ["podman", "run", "-d", "--network", "lab", "--ip", str(lab.subnet[100]), DEMO_IMAGE])
    lab.down()

Excludes: anything a reconciliation does. Hosts of a lab are reached over SSH like all others.
"""

from reconciler.lab.lab import Lab, LabHost, remove, unusable
from reconciler.lab.probe import Probe, ProbeResult
from reconciler.lab.spec import DEMO_IMAGE, NETWORK, lab_names
from reconciler.lab.tools import Report, install_packages, missing_packages

__all__ = [
    "DEMO_IMAGE",
    "NETWORK",
    "Lab",
    "LabHost",
    "Probe",
    "ProbeResult",
    "Report",
    "install_packages",
    "lab_names",
    "missing_packages",
    "remove",
    "unusable",
]
