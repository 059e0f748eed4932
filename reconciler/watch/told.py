"""What a watch tells: to its log, to people and, later on, to whoever else listens. Telling decides nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

log = logging.getLogger("reconciler.watch")


class News(StrEnum):
    LEADS = "leads"
    FOLLOWS = "follows"
    SPECS = "specs"
    UNREADABLE = "unreadable"
    BEGINS = "begins"
    ENDED = "ended"
    FENCED = "fenced"
    SAVED = "saved"
    REHEARSED = "rehearsed"
    WAITS = "waits"
    CONVERGED = "converged"
    TROUBLE = "trouble"
    STOPS = "stops"
    LISTENS = "listens"

    @property
    def bad(self) -> bool:
        return self in (News.UNREADABLE, News.TROUBLE)


@dataclass(frozen=True)
class Told:
    """One thing that happened. `state`: how a workload's change ended; `code`: of an error."""

    news: News
    text: str
    workload: str = ""
    run: str = ""
    state: str = ""
    code: str = ""
    commit: str = ""
    host: str = ""


Listener = Callable[[Told], None]


def note(told: Told) -> None:
    """The listener that every watch has: its log."""
    about = {name: value for name in ("run", "workload", "host") if (value := getattr(told, name))}
    level = logging.WARNING if told.news.bad else logging.INFO
    log.log(level, "%s: %s", told.news, told.text, extra=about)
