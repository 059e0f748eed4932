"""For all tests."""

import signal

# Whoever started the tests with `nohup` did not mean the programs that they start: SIGHUP is one of their cases.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
