"""One group of programs: made on h1, moved to h2 and back by the real program, watched all the time."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reconciler.errors import CommandFailed
from reconciler.lab import NETWORK, Lab
from reconciler.lab.tools import Report
from tests.compat import hosts
from tests.compat.catalog import VOLUME, Program
from tests.compat.clients import Lost, Watch
from tests.compat.image import IMAGE
from tests.compat.inside import Inside
from tests.lab.repo import Repo

ROUTE = ("h2", "h1")
PROGRESS_SECONDS = 20.0
APPLY_SECONDS = 600.0
ADDRESSES = 28

Verdict = Literal["moved", "refused", "put back", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What came of one program. `lost`: it does not run any more, or not with the state it had."""

    program: str
    expected: str
    reason_expected: bool
    verdict: Verdict
    reason: str
    lost: bool
    survives: str
    longest_wait_ms: int | None = None
    asked: int = 0

    @property
    def as_expected(self) -> bool:
        return self.verdict == self.expected and self.reason_expected and not self.lost


@dataclass
class Session:
    """A program that runs, with what is attached to it."""

    program: Program
    name: str
    at: str
    watch: Watch | None = None
    inside: Inside | None = None
    seen: int = -1
    processes: str = ""
    refused: str = ""
    """Rule and message of a refusal."""
    again: str = ""
    """Why it was put back and tried a second time."""
    failed: str = ""
    trouble: str = ""
    lost: bool = False

    @property
    def attached(self) -> bool:
        return bool(self.processes)

    @property
    def going(self) -> bool:
        return not (self.refused or self.failed or self.trouble)

    def verdict(self) -> Verdict:
        if self.trouble:
            return "failed"
        if self.refused:
            return "refused"
        return "put back" if self.failed.startswith("put-back") else "failed" if self.failed else "moved"

    def outcome(self) -> Outcome:
        verdict = self.verdict()
        again = f"at the second try; at the first {self.again}" if self.again else ""
        reason = "; ".join(filter(None, (self.refused, self.failed, self.trouble, again)))
        wait = round(self.watch.longest_wait_seconds * 1000) if self.watch and verdict == "moved" else None
        return Outcome(
            self.program.name,
            self.program.expected,
            f"{self.program.refused_by}{self.program.put_back}" in reason,
            verdict,
            reason,
            self.lost,
            self.program.survives,
            wait,
            self.watch.asked if self.watch else 0,
        )


