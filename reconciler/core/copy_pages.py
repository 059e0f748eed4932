"""What stands behind errors about copies between hosts, for `reconcile explain`."""

from __future__ import annotations

from reconciler.core.plan_pages import Page

COPY_PAGES: dict[str, Page] = {
    "C320": Page(
        "a copy arrived differently",
        "The sums of both sides differ, so what arrived is thrown away. It is copied once more, then the "
        "source resumes. Failing memory or disk is the usual cause when it happens again.",
    ),
    "C321": Page(
        "files could not be read",
        "Files of the workload changed or vanished while they were copied, or cannot be read. Something "
        "outside the frozen workload writes there: another container, or somebody on the host.",
    ),
    "C322": Page(
        "files could not be written",
        "The destination's disk or tmpfs is full or read-only. Free room there: df -h says where, "
        "images that nothing uses can go.",
    ),
    "C323": Page("the copy broke off", "The connection between the hosts ended. It is tried once more."),
    "C324": Page(
        "the copy stalled",
        "No byte arrived for the limit. Look at the network between the two hosts, and at its MTU.",
    ),
    "C325": Page(
        "an image differs or is not there",
        "The image has another ID after the copy, or was removed while the plan was carried out. A restore "
        "needs the very ID. Plan again.",
    ),
    "C326": Page(
        "a path is too long",
        "Linux takes paths of 4,095 bytes at most at once. A folder of a volume or root filesystem can be deeper, "
        "made step by step, and then no program can be told that path to copy it. Nothing was begun. Move what is "
        "so deep nearer to the top (cd into it first), or remove it.",
    ),
}
