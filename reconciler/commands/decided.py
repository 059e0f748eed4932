"""What `resolve` and `forget` did, as a value; views have the words for it."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.event import Untidied


@dataclass(frozen=True)
class Decided:
    """One workload that was decided about. `owner`: the host it runs on; empty when it was given up. `fenced`:
    hosts that cannot have it any more; `unasked`: those that did not answer; `kept`: where something is left of
    its container; `untidied`: what takes nothing back. `open`: nothing was decided, `next` does it."""

    workload: str
    owner: str = ""
    cold: bool = False
    fenced: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    untidied: tuple[Untidied, ...] = ()
    evidence: str = ""
    next: str = ""
    open: bool = False
