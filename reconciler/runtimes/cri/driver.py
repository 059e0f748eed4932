"""The runtime `cri`: the contract's methods, each in the module that is about it. Holds no state."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.guard import guard
from reconciler.model.command import Program
from reconciler.runtimes.base import Alive, LogWish
from reconciler.runtimes.cri import calls, capturing, images, lifecycle, looking, observing


class CriDriver:
    """Pods of containerd, as root. See `reconciler.runtimes.base` for what each method promises."""

    NAME = looking.NAME
    observe = staticmethod(observing.observe)
    prepare_host = staticmethod(guard.install)
    # lifecycle, checks
    create = staticmethod(lifecycle.create)
    start = staticmethod(lifecycle.start)
    stop = staticmethod(lifecycle.stop)
    remove = staticmethod(lifecycle.remove)
    set_aside = staticmethod(lifecycle.set_aside)
    bring_back = staticmethod(lifecycle.bring_back)
    remove_aside = staticmethod(lifecycle.remove_aside)
    health = staticmethod(lifecycle.health)
    # images
    pull_image = staticmethod(images.pull_image)
    has_image = staticmethod(images.has_image)
    pack_image = staticmethod(images.pack_image)
    take_image = staticmethod(images.take_image)

    # captures
    shadow = staticmethod(capturing.shadow)
    capture = staticmethod(capturing.capture)
    resume = staticmethod(capturing.resume)

    def alive(self, workload: str) -> Program[Alive]:
        pod = yield from looking.current(workload)
        if pod is None or pod.facts is None:
            return Alive(exists=False, running=False, detail="no pod")
        return Alive(exists=True, running=pod.runs, pid=pod.facts.pid, detail=pod.facts.state.value)

    # --- attends ---

    def logs(self, workload: str, wish: LogWish) -> tuple[str, ...]:
        tail = "" if wish.tail is None else str(wish.tail)
        folder = f"/var/log/pods/reconciler_{workload}_*"
        return calls.shell(
            "logs", folder, tail, "follow" if wish.follow else "", "stamps" if wish.timestamps else "", wish.since
        )

    def enter(
        self, workload: str, words: Sequence[str], *, stdin: bool, terminal: bool, user: str
    ) -> tuple[str, ...]:
        return calls.shell("enter", workload, "tty" if terminal else "", user, *words)
