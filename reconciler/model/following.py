"""How memory follows a restore from another host: the part of a MigrationPolicy that post-copies are told."""

from __future__ import annotations

from pydantic import Field

from reconciler.model.base import Model
from reconciler.model.fields import Flag


class PostCopy(Model):
    """How memory follows after a restore."""

    persist: Flag = Field(
        False,
        description="Until it has arrived it is written to the source's disk, too: the move outlasts a loss of the"
        " source's power",
    )
