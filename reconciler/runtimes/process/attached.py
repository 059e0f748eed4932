"""What hosts say of daemons that run already, and of the places they come to. Changes nothing."""

from __future__ import annotations

from reconciler.core import answers
from reconciler.core.connections import between
from reconciler.model.attach import Ahead, FoundTree
from reconciler.model.command import Command, Program, Seconds
from reconciler.model.question import Question
from reconciler.model.world import HostFacts, Preflight
from reconciler.runtimes.process import places

LIMIT: Seconds = 60.0


def closer(host: HostFacts, question: Question) -> Program[HostFacts]:
    """What there is to attach to, and what is in the way of what comes."""
    if not (question.attach or question.ids or question.cards):
        return host
    known = host.preflight or Preflight()
    if question.attach:
        there = yield from look(question.attach)
        known = known.model_copy(update={"found": {**known.found, **there}})
    if question.ids or question.cards:
        known = known.model_copy(update={"tree": (yield from ahead(question))})
    return host.model_copy(update={"preflight": known})


def ahead(question: Question) -> Program[Ahead]:
    words = (",".join(question.cards), ",".join(question.own), *map(str, question.ids))
    result = yield Command(places.shell("ahead", *words), timeout=LIMIT)
    what = "what is in the way of a tree"
    parts = answers.whole(result.stdout, what)
    rows = [line.split() for line in parts.get("ids", "").splitlines() if line.strip()]
    ids = [(answers.number(row[0], what, most=2**22), answers.word(" ".join(row[1:]), what)) for row in rows]
    return Ahead(
        taken={number: program for number, program in ids if program != "above"},
        above=tuple(number for number, program in ids if program == "above"),
        cards=tuple(answers.word(line, what) for line in parts.get("cards", "").split()),
        addresses=tuple(answers.word(line, what) for line in parts.get("addresses", "").split()),
    )


def look(wanted: tuple[tuple[str, str, str], ...]) -> Program[dict[str, FoundTree]]:
    """What there is to attach to: workload, `pidfile` or `unit`, and which."""
    argv = places.shell("look", *(word for row in wanted for word in row))
    result = yield Command(argv, timeout=LIMIT)
    parts = answers.whole(result.stdout, "what it has to attach to")
    return {
        name: found(name, parts.get(f"found {name}", ""), parts.get(f"tcp {name}", "")) for name, _, _ in wanted
    }


def found(name: str, text: str, tcp: str) -> FoundTree:
    """One tree, as `attached.sh` tells of it."""
    what = f"what {name} holds"
    rows: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        rows.setdefault(key, []).append(value)

    def many(key: str) -> tuple[int, ...]:
        return tuple(answers.number(value, what, most=2**22) for value in rows.get(key, ()))

    def paths(key: str) -> tuple[str, ...]:
        return tuple(answers.path(value, what) for value in rows.get(key, ()))

    def one(key: str) -> str:
        return answers.word(next(iter(rows.get(key, ())), ""), what)

    return FoundTree(
        problem=answers.shown(next(iter(rows.get("problem", ())), ""), what),
        pid=next(iter(many("pid")), 0),
        program=one("program"),
        unit=one("unit"),
        enabled=one("enabled"),
        ids=many("id"),
        sessions=many("session"),
        strays=many("stray"),
        terminals=tuple(answers.shown(value, what) for value in rows.get("terminal", ())),
        deleted=paths("deleted"),
        writes=paths("writes"),
        reads=paths("reads"),
        peers=_outward(tcp),
    )


def _outward(text: str) -> tuple[str, ...]:
    """Its own addresses of connections whose other end is not its own."""
    ends = between(text)
    return tuple(sorted({local.rpartition(":")[0] for local, peer in ends if (peer, local) not in ends}))
