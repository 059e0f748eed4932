"""A repository of restic as a store of checkpoints: where it is, who works on it, and where its secrets are."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from reconciler.model.base import Model, Name
from reconciler.model.container_files import SecretRef
from reconciler.model.fields import EnvName, OneLine

STAGING = "/var/lib/reconciler/restic"
"""Where a host keeps what it needs to work on repositories, and checkpoints for as long as they are used."""
_OURS = frozenset({"PATH", "HOME", "IFS", "ENV", "LD_PRELOAD", "LD_LIBRARY_PATH"})
_SECRET_IN_URL = re.compile(r"://[^/@\s]*:[^/@\s]*@")


class ResticStore(Model):
    """A repository of restic, worked on by the restic of a host of the specs. Secrets are named, never written
    out: values come from the controller with each command, on its standard input."""

    on: Name = Field(description="The host whose restic works on it")
    repository: OneLine = Field(description="As restic has it: a folder of that host, sftp:, s3:, rest: and so on")
    fleet: Name = Field(
        description="What this fleet is called in it; each one that shares a repository has a name of its own"
    )
    password_file: Annotated[str, Field(pattern=r"^/[^\x00-\x1f\x7f]*$")] | None = Field(
        None, description="A file of that host"
    )
    password: SecretRef | None = Field(None, description="Where the controller has it")
    env: Annotated[dict[EnvName, SecretRef], Field(max_length=50)] = Field(
        {}, description="Variables that restic needs, such as AWS_ACCESS_KEY_ID, and where the controller has them"
    )

    @field_validator("repository")
    @classmethod
    def _no_secret(cls, value: str) -> str:
        if _SECRET_IN_URL.search(value):
            raise ValueError("the repository has a password in it; name the user and it in `env`")
        return value

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if (self.password is None) == (self.password_file is None):
            raise ValueError("give exactly one of `password` and `passwordFile`")
        if taken := sorted(name for name in self.env if name in _OURS or name.startswith("RESTIC_PASSWORD")):
            raise ValueError(f"`env` must not set {', '.join(taken)}")
        return self
