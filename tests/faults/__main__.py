"""`make faults`: every case of the matrix on real hosts, two labs at a time; results in build/faults.json
and build/faults-details.json, of other runtimes than Podman in build/faults-RUNTIME.json."""

from __future__ import annotations

import argparse
import atexit
import json
import os
import queue
import re
import signal
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path

from reconciler.lab import Lab, lab_names, remove
from tests import results
from tests.faults.bench import HOSTS, Bench
from tests.faults.cases import everywhere, matrix
from tests.faults.grounds import GROUNDS, PODMAN, Ground
from tests.faults.model import Case, Verdict
from tests.faults.referee import Referee

FIGURES = results.BUILD / "faults-figures.json"
"""How long clients wait when a move is taken back at the last moment."""


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: _stop())
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a case of its own, also under `nohup`
    options = _options()
    ground = GROUNDS[options.runtime]
    known = matrix() if ground is PODMAN else everywhere(pauses=ground.pauses)
    cases = [c for c in known if not options.only or _matches(c.name, options.only)]
    file = results.details(ground.results)
    kept = _passed(file, {case.name for case in known}) if options.again else {}
    cases = [c for c in cases if c.name not in kept]
    if options.list:
        for case in cases:
            print(f"{case.name:<72} {'/'.join(sorted(case.allowed))}")
        print(f"{len(cases)} cases")
        return 0
    began = time.monotonic()
    verdicts = run_all(cases, options.labs, kept, ground)
    minutes = (time.monotonic() - began) / 60
    figures: dict[str, object] = {}
    if ground is PODMAN and (not options.only or options.figures):
        from tests.faults.figures import measure

        figures = measure()
    passed = sum(v.ok for v in verdicts)
    if figures:
        FIGURES.write_text(json.dumps(figures, indent=1))
    table(verdicts)
    print(f"\n{passed} of {len(verdicts)} cases passed in {minutes:.1f} minutes; details in {file}")
    for name, value in figures.items():
        print(f"{name}: {value}")
    return 0 if passed == len(verdicts) else 1


STOPPING = threading.Event()
"""A case under way whose lab is taken down has not failed."""


def _stop() -> None:
    STOPPING.set()
    sys.exit(143)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--only", metavar="PATTERN", action="append", help="names of cases, e.g. '*commit*'")
    parser.add_argument(
        "--runtime", choices=GROUNDS, default=PODMAN.runtime, help="whose moves; the others have fewer cases"
    )
    parser.add_argument("--list", action="store_true", help="name the cases and end")
    parser.add_argument("--labs", type=int, default=2, help="how many labs work at once")
    parser.add_argument("--again", action="store_true", help="only what has not passed by the last results")
    parser.add_argument("--figures", action="store_true", help="measure aborts also with --only")
    return parser.parse_args()


def _passed(file: Path, known: set[str]) -> dict[str, Verdict]:
    """Verdicts of the last run, or of the one that was interrupted."""
    found = json.loads(file.read_text()) if file.exists() else []
    return {row["case"]: Verdict(**row) for row in found if row["ok"] and row["case"] in known}


def _save(name: str, verdicts: list[Verdict]) -> None:
    file = results.details(name)
    file.parent.mkdir(exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps([asdict(v) for v in verdicts], indent=1))
    fresh.replace(file)
    results.write(name, map(asdict, verdicts))


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch(name, p) or p in name for p in patterns)


def run_all(cases: list[Case], labs: int, kept: dict[str, Verdict], ground: Ground) -> list[Verdict]:
    """Run the cases on so many labs, which are taken down whatever happens. Results are kept after each case."""
    work: queue.SimpleQueue[Case] = queue.SimpleQueue()
    for case in cases:
        work.put(case)
    verdicts = dict(kept)
    saving = threading.Lock()
    names = [f"faults-{os.getpid()}-{number}" for number in range(min(labs, len(cases)))]
    remove_orphans()
    for name in names:
        atexit.register(remove, name)

    def worker(name: str) -> None:
        lab = Lab.up(name, hosts=len(HOSTS), backend=ground.backend)
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            bench = Bench(lab, Path(folder), ground=ground)
            while not work.empty():
                case = work.get()
                verdict = Referee(bench, case).judge()
                if STOPPING.is_set():
                    return
                with saving:
                    verdicts[case.name] = verdict
                    _save(ground.results, list(verdicts.values()))
                line = (
                    f"{'ok  ' if verdict.ok else 'FAIL'} {case.name}  {verdict.outcome}  {verdict.seconds:.0f} s"
                )
                print(
                    "\n     ".join([f"{line}  [{len(verdicts)}/{len(cases) + len(kept)}]", *verdict.problems]),
                    flush=True,
                )
        remove(name)

    workers = [threading.Thread(target=worker, args=(name,), name=name, daemon=True) for name in names]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    return list(verdicts.values())


def remove_orphans() -> None:
    """Labs of runs that were killed: the name holds the run's PID."""
    for name in lab_names():
        match = re.fullmatch(r"faults-(\d+)-.*", name)
        if match and not Path("/proc", match[1]).exists():
            remove(name)


def table(verdicts: list[Verdict]) -> None:
    """All results, for people."""
    print(f"\n{'case':<72} {'outcome':<8} {'exit':>4} {'gap':>7} {'back':>6}  ok")
    for v in verdicts:
        gap = f"{v.gap_s:.2f} s" if v.gap_s is not None else ""
        back = f"{v.back_s:.1f} s" if v.back_s is not None else ""
        print(f"{v.case:<72} {v.outcome:<8} {v.exit!s:>4} {gap:>7} {back:>6}  {'yes' if v.ok else 'NO'}")
        for problem in v.problems:
            print(f"    {problem.splitlines()[0]}")


if __name__ == "__main__":
    sys.exit(main())
