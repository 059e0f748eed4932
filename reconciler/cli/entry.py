"""Where the program starts: before the rest of it is imported, so that not even that ends in a traceback."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def main() -> None:
    """The program `reconcile`. Exit codes are those of `reconciler.errors`."""
    try:
        from reconciler.cli.main import shielded

        code = shielded(sys.argv[1:])
    except KeyboardInterrupt:
        code = _ended("interrupted", 130)
    except ImportError as error:
        fix = "install it again, with all it needs"
        code = _ended(f"error[R003]: this installation is not complete: {error}\n  fix      {fix}", 1)
    except Exception as error:
        why = " ".join(filter(None, (type(error).__name__, str(error))))
        code = _ended(f"error[R003]: reconcile cannot start here: {why}", 1)
    sys.exit(code)


def _ended(text: str, code: int) -> int:
    with suppress(OSError):
        os.write(2, f"{text}\n".encode("utf-8", "backslashreplace"))
    return code
