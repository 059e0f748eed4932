"""A cluster to try things with, until Ctrl-C: `python -m tests.kube up`. `build` only fills the cache."""

from __future__ import annotations

import contextlib
import signal
import sys
import time

from reconciler.errors import ReconcilerError
from tests.kube import build
from tests.kube.cluster import started


def report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    if arguments not in (["up"], ["build"]):
        print("usage: python -m tests.kube up|build", file=sys.stderr)
        return 2
    begun = time.monotonic()
    try:
        programs = build.programs(report)
        report(f"programs: {programs.folder} ({time.monotonic() - begun:.1f} s)")
        if arguments == ["build"]:
            return 0
        with started(programs) as cluster:
            print(f"export KUBECONFIG={cluster.kubeconfig()}", flush=True)
            report(f"{cluster.url}; kubectl is {programs.kubectl}; Ctrl-C ends it")
            with contextlib.suppress(KeyboardInterrupt):
                while True:
                    signal.pause()
    except ReconcilerError as error:
        print(f"{error}\n{error.why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
