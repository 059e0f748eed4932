"""How much input is read. Far above real fleets, far below what hurts the controller."""

from __future__ import annotations

MAX_FILE_BYTES = 64 * 2**20
MAX_DEPTH = 64
"""Nesting of one document; the deepest field of a spec is at 7."""

MAX_NODES = 100_000
"""Values in one document, with every alias counted as often as it is used."""

MAX_NUMBER_CHARS = 64
MAX_INCLUDE_DEPTH = 32

MAX_SHOWN = 200
"""Findings that are shown; the rest is counted."""

MAX_MESSAGE_CHARS = 500
"""Of one finding: it may repeat what the user wrote."""

MAX_ISSUES = 200
"""After so many unreadable documents in one file, the rest of it is not tried."""
