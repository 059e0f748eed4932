"""The runtime `cri`: the contract's methods, each in the module that is about it. Holds no state."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.criu import arriving, config
from reconciler.guard import guard
from reconciler.model.command import Program
from reconciler.runtimes.base import Handover, LogWish
from reconciler.runtimes.cri import calls, capturing, coming, images, leaving, lifecycle, looking, observing


class CriDriver:
    """Pods of containerd, as root. See `reconciler.runtimes.base` for what each method promises."""

    NAME = looking.NAME
    PROGRAMS = ("ctr",)
    observe = staticmethod(observing.observe)
    alive = staticmethod(coming.alive)
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
    # moves: the source
    locate = staticmethod(leaving.locate)
    hold = staticmethod(leaving.hold)
    resume = staticmethod(leaving.resume)
    retire = staticmethod(leaving.retire)
    # moves: the destination
    stage = staticmethod(coming.stage)
    unstage = staticmethod(coming.unstage)
    commit_destination = staticmethod(arriving.commit)
    restore = staticmethod(coming.restore)
    verify = staticmethod(coming.verify)
    confirm = staticmethod(coming.confirm)
    finish = staticmethod(coming.finish)
    fence_off = staticmethod(coming.fence_off)

    def commit_source(self, handover: Handover) -> Program[None]:
        return guard.commit(handover.fence)

    def hang_up(self, handover: Handover) -> Program[None]:
        return config.hang_up(handover.name)

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
