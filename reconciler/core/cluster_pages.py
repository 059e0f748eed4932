"""What stands behind the error codes of clusters, as `reconcile explain` prints it."""

from __future__ import annotations

from reconciler.core.plan_pages import Page

CLUSTER_PAGES: dict[str, Page] = {
    "H220": Page(
        "a place of another kind",
        "Hosts are asked by commands over SSH, nodes of clusters through the cluster's API. A runtime asked a "
        "place in the way of the other kind: a plugin that does so is at fault.",
    ),
    "H221": Page(
        "the API server cannot be reached",
        "No connection to the address in the kubeconfig: the cluster is off, the network between keeps it away, "
        "or the address is old. `kubectl cluster-info` asks the same address. Nothing was done there.",
    ),
    "H222": Page(
        "the kubeconfig cannot be used",
        "The file that the Cluster names (else those of $KUBECONFIG, else ~/.kube/config) is missing, is not a "
        "kubeconfig, has no such context, or has an address, a token, a certificate or a wish whom to act as that "
        "cannot be used. Its values are credentials and are not shown. `kubectl config get-contexts` lists what "
        "it has. In a pod with `inCluster: true` the service account must be mounted.",
    ),
    "H223": Page(
        "the API server's certificate is not trusted",
        "The authority in the kubeconfig has not signed what the server shows: the cluster was made again, the "
        "kubeconfig is another cluster's, or somebody is in between. Get the kubeconfig anew from where the "
        "cluster is kept. Nothing was sent.",
    ),
    "H224": Page(
        "the cluster does not know who asks",
        "The token has expired or was withdrawn, the client certificate is too old, or the program that the "
        "kubeconfig names under `exec` gave no login within 30 s. Of what it complained about the last line is "
        "shown, without what the kubeconfig had given it. Log in again; see: kubectl auth whoami.",
    ),
    "H225": Page(
        "not allowed in the cluster",
        "The account may not do what the message names. `templates/kubernetes/role.yaml` is a ClusterRole with "
        "the least rights that are needed; `reconcile doctor CLUSTER` asks for each of them and lists all that "
        "lack.",
    ),
    "H226": Page(
        "KubeVirt is not installed",
        "The API server does not know the kind that the message names, so the cluster has no KubeVirt, or one "
        "that is too old to have it.",
    ),
    "H227": Page(
        "the API server is too busy, or broken",
        "It answered 429 or 5xx, also when it was asked again after the time that it wanted: up to five times "
        "within the Cluster's `timeout` for what only reads, up to three times for a change, each time under its "
        "marker.",
    ),
    "H228": Page(
        "the API server did not answer",
        "It was connected, and did not answer to the end within the Cluster's `timeout`, or the connection was "
        "cut time and again. See how it is: kubectl get --raw /readyz?verbose",
    ),
    "H293": Page(
        "what answers is not an API server",
        "It sent elsewhere (3xx), or answered something that is not an object of the API: a login page, a proxy, "
        "another server at the address of the kubeconfig. Such an answer never counts as done, and a mark or a "
        "lease counts as written only where the answer shows it. See: kubectl get --raw /version",
    ),
    "C390": Page(
        "changed all the time",
        "Several controllers write to the same object, and each time another one was faster. Nothing was "
        "overwritten. See who else is at work there, then try again.",
    ),
    "C391": Page(
        "the cluster refused a call",
        "The API server, or an admission webhook in it, said no; the reason is its own. Nothing was changed by "
        "this call.",
    ),
}
