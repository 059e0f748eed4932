"""What stands behind errors about memory that follows a restore, for `reconcile explain`."""

from __future__ import annotations

from reconciler.core.plan_pages import Page

MEMORY_PAGES: dict[str, Page] = {
    "C329": Page(
        "memory pages were lost after a lazy restore",
        "The daemon that serves them on the destination died before all had arrived. The copy there is ended, and "
        "the source, which is held until every page is there, runs on. Look at the kernel's log there.",
    ),
    "C344": Page(
        "memory that follows does not arrive",
        "The workload runs on the destination (strategy: postcopy), and stands still at memory that only the "
        "source has. The transfer goes on by itself when both hosts live and reach each other; then `reconcile "
        "resume` ends the move. If the source was switched off or booted meanwhile, what was not on its disk is "
        "lost, which is everything without `postcopy: {persist: true}`; `reconcile status` says how much. What "
        "needs it never goes on: end it there by its engine, then `reconcile resume` and what `reconcile "
        "status` says.",
    ),
    "H229": Page(
        "memory cannot follow",
        "With strategy: postcopy the source sends memory to the destination after the restore, over SSH from host "
        "to host. It does not reach the destination, and nothing was frozen. Let it, or use another strategy.",
    ),
}
