"""A node that is emptied: what will be moved, what has to stay, and how it ended."""

from __future__ import annotations

from reconciler.cli.views import apply
from reconciler.cli.views.plan import render_plan
from reconciler.cli.views.style import paint
from reconciler.commands.app import Seen
from reconciler.commands.drain import Drained
from reconciler.core.draining import Draining
from reconciler.core.rules.base import together
from reconciler.model.ending import Ending
from reconciler.model.place import node_of


def render_beforehand(seen: Seen, draining: Draining, color: bool) -> str:
    """The plan of the moves, and what stays."""
    plan = seen.plan
    shown = plan.changes or plan.findings or plan.unknown_hosts
    lines = [render_plan(seen, color)] if shown else ["No workload runs there."]
    return "\n".join([*lines, *_staying(draining, color)])


def _staying(draining: Draining, color: bool) -> list[str]:
    mark = paint("yellow", "!", color)
    found = [f"{mark} {name} has to stay: {why}" for name, why in sorted(draining.nowhere.items())]
    if draining.strangers:
        named = together(draining.strangers)
        found.append(f"{mark} no spec names {named}; they stay; KubeVirt moves them after: kubectl drain")
    return found


def render_drained(drained: Drained, interrupted: bool, color: bool) -> str:
    """How the moves ended, and how the node is given back."""
    if drained.applied is None:
        return "Nothing was changed."
    ending = drained.applied.ending(interrupted)
    told = drained.applied.outcome or ending is not Ending.DONE
    lines = [apply.render_applied(drained.applied, ending, color)] if told else []
    node = node_of(drained.place)
    if drained.theirs:
        lines.append(f"{node} was cordoned before; whoever did that gives it back: kubectl uncordon {node}")
    else:
        lines.append(f"{node} is cordoned. To give it back: reconcile drain {drained.place} --undo")
    return "\n".join(lines)


def render_given_back(place: str, done: bool, cordoned: bool) -> str:
    """`cordoned`: somebody else has."""
    node = node_of(place)
    if cordoned:
        return f"{node} is as it was: somebody else has cordoned it, who gives it back: kubectl uncordon {node}"
    if not done:
        return f"{node} is as it was: it was not cordoned."
    return f"{node} may take something new. What specs place there comes back with: reconcile apply"
