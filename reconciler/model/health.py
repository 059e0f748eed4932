"""How a workload is asked whether it is well."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from reconciler.model.base import Duration, Model
from reconciler.model.fields import Port


class TcpCheck(Model):
    port: Port


class HttpCheck(Model):
    port: Port
    path: Annotated[str, Field(pattern=r"^/[!-~]*$")] = "/"


class HealthCheck(Model):
    """Exactly one of `command` (inside the container), `tcp` and `http`; tried until `within` has passed."""

    command: list[str] | None = None
    tcp: TcpCheck | None = None
    http: HttpCheck | None = None
    within: Duration = "10s"

    @model_validator(mode="after")
    def _one_check(self) -> Self:
        if sum(c is not None for c in (self.command, self.tcp, self.http)) != 1:
            raise ValueError("give exactly one of `command`, `tcp` and `http`")
        return self
