"""How stores note that a checkpoint was rehearsed: a word beside it, `ok:WHEN:HOST` or `failed:WHEN:HOST:WHY`,
with the reason in URL-safe base64. No part of the manifest: that is sealed when the checkpoint is taken."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from reconciler.model.base import NAME_PATTERN
from reconciler.model.checkpoint import KeptRehearsal
from reconciler.text import printable, short

_WORD = re.compile(
    r"(?P<how>ok|failed):(?P<at>[0-9]{1,12}):(?P<host>[^:]{0,253})(?::(?P<why>[A-Za-z0-9_=-]{1,4000}))?", re.ASCII
)
_HOST = re.compile(NAME_PATTERN)
_LONGEST = 300
"""Of a reason, in characters."""
UNSAID = "it does not say why"
_T = TypeVar("_T")


def word_of(done: KeptRehearsal) -> str:
    told = f"{int(done.at)}:{done.host}"
    if done.ok:
        return f"ok:{told}"
    why = printable(done.why)[:_LONGEST]  # as it is read: the same word is found again where it is to be removed
    return f"failed:{told}:{base64.urlsafe_b64encode(why.encode()).decode()}"


def rehearsal_of(word: str) -> KeptRehearsal | None:
    """None for what is no such word: then nobody knows of one."""
    found = _WORD.fullmatch(word)
    if found is None or (found["host"] and not _HOST.fullmatch(found["host"])):
        return None
    if found["how"] == "ok":
        return KeptRehearsal(float(found["at"]), found["host"])
    try:
        why = base64.urlsafe_b64decode(found["why"] or "").decode()
    except (ValueError, binascii.Error):
        why = ""
    return KeptRehearsal(float(found["at"]), found["host"], short(printable(why)) or UNSAID)


def newest_of(
    found: Iterable[_T],
    count: int,
    word: Callable[[_T], KeptRehearsal | None],
    ahead: Callable[[_T], bool] = lambda _: False,
) -> list[_T]:
    """Of what comes newest first so many, and the newest one of which a rehearsal came out well, and badly: how
    long ago that was would else be forgotten once there are newer ones. `ahead`: of the future, by a wrong
    clock; such take the place of none, and of them there are so many, too."""
    listed = list(found)
    if not count:
        return listed
    every = [one for one in listed if not ahead(one)]
    rest = every[count:]
    good = next((one for one in rest if (done := word(one)) and done.ok), None)
    bad = next((one for one in rest if (done := word(one)) and not done.ok), None)
    future = [one for one in listed if ahead(one)][-count:]
    return [*future, *every[:count], *(one for one in rest if one is good or one is bad)]
