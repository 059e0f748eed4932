"""What stands behind the error codes that are about Docker alone, as `reconcile explain` prints it."""

from __future__ import annotations

from reconciler.core.pages import add, tell
from reconciler.core.plan_pages import Page

PAGES: dict[str, Page] = {
    "C362": Page(
        "Docker does not answer",
        "dockerd is not running on that host, its socket is not at /var/run/docker.sock, or the user may not use "
        "it. Nothing was concluded from its silence. Start it (systemctl start docker), then: reconcile resume.",
    ),
    "P460": Page(
        "Docker does not take a field",
        "What the field says cannot be done by Docker, or is not done by its driver yet; see E174. Nothing is "
        "dropped.",
    ),
}
tell(PAGES)

add("H210", "Docker: /var/lib/docker has containers. Install it again, or move that folder away.")
add("H215", "Docker: systemctl start docker; its socket must be at /var/run/docker.sock.")
add("paused", "Docker: docker unpause WORKLOAD.")
