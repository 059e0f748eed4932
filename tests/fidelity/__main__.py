"""`python -m tests.fidelity`: see `--help`, and docs/fidelity.md for the results."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from reconciler.errors import ReconcilerError
from reconciler.lab import Lab, install_packages, remove
from tests.compat import hosts
from tests.fidelity import report
from tests.fidelity.compare import Row, Verdicts, table, verdicts
from tests.fidelity.probe import NotTried, running

DOCS = Path(__file__).parents[2] / "docs" / "fidelity.md"
RUNTIMES, STRATEGIES = ("runc", "crun"), ("cold", "lazy")
MOST_SHOWN = 40


def main() -> int:
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started, rows = time.monotonic(), table()
    runs: dict[str, list[Verdicts]] = {}
    refused: dict[str, str] = {}
    failed: list[str] = []
    try:
        install_packages(say)
        lab = Lab.up(asked.lab, hosts=2, report=say)
        for runtime in asked.runtimes:
            for strategy in asked.strategies:
                try:
                    runs[f"{runtime}, {strategy}"] = there_and_back(lab, runtime, strategy, rows)
                except NotTried as refusal:
                    refused[f"{runtime}, {strategy}"] = str(refusal)
                except AssertionError as error:
                    failed.append(f"{runtime}, {strategy}: it did not move: {error}")
    except ReconcilerError as error:
        print(f"fidelity: {error}\n{error.fix}", file=sys.stderr)
        return 1
    finally:
        if not asked.keep:
            remove(asked.lab)
    report.write(runs)
    if asked.write_docs:
        report.write_docs(runs, refused, DOCS)
    count = report.summed(runs)
    print(", ".join(f"{number} {kind}" for kind, number in count.items()), f"({time.monotonic() - started:.0f} s)")
    print("\n".join(failed))
    return 1 if failed or count["unclassified"] else 0


def there_and_back(lab: Lab, runtime: str, strategy: str, rows: tuple[Row, ...]) -> list[Verdicts]:
    """Move a new probe from h1 to h2 and back; each time it is compared with what it was in the beginning."""
    found = []
    hosts.prepare(lab, say)
    with running(lab, runtime, strategy) as probe:
        before, rules = probe.record(), set[str]()
        for host in ("h2", "h1"):
            rules |= probe.move(host)  # what was lost on the way there was told then
            found.append(verdicts(before, probe.record(), rows, rules))
            counts = ", ".join(f"{number} {kind}" for kind, number in found[-1].count.items())
            say(f"{runtime}, {strategy}, to {host}: {found[-1].facts} facts: {counts}")
            for fact in found[-1].unknown[:MOST_SHOWN]:
                was, became = found[-1].unclassified[fact]
                say(f"    {fact!r}: {was!r:.200} became {became!r:.200}")
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fidelity", description="All that can be read of a workload, before and after moves."
    )
    parser.add_argument("--runtimes", nargs="*", default=RUNTIMES, choices=RUNTIMES)
    parser.add_argument("--strategies", nargs="*", default=STRATEGIES, choices=STRATEGIES)
    parser.add_argument("--lab", default="fidelity", help="its name (fidelity)")
    parser.add_argument("--keep", action="store_true", help="leave the lab, for a look and for the next run")
    parser.add_argument("--write-docs", action="store_true", help="write docs/fidelity.md")
    return parser.parse_args()


def say(text: str) -> None:
    print(f"  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
