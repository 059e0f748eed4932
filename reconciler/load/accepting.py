"""Rules that a policy accepts: each must be one that may be accepted."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.errors import Diagnostic
from reconciler.load.messages import close
from reconciler.load.objects import Entry
from reconciler.model.spec import MigrationPolicy


def check_accepted(entry: Entry, policy: MigrationPolicy) -> Iterator[Diagnostic]:
    """What `accept` names and cannot be accepted."""
    if not policy.spec.accept:
        return
    from reconciler.runtimes import registry

    rules = registry.rules()  # most specs need none of them
    known = sorted(name for name, one in rules.items() if one.acceptable)
    for n, name in enumerate(policy.spec.accept):
        found = rules.get(name)
        if found is None:
            hint = close(name, known) or "docs/rules.md says which rules may be accepted"
            yield entry.diagnostic("E159", f"there is no rule `{name}`", "spec", "accept", n, hint=hint)
        elif not found.acceptable:
            message = f"the rule `{name}` cannot be accepted: nobody may wish what it is about"
            yield entry.diagnostic("E159", message, "spec", "accept", n, hint=f"reconcile explain {name}")
