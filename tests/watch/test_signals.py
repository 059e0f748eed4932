"""What a watch that runs does when it is sent signals. Real: the process; made up: what hosts answer."""

from __future__ import annotations

import signal
import time

from tests.bench.watching import watching

SOON = 60.0


def test_a_hang_up_reads_and_looks_again_and_a_termination_ends_it() -> None:
    with watching(5, "1h") as found:
        time.sleep(3)  # the edits by which its specs came to be have been noticed
        before, changed = found.looks, found.metric("reconciler_specs_changed_timestamp_seconds")
        found.job.send_signal(signal.SIGHUP)
        found.until_looks(before + 1)
        assert found.metric("reconciler_specs_changed_timestamp_seconds") > changed > 0
        found.job.send_signal(signal.SIGTERM)
        assert found.job.wait(SOON) == 0
