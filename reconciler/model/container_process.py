"""What a container's processes may use, are told, and are kept from."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, Strict, model_validator

from reconciler.model.base import Duration, Model, Size, parse_duration
from reconciler.model.container_files import SecretRef
from reconciler.model.fields import CDI, ONE_LINE, PROFILE, Flag, Path, Seccomp


class Limits(Model):
    memory: Size | None = None
    memory_reservation: Size | None = Field(None, description="What it is pushed back to when the host runs short")
    memory_swap: Size | None = Field(None, description="Memory and swap together")
    cpus: Annotated[float, Strict(), Field(gt=0, le=4096, allow_inf_nan=False)] | None = None
    cpu_shares: Annotated[int, Strict(), Field(ge=2, le=262_144)] | None = None
    cpuset: Annotated[str, Field(pattern=r"^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$")] | None = None
    pids: Annotated[int, Strict(), Field(gt=0, le=4_194_304)] | None = None

    @model_validator(mode="after")
    def _swap(self) -> Self:
        if self.memory_swap is not None and self.memory is None:
            raise ValueError("`memorySwap` needs `memory`, which it is counted with")
        return self


MOST_FILES = 2**63 - 1
Amount = Annotated[int, Strict(), Field(ge=-1, le=MOST_FILES, description="-1: no limit")]


class Ulimit(Model):
    soft: Amount
    hard: Amount

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.hard != -1 and (self.soft == -1 or self.soft > self.hard):
            raise ValueError(f"`soft` {self.soft} is above `hard` {self.hard}")
        return self


def _both(value: object) -> object:
    return {"soft": value, "hard": value} if isinstance(value, int) and not isinstance(value, bool) else value


OneOrBoth = Annotated[Ulimit, BeforeValidator(_both, json_schema_input_type=int | Ulimit)]


class UlimitName(StrEnum):
    CORE = "core"
    CPU = "cpu"
    DATA = "data"
    FSIZE = "fsize"
    LOCKS = "locks"
    MEMLOCK = "memlock"
    MSGQUEUE = "msgqueue"
    NICE = "nice"
    NOFILE = "nofile"
    NPROC = "nproc"
    RSS = "rss"
    RTPRIO = "rtprio"
    RTTIME = "rttime"
    SIGPENDING = "sigpending"
    STACK = "stack"


class RestartPolicy(StrEnum):
    NO = "no"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"
    UNLESS_STOPPED = "unless-stopped"


class SecurityLabel(Model):
    """Parts of the SELinux label."""

    disable: Flag = False
    user: Annotated[str, Field(pattern=PROFILE)] | None = None
    role: Annotated[str, Field(pattern=PROFILE)] | None = None
    type: Annotated[str, Field(pattern=PROFILE)] | None = None
    level: Annotated[str, Field(pattern=r"^s[0-9]+(:c[0-9]+([,.]c[0-9]+)*)?$")] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.disable and (self.user or self.role or self.type or self.level):
            raise ValueError("`disable` leaves nothing for the other fields to mean")
        return self


class SecurityOptions(Model):
    seccomp: Seccomp | None = Field(
        None, description="A profile on the hosts, or `unconfined`. Default: the engine's own profile"
    )
    no_new_privileges: Flag = False
    apparmor: Annotated[str, Field(pattern=PROFILE)] | None = Field(
        None, description="A profile that is loaded on the hosts, or `unconfined`"
    )
    label: SecurityLabel | None = None


class Device(Model):
    """A device of the host: a path, or what a vendor calls it (CDI)."""

    path: Path | None = None
    target: Path | None = Field(None, description="Default: the same path")
    permissions: Annotated[str, Field(pattern=r"^r?w?m?$", min_length=1)] = "rwm"
    cdi: Annotated[str, Field(pattern=CDI)] | None = Field(None, description="Such as nvidia.com/gpu=all")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.path is None) == (self.cdi is None):
            raise ValueError("give exactly one of `path` and `cdi`")
        if self.cdi is not None and (self.target is not None or self.permissions != "rwm"):
            raise ValueError("`cdi` says all of a device; `target` and `permissions` go with `path`")
        if self.target == self.path:
            return self.model_copy(update={"target": None})
        return self

    @property
    def inside(self) -> str | None:
        """Its path in the container."""
        return self.target or self.path


class HealthProbe(Model):
    """A check that the engine runs for as long as the container does (its timers need systemd on the host). Moves
    have their own: `spec.health`."""

    command: list[str] = []
    disabled: Flag = Field(False, description="Not even the check that the image names")
    interval: Duration = "30s"
    timeout: Duration = "30s"
    start_period: Duration | None = None
    retries: Annotated[int, Strict(), Field(ge=1, le=1000)] = 3
    on_failure: Literal["none", "kill", "restart", "stop"] = "none"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.command) == self.disabled:
            raise ValueError("give exactly one of `command` and `disabled: true`")
        return self


def _own_word(value: object) -> object:
    return "k8s-file" if value == "json-file" else value


class Logging(Model):
    """Where output goes. `json-file`, as others call it, is `k8s-file` here."""

    driver: Annotated[
        Literal["k8s-file", "journald", "none", "passthrough"],
        BeforeValidator(_own_word, json_schema_input_type=Literal["k8s-file", "json-file", "journald", "none"]),
    ]
    max_size: Size | None = Field(None, description="Of the file, which then begins anew")
    tag: Annotated[str, Field(pattern=ONE_LINE)] | None = None

    @model_validator(mode="after")
    def _of_a_file(self) -> Self:
        if self.max_size is not None and self.driver != "k8s-file":
            raise ValueError(f"`maxSize` is of a file, and `{self.driver}` writes none")
        if self.tag is not None and self.driver == "none":
            raise ValueError("`tag` marks lines, and `none` writes none")
        return self


class RegistryLogin(Model):
    """Who pulls the image. The password is never in a spec."""

    user: Annotated[str, Field(pattern=ONE_LINE)]
    password: SecretRef


def whole_seconds(text: str) -> str:
    seconds = parse_duration(text)
    if seconds != int(seconds):
        raise ValueError(f"must be whole seconds, not `{text}`")
    return text
