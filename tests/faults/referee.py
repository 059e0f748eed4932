"""Runs one case and judges it, by what the kernel, a connected client and the program itself say."""

from __future__ import annotations

import os
import shlex
import signal
import time
from contextlib import suppress

from reconciler.lab.probe import Probe, ProbeResult
from tests.faults import blows, controller
from tests.faults.bench import HOSTS, Bench, Done, placed
from tests.faults.grounds import NAME
from tests.faults.model import Case, Outcome, Verdict
from tests.faults.shapes import SHAPES, Scene
from tests.faults.watch import Watch

BACK_WITHIN_SECONDS = 19.0
"""How long after an exit code that says so a copy may take to be seen running: a hold that nobody could end
resumes by itself, after `bench.SILENCE`."""
ANSWER_WITHIN_SECONDS = 30.0


class Referee:
    """One case on a bench."""

    def __init__(self, bench: Bench, case: Case) -> None:
        self.bench = bench
        self.case = case
        self.verdict = Verdict(case.name, sorted(case.allowed))
        self.journal = "journal.db"
        self._lost_in = ""
        self._given_up = False
        self._cold = False

    def judge(self) -> Verdict:
        """Run the case. Whatever goes wrong is a problem of the verdict."""
        began = time.monotonic()
        self.bench.watch = Watch(self.bench.lab.name, HOSTS)
        try:
            self._judge()
        except Exception as error:
            self._problem(f"{type(error).__name__}: {error}")
        finally:
            with suppress(Exception):
                self.bench.unmount_small()
            with suppress(RuntimeError):
                self.bench.watch.stop()
        self.verdict.seconds = round(time.monotonic() - began, 1)
        self.verdict.ok = not self.verdict.problems
        self.bench.dirty = not self.verdict.ok or not self.case.moves
        return self.verdict

    def _judge(self) -> None:
        bench, case = self.bench, self.case
        assert bench.watch
        bench.policy(case.policy)
        scene = SHAPES[case.shape](bench)
        if case.small_journal:
            self.journal = bench.mount_small("journal.db")
        for do, role, argument in case.before:
            blows.BLOWS[do](bench.lab, scene.hosts[role], argument)
        bench.watch.start()
        probe = Probe(bench.address, checksums=True)
        watched = case.moves
        if watched:
            probe.start()
        try:
            done = self._struck(scene)
            self._notice(probe, "the struck apply")
            self._at_once(done, scene)
            time.sleep(case.wait_s)
            if case.wait_s and watched and not scene.as_before():
                self._problem(f"it did not resume by itself within {case.wait_s:g} s")
            blows.repair(bench.lab)
            bench.free_small()
            self._notice(probe, "making good")
            self._resume(scene)
            self._notice(probe, "resume")
            self._converge(scene)
            if watched and (self.case.keeps or self.case.tells):
                self._answered(probe)
        finally:
            seen = probe.stop() if watched else None
        self._client(seen, scene)

    # --- phases ---

    def _struck(self, scene: Scene) -> Done:
        """The run that is struck."""
        strikes = placed(self.case.strikes, scene.hosts)
        process, job = self.bench.start(*scene.apply, strikes=strikes, journal=self.journal)
        if self.case.zombie:
            deadline = time.monotonic() + 60
            while not controller.strikes_log(job.output).exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            time.sleep(0.2)
            for host in self.bench.lab.hosts:
                blows.expire_leases(self.bench.lab, host.name, "")
            other = self.bench.run("resume", journal="second.db")
            if other.exit != 0:
                self._problem(f"the second controller ended with {other.exit}: {other.output[-600:]}")
            os.kill(process.pid, signal.SIGCONT)
        done = self.bench.finish(process, job)
        self.verdict.exit = done.exit
        if not done.struck_at:
            self._problem(f"the fault was never reached: {done.output[-600:]}")
        if self.case.exits and done.exit not in self.case.exits:
            self._problem(f"exit code {done.exit}, allowed {sorted(self.case.exits)}: {done.output[-900:]}")
        if "\x1b" in done.output or len(done.output) > 100_000:
            self._problem(f"what a host said reached the terminal: {done.output[:600]!r}")
        if "Traceback" in done.output or "bug of Reconciler" in done.output:
            self._problem(f"a crash: {done.output[-1500:]}")
        return done

    def _at_once(self, done: Done, scene: Scene) -> None:
        """What an exit code promises holds at once, before anything is made good."""
        if not self.case.moves or self.case.zombie:
            return
        if done.exit == 0 and not scene.as_wanted() and not self._may_be_nowhere():
            self._problem(f"exit 0, but running on {self.bench.running()}")
        elif done.exit in (1, 130):
            deadline = time.monotonic() + BACK_WITHIN_SECONDS
            while len(self.bench.running()) != 1 and time.monotonic() < deadline:
                time.sleep(0.1)
            if len(self.bench.running()) != 1 and not self._may_be_nowhere():
                self._problem(f"exit {done.exit}, but running on {self.bench.running()}: {done.output[-900:]}")
        elif done.exit == 5:
            code, rows = self.bench.status(self.journal)
            if not rows or not any(word in rows[0]["next"] for word in ("resume", "resolve")):
                self._problem(f"in doubt, but status ({code}) says {rows}")
        if done.struck_at and self.bench.watch:
            self.verdict.back_s = self.bench.watch.runs_again_after(done.struck_at[0], scene.source)

    def _may_be_nowhere(self) -> bool:
        return Outcome.LOST in self.case.allowed or not self.case.keeps

    def _resume(self, scene: Scene) -> None:
        """Status names the next command, and that command ends it."""
        journal = "another.db" if self.case.forget else self.journal
        _, rows = self.bench.status(journal)
        for row in rows:
            if "reconcile res" not in row.get("next", ""):
                self._problem(f"unfinished, but the next command is {row}")
        done = self.bench.run("resume", journal=journal)
        if done.exit in (1, 5):
            self._decide(journal)
        elif done.exit != 0 and Outcome.LOST not in self.case.allowed:
            self._problem(f"resume ended with {done.exit}: {done.output[-1200:]}")
        elif rows and "Nothing" in done.output:
            self._problem(f"status said {rows}, resume found nothing")
        self.verdict.outcome = self._outcome(scene)
        if self.verdict.outcome not in self.case.allowed:
            self._problem(f"outcome {self.verdict.outcome or self.bench.running()}: {done.output[-900:]}")
        if self.case.forget and (again := self.bench.run("resume", journal=self.journal)).exit != 0:
            self._problem(f"the first controller's resume ended with {again.exit}: {again.output[-600:]}")

    def _decide(self, journal: str) -> None:
        """What cannot be resumed is decided by the one command that status names."""
        code, rows = self.bench.status(journal)
        named = [row["next"] for row in rows if row["next"].startswith("reconcile resolve")]
        if not named:
            self._problem(f"unfinished after resume, status ({code}) says {rows}")
            return
        argv = shlex.split(named[0].replace("TEXT", "both-hosts-were-looked-at"))[1:]
        done = self.bench.run(*argv, journal=journal)
        if done.exit != 0:
            self._problem(f"`{named[0]}` ended with {done.exit}: {done.output[-600:]}")
        self._given_up = "--lost" in argv
        self._cold = "--cold" in argv
        if (left := self.bench.status(journal))[0] != 0:
            self._problem(f"unfinished after `{named[0]}`: {left}")
        for line in self.bench.leftovers():
            if f"{NAME} exited" not in line and f"{NAME} created" not in line:
                self._problem(f"after `{named[0]}`: {line}")

    def _outcome(self, scene: Scene) -> str:
        if self._cold and len(self.bench.running()) == 1:
            return Outcome.LOST
        if scene.as_wanted():
            return Outcome.FORWARD
        if scene.as_before():
            return Outcome.BACK
        if not self.bench.running():
            return next((o for o in (Outcome.LOST, Outcome.ENDED) if o in self.case.allowed), Outcome.HELD)
        return ""

    def _converge(self, scene: Scene) -> None:
        """From here on everything is as if nothing had been."""
        blows.untype(self.bench.lab)
        if (
            self.verdict.outcome in (Outcome.LOST, Outcome.ENDED)
            and "refused" in self.bench.run("plan", journal=self.journal).output
        ):
            # As the plan says: start what is left of it where it is, then move it.
            self.bench.repo.place(NAME, scene.source)
            if (started := self.bench.run(*scene.apply, journal=self.journal)).exit != 0:
                self._problem(f"it cannot be started where it was: {started.output[-900:]}")
            self.bench.repo.place(NAME, scene.destination)
        done = self.bench.run(*scene.apply, journal=self.journal)
        if done.exit != 0 or not scene.as_wanted():
            self._problem(
                f"the next apply ended with {done.exit} on {self.bench.running()}: {done.output[-1200:]}"
            )
            return
        planned = self.bench.run("plan", "--detailed-exitcode", journal=self.journal)
        if planned.exit != 0:
            self._problem(f"a plan after it: {planned.exit}: {planned.output[-600:]}")
        if scene.runs and (said := self.bench.said_to_run()) != [scene.destination]:
            self._problem(f"{self.bench.ground.runtime} says it runs on {said}")
        tasks = self.bench.watch.tasks() if self.bench.watch else []
        if len(tasks) != int(scene.runs):
            self._problem(f"processes of the workload: {tasks}")
        if scene.runs:
            kept = f"left on {scene.source}: {NAME} exited" if self._given_up else None
            for line in self.bench.leftovers():
                if line != kept:
                    self._problem(line)

    def _answered(self, probe: Probe) -> None:
        """Wait until the client hears again: its kernel may send its last question again only after a while."""
        before = probe.result()
        deadline = time.monotonic() + ANSWER_WITHIN_SECONDS
        while probe.result().replies <= before.replies + 1 and not probe.result().error:
            if time.monotonic() > deadline:
                self._problem(
                    f"the client hears nothing, {ANSWER_WITHIN_SECONDS:g} s after everything was settled"
                )
                return
            time.sleep(0.05)

    def _notice(self, probe: Probe, phase: str) -> None:
        """Remember in which phase the client lost its connection."""
        if probe.result().error and not self._lost_in:
            self._lost_in = f"in {phase}"

    def _client(self, seen: ProbeResult | None, scene: Scene) -> None:
        assert self.bench.watch
        watch = self.bench.watch.stop()
        self.verdict.problems += watch.twice[:3]
        if watch.looks < 5:
            self._problem("nobody watched")
        if seen is None:
            return
        self.verdict.gap_s = round(seen.longest_wait_seconds, 3)
        if self.case.keeps and not seen.survived:
            self._problem(
                f"the client's connection ended: {seen.error or 'no replies'} {self._lost_in or 'at the end'}"
            )
        elif (self.case.keeps or seen.checksum_after) and not seen.memory_intact:
            self._problem(f"memory changed: {seen.checksum_before} -> {seen.checksum_after}")

    def _problem(self, text: str) -> None:
        self.verdict.problems.append(text.strip())
