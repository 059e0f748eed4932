"""What the machine that reconcile runs on refuses, as an error like all others."""

from __future__ import annotations

import errno
import os

from reconciler.errors import ReconcilerError

REFUSALS = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG),
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG),
    }
)
"""Errors of the system that say something about the machine, whoever asked it."""


def of_the_machine(error: Exception) -> ReconcilerError | None:
    """What the machine refused; None where that is no reason, and the program is wrong."""
    if isinstance(error, MemoryError):
        return ReconcilerError("this machine has no memory left", code="R002")
    if isinstance(error, ImportError):
        fix = "install it again, with all it needs"
        return ReconcilerError("this installation is not complete", code="R003", why=str(error), fix=fix)
    if not isinstance(error, OSError):
        return None
    try:
        os.getcwd()
    except OSError as gone:
        what, fix = "the current folder is gone or closed", "go to another folder: cd"
        return ReconcilerError(what, code="R002", why=gone.strerror or "", fix=fix)
    nowhere = error.errno == errno.ENOENT and error.filename is None  # such as: no folder for temporary files
    if error.errno not in REFUSALS and not nowhere:
        return None
    named = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    return ReconcilerError(f"the machine refused: {error.strerror}", code="R002", where=named)
