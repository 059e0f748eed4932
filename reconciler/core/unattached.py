"""Why a daemon that runs already cannot be attached to, in words: hosts answer with one, and what of."""

from __future__ import annotations

_WORDS = {
    "no-pidfile": ("there is no {0}", "start it as it is started there, or name its pidfile"),
    "no-number": ("{0} holds no process ID", "start it as it is started there, or name its pidfile"),
    "gone": ("no process {0} runs, which {by} names", "start it as it is started there"),
    "no-systemd": ("there is no systemctl", "name its pidfile"),
    "no-process": ("the unit {0} has no main process", "start it: systemctl start {0}"),
    "first": ("{by} names the first process of the host", "name the daemon's own pidfile"),
    "kernel": ("process {0}, which {by} names, is the kernel's", "name the daemon's own pidfile"),
    "ours": (
        "process {0}, which {by} names, is what Reconciler reaches the host through",
        "name the daemon's own pidfile",
    ),
    "taken": ("process {0} belongs to another workload of Reconciler", "name the daemon's own pidfile"),
    "owner": (
        "{by} belongs to the user {0}, and the process it names to another",
        "see who writes it: whoever may write it would choose what is frozen and moved",
    ),
    "writable": ("anybody may write {0}", "take that right away: chmod o-w {0}"),
    "inside": (
        "it is in namespaces of its own ({all}), as processes of containers and of units with PrivateTmp= are",
        "declare a container with the runtime that made it; of a unit, switch its sandbox off",
    ),
    "restarts": (
        "systemd would start {0} again as soon as it has left (Restart={1})",
        "systemctl edit {0}, with [Service] Restart=no, then systemctl daemon-reload",
    ),
}


def words(problem: str, by: tuple[str, str]) -> tuple[str, str]:
    """What is wrong and the way out. `problem`: a word and what of; `by`: how it was looked for."""
    word, *rest = problem.split() or [""]
    if word not in _WORDS:
        return f"its host does not say why ({word or 'nothing'})", "look at it there"
    message, fix = _WORDS[word]
    values = [*rest, "?", "?"]
    return tuple(text.format(*values, by=by[1], all=", ".join(rest)) for text in (message, fix))  # type: ignore[return-value]
