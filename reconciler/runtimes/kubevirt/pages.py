"""What stands behind the error codes that are about KubeVirt alone, as `reconcile explain` prints it."""

from __future__ import annotations

from reconciler.core.pages import tell
from reconciler.core.plan_pages import Page

PAGES: dict[str, Page] = {
    "C392": Page(
        "KubeVirt takes no migration of it",
        "The API server or KubeVirt's webhook refused the migration; the reason is theirs. Another one may be "
        "under way, which is left alone; or KubeVirt is older than 1.5 and cannot be told which node. The machine "
        "runs on where it ran.",
    ),
    "C393": Page(
        "another workload's machine",
        "The VirtualMachine that a spec names carries the label of another workload. Nothing was changed. Mend "
        "the name, or give the other workload up first.",
    ),
    "C394": Page(
        "another manager's fields",
        "Server-side apply found fields that the manifest wants otherwise and that another field manager owns; "
        "the message names both. Nothing was changed. Take them out of the manifest, or have the other give them "
        "up.",
    ),
    "C395": Page(
        "it does not start, or does not stop",
        "KubeVirt was told, and two minutes later it had not done so. The reason is KubeVirt's or the scheduler's "
        "own: kubectl describe vm. A start was taken back.",
    ),
}
tell(PAGES)
