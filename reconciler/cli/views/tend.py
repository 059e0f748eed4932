"""What watches were told, and what they remember."""

from __future__ import annotations

from reconciler.model.notes import Notes
from reconciler.watch.windows import at


def render_notes(notes: Notes) -> str:
    """A line for each."""
    lines = []
    for word, said in (("suspended", notes.suspended), ("opened", notes.opened)):
        for target, told in sorted(said.items()):
            until = f" until {at(told.until)}" if told.until else ""
            lines.append(f"{target}  {word}{until} by {told.by}: {told.reason}")
    for name, found in sorted(notes.put_back.items()):
        commit = f" at {found.commit[:7]}" if found.commit else ""
        lines.append(f"workload/{name}  put back{commit} on {at(found.at)} (run {found.run}): {found.why}")
    for name, since in sorted(notes.fenced.items()):
        lines.append(f"host/{name}  fenced by a watch on {at(since)}, until it answers again")
    return "\n".join(lines or ["Nothing is suspended, and nothing was put back."])
