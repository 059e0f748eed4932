"""Commands of a spec that belong to a move: an address that follows, a load balancer that is told. Both sides.

Each is run through the guard, under the move's epoch. What was begun and what was done stands in a file beside the
marker, so that a command is run once however often its step is repeated, and a new controller knows what to undo.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.core.causes import telling
from reconciler.errors import CommandFailed, ReconcilerError
from reconciler.guard import guard
from reconciler.model.action import Action, MoveActions
from reconciler.model.base import parse_duration
from reconciler.model.command import Command, Fence, Program
from reconciler.model.spec import Workload

BEFORE_HOLD = "before-hold"
AFTER_RESTORE = "after-restore"
SLACK = 15.0
"""Seconds that a command's own limit may take to be enforced, and the guard to be asked."""

# HOW RECORD INDEX SECONDS COUNT WORD...: COUNT words to do, the rest to undo
_SCRIPT = """umask 077
how=$1 file=$2 index=$3 limit=$4 count=$5
shift 5
state=$(awk -v i="$index" '$1 == i { s = $2 } END { print s }' "$file" 2>/dev/null)
note() { printf '%s %s\\n' "$index" "$1" >>"$file" && sync "$file" "${file%/*}"; }
limited() { timeout -k 1 "$limit" "$@" </dev/null; }
perform() {
    all=$# seen=0
    for word; do
        seen=$((seen + 1))
        [ "$seen" -gt "$count" ] || set -- "$@" "$word"
    done
    shift "$all"
    limited "$@"
}
take_back() {
    shift "$count"
    limited "$@"
}
case $how/$state in
do/done | undo/ | undo/undone) exit 0 ;;
undo/done) take_back "$@" && note undone; exit ;;
undo/begun) take_back "$@" >/dev/null 2>&1; note undone; exit ;;
do/begun) take_back "$@" >/dev/null 2>&1 ;;
esac
note begun || exit 1
perform "$@" && note done && exit 0
status=$?
take_back "$@" >/dev/null 2>&1
note undone
exit "$status"
"""


def of(workload: Workload) -> MoveActions:
    """A workload's actions; none where it has none."""
    migration = workload.spec.migration
    return (migration.actions if migration else None) or MoveActions()


def perform(name: str, when: str, actions: Sequence[Action], fence: Fence) -> Program[str]:
    """Run them in order; returns them as one line for the journal. The first that fails is undone, and raised."""
    for index, action in enumerate(actions):
        try:
            argv = _argv("do", name, when, fence.epoch, index, action)
            yield from guard.run(fence, "any", argv, timeout=_limit(action))
        except CommandFailed as error:
            why = telling(error.stderr) or f"it ended with status {error.status}"
            if error.status == 124:
                why = f"it took longer than {action.within}"
            raise CommandFailed(
                f"an action of {name} failed: {' '.join(action.do)}",
                argv=tuple(action.do),
                exit_code=error.status,
                stderr=error.stderr,
                where=error.where,
                code="C331",
                why=why,
                fix=f"see migration.actions of {name}",
            ) from error
    return "; ".join(" ".join(action.do) for action in actions)


def take_back(name: str, when: str, actions: Sequence[Action], epoch: int, fence: Fence) -> Program[None]:
    """Undo what was begun of them under the move's `epoch`, last first. A failure does not stop the others."""
    failed: ReconcilerError | None = None
    for index, action in reversed(list(enumerate(actions))):
        try:
            argv = _argv("undo", name, when, epoch, index, action)
            yield from guard.run(fence, "any", argv, timeout=_limit(action))
        except CommandFailed as error:
            failed = failed or CommandFailed(
                f"an action of {name} could not be undone: {' '.join(action.undo)}",
                argv=tuple(action.undo),
                exit_code=error.status,
                stderr=error.stderr,
                where=error.where,
                code="C332",
                why=telling(error.stderr),
                fix="mend it on the host, then: reconcile resume",
            )
    if failed:
        raise failed


def forget(name: str, when: str, epoch: int) -> Program[None]:
    """The move is over: nothing of it is undone any more."""
    yield Command(("rm", "-f", "--", _record(name, when, epoch)), changes=True)


def _record(name: str, when: str, epoch: int) -> str:
    return f"{guard.workload_dir(name)}/actions.{when}.{epoch}"


def _limit(action: Action) -> float:
    return 2 * parse_duration(action.within) + SLACK


def _argv(how: str, name: str, when: str, epoch: int, index: int, action: Action) -> tuple[str, ...]:
    seconds = f"{parse_duration(action.within):g}"
    words = (how, _record(name, when, epoch), str(index), seconds, str(len(action.do)))
    return ("/bin/sh", "-c", _SCRIPT, "actions", *words, *action.do, *action.undo)
