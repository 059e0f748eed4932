"""What stands behind the error codes that are about Podman alone, as `reconcile explain` prints it."""

from __future__ import annotations

from reconciler.core.pages import add, tell
from reconciler.core.plan_pages import Page

PAGES: dict[str, Page] = {
    "H212": Page("Podman is too old", "Podman 4.0 or newer is needed; upgrade it on the host."),
    "P435": Page("the restart policy cannot be switched", "See container.restart-policy: Podman 5.1 can."),
    "P454": Page(
        "a checkpoint that cannot be exported",
        "An archive of Podman's holds what Podman ran, and tells its root filesystem by files alone. Other "
        "runtimes, secrets as files, own ranges of users, and folders or attributes that overlayfs tells by marks "
        "have no place in it: rather than an archive that restores to something else there is none. "
        "`reconcile restore` brings all of it back.",
    ),
}
tell(PAGES)

add(
    "H210",
    "Podman: its storage has containers, or conmon runs. Install podman again; or, when nothing of it is needed, "
    "end what runs and move the storage away: mv /var/lib/containers/storage /root/.",
)
add(
    "H215",
    "Podman, after a crash that left a lock: podman info; then podman system renumber while no container runs.",
)
add("paused", "Podman: podman unpause WORKLOAD.")