class Movers:
    """The lab, and the specs that the programs are in."""

    def __init__(self, lab: Lab, folder: Path, image_id: str, report: Report) -> None:
        self._lab, self._image, self._report = lab, image_id, report
        self._repo = Repo(folder, lab, patience=APPLY_SECONDS)
        self._made = 0
        self._started = time.monotonic()

    def move(self, group: Sequence[Program]) -> list[Outcome]:
        """Move a group there and back; every program gets an outcome, whatever happens to the others."""
        sessions = [self._declare(program) for program in group]
        hosts.filter_syscalls(self._lab, off=any(program.unconfined for program in group))
        try:
            self._make(sessions)
            for session in [s for s in sessions if s.going]:
                self._guarded(session, self._attach)
            for host in ROUTE:
                self._to(host, [s for s in sessions if s.going])
                for session in [s for s in sessions if s.attached]:
                    self._guarded(session, self._check)
            for session in [s for s in sessions if s.attached]:
                self._guarded(session, self._finish)
        finally:
            for session in sessions:
                if session.watch:
                    session.watch._stop.set()
            hosts.filter_syscalls(self._lab, off=False)
            for session in sessions:
                self._repo.workloads[session.name]["state"] = "absent"
        outcomes = [session.outcome() for session in sessions]
        for outcome in outcomes:
            wait = f", longest wait {outcome.longest_wait_ms} ms" if outcome.longest_wait_ms is not None else ""
            lost = " LOST" if outcome.lost else ""
            took = time.monotonic() - self._started
            self._report(f"{took:4.0f} s  {outcome.program:<22} {outcome.verdict}{lost}{wait}  {outcome.reason}")
        return outcomes

    def _make(self, sessions: Sequence[Session]) -> None:
        """Create this group, and remove the one before it."""
        made = self._apply("--allow-removals", "50")
        for session in sessions:
            found = _of(made, session.name)
            if found["state"] != "done":
                session.failed = f"not made: {_reason(found)} {made['refused'] or ''}"

    def _declare(self, program: Program) -> Session:
        name = re.sub(r"[^a-z0-9]+", "-", program.name.lower())
        number, self._made = self._made % ADDRESSES, self._made + 1
        mac = f"02:00:00:01:{self._lab.subnet[0].packed[2]:02x}:{number:02x}"
        container = {
            "image": IMAGE,
            "command": list(program.command),
            "networks": [{"name": NETWORK, "ip": self._repo.address(number), "mac": mac}],
            "volumes": [{"name": f"{name}-data", "target": VOLUME}],
        } | program.container
        self._repo.workloads[name] = {"container": container, "placement": {"host": "h1"}}
        self._repo.write()
        return Session(program, name, "h1")

    def _apply(self, *arguments: str) -> dict[str, Any]:
        self._repo.write()
        before = time.monotonic()
        done = self._repo.run("apply", "--yes", "--json", *arguments, expect=None)
        self._report(f"      reconcile apply took {time.monotonic() - before:.1f} s")
        if not done.stdout.strip():
            raise RuntimeError(f"reconcile apply ended with {done.returncode}: {done.stderr.strip()[-600:]}")
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    def _to(self, host: str, sessions: Sequence[Session]) -> None:
        """One `reconcile apply` for all; those it refuses stay where they are, and the rest is asked for again."""
        for session in sessions:
            self._repo.place(session.name, host)
        while sessions:
            said = self._apply()
            refused = {f["where"]["workload"]: f"{f['code']}: {f['message']}" for f in said["refused"]}
            for session in sessions:
                session.refused = refused.get(session.name, "")
                if session.refused:
                    self._repo.place(session.name, session.at)
                    continue
                found = _of(said, session.name)
                if found["state"] == "done":
                    session.at = host
                elif session.again or (session.program.put_back and not refused):
                    session.failed = _reason(found)
                    self._repo.place(session.name, session.at)
                elif not refused:
                    session.again = _reason(found)
            sessions = [s for s in sessions if s.going and s.at != host]

    def _attach(self, session: Session) -> None:
        address = self._repo.workloads[session.name]["container"]["networks"][0]["ip"]
        if session.program.from_host:
            pid = self._lab.exec("h1", ["podman", "inspect", "--format", "{{.State.Pid}}", session.name]).stdout
            self._lab.exec("h1", ["sh", "-c", f"PID={pid.strip()}; {session.program.from_host}"])
        if session.program.client:
            session.watch = Watch(session.program.client(address)).start()
        if session.program.inside:
            session.inside = session.program.inside(lambda text: self._in(session, text))
            self._look(session)
        session.processes = self._processes(session)

    def _check(self, session: Session) -> None:
        """Is it where it should be, the very same processes, with the state it had?"""
        if running := self._repo.running_on(session.name):
            session.at = running[0]
        if len(running) != 1:
            raise Lost(f"it runs on {' and '.join(running) or 'no host'}")
        if session.watch and (trouble := session.watch.progress(PROGRESS_SECONDS)):
            raise Lost(trouble)
        if session.inside:
            self._look(session)
        now = self._processes(session)
        if gone := set(session.processes.splitlines()) - set(now.splitlines()):
            raise Lost(f"processes are gone: {', '.join(sorted(gone))}")

    def _look(self, session: Session) -> None:
        assert session.inside
        count = session.inside.look()
        if count <= session.seen:
            raise Lost(f"its count was {session.seen} and is {count}")
        session.seen = count

    def _finish(self, session: Session) -> None:
        if session.watch:
            session.watch.stop()

    def _guarded(self, session: Session, what: Any) -> None:
        if session.trouble:
            return
        try:
            what(session)
        except (Lost, OSError, ValueError, IndexError, KeyError, CommandFailed) as error:
            session.trouble, session.lost = f"{error}", session.attached
            self._report(f"{session.name}: {error}\n{self._logs(session)}")

    def _in(self, session: Session, text: str) -> str:
        return self._lab.exec(session.at, ["podman", "exec", session.name, "sh", "-c", text]).stdout.strip()

    def _processes(self, session: Session) -> str:
        """PID, inside, and name of what has run from the start: short-lived helpers come and go."""
        listed = self._lab.exec(session.at, ["podman", "top", session.name, "pid", "comm"]).stdout.splitlines()[1:]
        return "\n".join(line for line in map(str.strip, listed) if not re.search(r"\b(sleep|ps|sh)$", line))

    def _logs(self, session: Session) -> str:
        argv = ["podman", "logs", "--tail", "5", session.name]
        try:
            done = self._lab.exec(session.at, argv, check=False, timeout_seconds=10)
        except subprocess.TimeoutExpired:
            return ""
        return (done.stdout + done.stderr).strip()


def _of(said: dict[str, Any], name: str) -> dict[str, Any]:
    """How the change of one workload ended."""
    changes = {change["workload"]: change for change in said["changes"]}
    found: dict[str, Any] = changes.get(name, {"state": "not planned", "errors": []})
    return found


def _reason(found: dict[str, Any]) -> str:
    """The first error of a failed move, with what CRIU said last."""
    errors = [error for error in found["errors"] if not error["undo"]] or found["errors"]
    if not errors:
        return str(found["state"])
    lines = [line.strip() for line in str(errors[0]["message"]).splitlines() if line.strip()]
    return f"{found['state']}: {errors[0]['step']}: {' | '.join([lines[0], *lines[-2:]][: len(lines)])}"
