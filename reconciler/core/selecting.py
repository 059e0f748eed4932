"""Which workloads are meant: by labels, as Kubernetes' selectors, and by host."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reconciler.errors import InputError
from reconciler.model.spec import Spec

_KEY = r"[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?"
_TERM = re.compile(rf"(?P<not>!)?\s*(?P<key>{_KEY})\s*((?P<op>==|=|!=)\s*(?P<value>[A-Za-z0-9._-]*))?")


@dataclass(frozen=True)
class Term:
    """One condition. `value` None: whether there is such a label at all."""

    key: str
    value: str | None = None
    negated: bool = False

    def holds(self, labels: Mapping[str, str]) -> bool:
        found = self.key in labels if self.value is None else labels.get(self.key) == self.value
        return found is not self.negated


def selector(text: str) -> tuple[Term, ...]:
    """`team=web,tier!=cache,!old,gpu`: all of it has to hold. ValueError says what cannot be read."""
    terms = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _TERM.fullmatch(part)
        if match is None or (match["not"] and match["op"]):
            raise ValueError(f"`{part}` is no condition; such as team=web, tier!=cache, gpu or !old")
        terms.append(
            Term(match["key"], match["value"] if match["op"] else None, bool(match["not"] or match["op"] == "!="))
        )
    return tuple(terms)


def selects(terms: Iterable[Term], labels: Mapping[str, str]) -> bool:
    return all(term.holds(labels) for term in terms)


def known_host(name: str, spec: Spec) -> None:
    """InputError for a name that no spec defines."""
    if name not in spec.hosts:
        known = ", ".join(sorted(spec.hosts))
        raise InputError(f"no spec defines the host {name}", code="E146", fix=f"one of: {known}")
