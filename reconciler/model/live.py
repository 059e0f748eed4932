"""How a runtime moves that does so by itself: the part of a MigrationPolicy that such runtimes are told."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from reconciler.model.base import Duration, Model, Size
from reconciler.model.fields import Flag


class OnTimeout(StrEnum):
    """What becomes of a live migration that takes longer than it may. `abort`: it stays where it is. `suspend`: it
    stands still until all has arrived. `post-copy`: it runs at the destination, and its memory follows."""

    ABORT = "abort"
    SUSPEND = "suspend"
    POST_COPY = "post-copy"


class Transport(StrEnum):
    """How the two hosts' libvirt talk, and how memory goes. `tls`: encrypted, by certificates that both hosts
    have. `tcp`: in the clear, for networks that only the hosts are on."""

    TLS = "tls"
    TCP = "tcp"


class LiveMigration(Model):
    """Of virtual machines."""

    transport: Transport = Transport.TLS

    bandwidth: Size | None = Field(None, description="The most that is sent in a second; unset: as much as goes")
    within: Duration = Field("10m", description="How long it may take")
    on_timeout: OnTimeout = OnTimeout.ABORT
    auto_converge: Flag = Field(False, description="Slow the guest down when it writes faster than is sent")
