"""Places in clusters, asked through the API of Kubernetes: the only room that knows HTTP, kubeconfigs and how
markers and leases are kept where there is no host to keep them.

`connection` is the one door to the client library; everything else here is told apart from it by `Api`, which
`hosts.memory.api` is too."""

from reconciler.hosts.kubernetes.fleet import ClusterFleet

__all__ = ["ClusterFleet"]
