"""The marks that Reconciler leaves on what it makes. Only what carries them is ever changed or removed."""

LABEL_WORKLOAD = "io.reconciler.workload"
"""On every container and volume: the workload's name."""

LABEL_EPOCH = "io.reconciler.epoch"
"""On volumes: the epoch of the ownership they were made under. The newest of several has the highest."""

LABEL_RUN = "io.reconciler.run"
"""On volumes: the run that made them. Only that run's way back removes them again."""

LABEL_SPEC = "io.reconciler.spec"
"""On containers: the canonical JSON of the `container` section they were made from."""

LABEL_COMMIT = "io.reconciler.commit"
"""On containers: the commit of the specs they were made from, with "with uncommitted changes" where these
differed. Told to runtimes among the labels of the workload."""

ANNOTATION_CRIU = "org.criu.config"
"""Annotation that runc and crun >= 1.26 read: the CRIU config file of this one container."""

KEPT = "io.reconciler.kept"
"""Annotation of virtual machines in clusters: markers and dossier of their hand-overs."""

STRATEGY = "io.reconciler.strategy"
"""Annotation of those that were stopped: how KubeVirt kept them running before."""

CORDONED = "io.reconciler.cordoned"
"""Annotation of nodes of clusters that were cordoned to be drained: by whom, and when."""
