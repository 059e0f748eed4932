"""The marks that Reconciler leaves on what it makes. Only what carries them is ever changed or removed."""

LABEL_WORKLOAD = "io.reconciler.workload"
"""On every container and volume: the workload's name."""

LABEL_SPEC = "io.reconciler.spec"
"""On containers: the canonical JSON of the `container` section they were made from."""

ANNOTATION_CRIU = "org.criu.config"
"""Annotation that runc and crun >= 1.26 read: the CRIU config file of this one container."""
