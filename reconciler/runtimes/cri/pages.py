"""What stands behind the error codes that are about CRI alone, as `reconcile explain` prints it."""

from __future__ import annotations

from reconciler.core.pages import tell
from reconciler.core.plan_pages import Page

PAGES: dict[str, Page] = {
    "H217": Page(
        "containerd does not answer on its CRI",
        "Pods were made on that host, and now its socket is not there, says nothing, or curl is missing, which "
        "speaks to it. Nothing was concluded from its silence. Start it: systemctl start containerd.",
    ),
    "C363": Page(
        "containerd did not do what CRI was asked",
        "Its own reason is in the message. Look at its log: journalctl -u containerd. What was made until then is "
        "made anew, or removed, by the next try.",
    ),
}
tell(PAGES)
