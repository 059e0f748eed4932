"""What stands behind the error codes that are about trees of processes alone, as `reconcile explain` prints it."""

from __future__ import annotations

from reconciler.core.pages import tell
from reconciler.core.plan_pages import Page

PAGES: dict[str, Page] = {
    "P446": Page(
        "there is no `process`",
        "The runtime process runs what `spec.process` says; another runtime takes another section.",
    ),
    "P447": Page(
        "processes cannot join the network",
        "They join a macvlan network, as a card of their own on one of the host's: give the Network "
        "`driver: macvlan`, `parent` and `ipam.subnet`, or the process `hostNetwork: true`.",
    ),
    "P448": Page(
        "it shares its host's network",
        "Its connections end at the host's own address, which does not move. Give it `networks`, or a policy "
        "with `tcp: close`, after which clients connect again to its new host.",
    ),
    "P456": Page(
        "what runs cannot be attached to",
        "It changed since the plan was made: it is not there, or not one that may be taken up, for the reason "
        "that is given (rule attach.found). Nothing was done with it.",
    ),
    "P457": Page(
        "it can only be held",
        "What is attached to shares its host's network, so it moves with the cut-over `transactional` only (rule "
        "attach.cutover). It runs on where it was.",
    ),
}
tell(PAGES)
