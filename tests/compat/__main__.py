"""`python -m tests.compat`: see `--help`, and docs/compat.md for the results."""

from __future__ import annotations

import argparse
import fnmatch
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from reconciler.errors import ReconcilerError
from reconciler.lab import Lab, install_packages, remove
from tests import results
from tests.compat import hosts, image, report
from tests.compat.catalog import Program, programs
from tests.compat.moving import Movers, Outcome

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "compat.md"
LAB = "compat"


def main() -> int:
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    try:
        outcomes = _run(asked)
    except ReconcilerError as error:
        print(f"compat: {error}\n{error.fix}", file=sys.stderr)
        return 1
    finally:
        if not asked.keep:
            remove(LAB)
    results.write("compat", ({**asdict(outcome), "runtime": "podman"} for outcome in outcomes))
    if asked.write_docs:
        report.write_docs(outcomes, DOCS)
    bad = [outcome.program for outcome in outcomes if not outcome.as_expected]
    print(f"{report.summary(outcomes)} ({time.monotonic() - started:.0f} s)")
    if bad:
        print(f"not as expected: {', '.join(bad)}")
    return 1 if bad else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.compat", description="Real programs, moved and back.")
    parser.add_argument("--only", nargs="*", default=["*"], metavar="NAME", help="only these, such as redis java*")
    parser.add_argument("--together", type=int, default=4, help="how many move at once (4)")
    parser.add_argument("--keep", action="store_true", help="leave the lab, for a look and for the next run")
    parser.add_argument("--write-docs", action="store_true", help="write docs/compat.md")
    return parser.parse_args()


def _run(asked: argparse.Namespace) -> list[Outcome]:
    install_packages(say)
    lab = Lab.up(LAB, hosts=2, report=say)
    hosts.prepare(lab, say)
    image_id = image.load(lab, "h1", say)
    wanted = [
        p for p in programs(lab.folder / "id_ed25519") if any(fnmatch.fnmatch(p.name, o) for o in asked.only)
    ]
    with tempfile.TemporaryDirectory(prefix="reconciler-compat-") as name:
        movers = Movers(lab, Path(name), image_id, say)
        return [outcome for group in _groups(wanted, asked.together) for outcome in movers.move(group)]


def _groups(wanted: list[Program], size: int) -> list[list[Program]]:
    """By fours, but those that need hosts without a seccomp filter are by themselves."""
    plain = [program for program in wanted if not program.unconfined]
    groups = [plain[at : at + size] for at in range(0, len(plain), size)]
    return groups + [[program] for program in wanted if program.unconfined]


def say(text: str) -> None:
    print(f"  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
