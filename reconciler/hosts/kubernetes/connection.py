"""The one door to the client library: a kubeconfig becomes a connection, and what goes wrong with it an error.

lightkube reads kubeconfigs and makes the client with its TLS. What kubeconfigs call `exec`, a program that answers
with a token or a certificate, is run here: within a time limit, and in the protocol's current version."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx2 as httpx
from lightkube.config.client_adapter import AsyncClient, ConnectionParams
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.config.models import User, UserExec
from lightkube.core.exceptions import ConfigError

from reconciler.core import answers
from reconciler.errors import HostError, HostUnreachable, ReplyLost
from reconciler.hosts.kubernetes.api import HttpAnswer, Request
from reconciler.model.base import parse_duration
from reconciler.model.cluster import ClusterSpec
from reconciler.model.command import Seconds

CONNECT_LIMIT: Seconds = 10.0
EXEC_LIMIT: Seconds = 60.0
"""Longest the program of a kubeconfig's `exec` may take; it may talk to a login service."""
UNAUTHORIZED = 401
MOST_CONFIG = 2**20
_EXEC_GROUP = "client.authentication.k8s.io"
_EXEC_VERSIONS = ("v1", "v1beta1")


@dataclass(frozen=True)
class _Granted:
    """What an `exec` program has answered."""

    token: str = ""
    certificate: str = ""
    key: str = ""


class Connection:
    """One cluster's API server. It connects, and reads the kubeconfig, with the first request."""

    def __init__(self, name: str, spec: ClusterSpec) -> None:
        self._name = name
        self._spec = spec
        self._client: httpx.AsyncClient | None = None
        self._runs_exec = False
        self._lock = asyncio.Lock()

    async def send(self, request: Request) -> HttpAnswer:
        client = await self._connected()
        answer = await self._sent(client, request)
        if answer.status == UNAUTHORIZED and self._runs_exec:
            async with self._lock:  # its token has expired meanwhile: the program is asked once more
                if self._client is client:
                    self._client = None
                    await client.aclose()
            answer = await self._sent(await self._connected(), request)
        return answer

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _connected(self) -> httpx.AsyncClient:
        async with self._lock:
            if self._client is None:
                self._client = await self._made()
            return self._client

    async def _made(self) -> httpx.AsyncClient:
        config = self._config()
        self._runs_exec = bool(config.user and config.user.exec)
        if config.user is None:
            config = config._replace(user=User())
        assert config.user is not None
        if config.user.exec is not None:
            config = config._replace(user=await self._granted(config.user.exec))
        limit = httpx.Timeout(parse_duration(self._spec.timeout), connect=CONNECT_LIMIT)
        try:
            return AsyncClient(config, ConnectionParams(timeout=limit))
        except (OSError, ssl.SSLError, ValueError, ConfigError) as error:
            raise self._unusable(f"its certificates cannot be used: {_line(error)}") from error

    # --- the kubeconfig ---

    def _config(self) -> SingleConfig:
        spec = self._spec
        try:
            if spec.in_cluster:
                return _chosen(KubeConfig.from_service_account())
            path = self._path()
            if path.stat().st_size > MOST_CONFIG:
                raise self._unusable(f"{path} is larger than {MOST_CONFIG} bytes")
            return _chosen(KubeConfig.from_file(path), spec.context)
        except FileNotFoundError as error:
            raise self._unusable(f"there is no {error.filename}") from error
        except (ConfigError, OSError) as error:
            raise self._unusable(_line(error)) from error
        except HostError:
            raise
        except Exception as error:  # what the parsers of YAML and of its fields raise is of no one kind
            raise self._unusable(f"it is not a kubeconfig, or not whole ({_line(error)})") from error

    def _path(self) -> Path:
        named = self._spec.kubeconfig or os.environ.get("KUBECONFIG", "").partition(os.pathsep)[0]
        return Path(named or "~/.kube/config").expanduser()

    def _unusable(self, why: str) -> HostError:
        what = "the pod's service account" if self._spec.in_cluster else "the kubeconfig"
        fix = "set the Cluster's spec.kubeconfig and spec.context; see: kubectl config get-contexts"
        return HostError(f"{what} cannot be used", code="H222", where=self._name, why=why, fix=fix)

    async def _granted(self, wanted: UserExec) -> User:
        """The user that the program of `exec` makes of whoever asks."""
        group, _, version = wanted.apiVersion.partition("/")
        if group != _EXEC_GROUP or version not in _EXEC_VERSIONS:
            raise self._unusable(f"its exec program speaks {wanted.apiVersion}, which is not known here")
        info = {"apiVersion": wanted.apiVersion, "kind": "ExecCredential", "spec": {"interactive": False}}
        env = {**os.environ, **{pair.name: pair.value for pair in wanted.env or ()}}
        env["KUBERNETES_EXEC_INFO"] = json.dumps(info)
        try:
            process = await asyncio.create_subprocess_exec(
                wanted.command,
                *(wanted.args or ()),
                env=env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            hint = f"; {wanted.installHint}" if wanted.installHint else ""
            raise self._no_login(wanted, f"{error.strerror}{hint}") from error
        try:
            async with asyncio.timeout(EXEC_LIMIT):
                out, err = await process.communicate()
        except TimeoutError as error:
            process.kill()
            await process.wait()
            raise self._no_login(wanted, f"it did not end within {EXEC_LIMIT:g} s") from error
        if process.returncode != 0:
            said = err.decode(errors="replace").strip() or f"it ended with {process.returncode}"
            raise self._no_login(wanted, said)
        granted = _granted_by(out.decode(errors="replace"))
        if not granted.token and not (granted.certificate and granted.key):
            raise self._no_login(wanted, "it answered neither a token nor a certificate")
        user = User(token=granted.token or None)
        if granted.certificate:
            user.client_cert_data, user.client_key_data = _encoded(granted.certificate), _encoded(granted.key)
        return user

    def _no_login(self, wanted: UserExec, why: str) -> HostError:
        fix = f"try it by hand: {wanted.command} {' '.join(wanted.args or ())}".strip()
        return HostError(
            f"the kubeconfig's program {wanted.command} gave no login",
            code="H224",
            where=self._name,
            why=why,
            fix=fix,
        )

    # --- requests ---

    async def _sent(self, client: httpx.AsyncClient, request: Request) -> HttpAnswer:
        try:
            answer = await client.request(
                request.method,
                request.path,
                params=dict(request.query),
                content=request.body or None,
                headers={"Content-Type": request.content, "Accept": "application/json"},
                timeout=httpx.Timeout(request.timeout, connect=min(CONNECT_LIMIT, request.timeout)),
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise self._unreachable(error) from error
        except (httpx.HTTPError, httpx.InvalidURL, ConfigError) as error:
            why = _line(error) or f"no answer within {request.timeout:g} s"
            if request.changes:
                raise ReplyLost("the API server did not answer", where=self._name, why=why) from error
            raise HostUnreachable(
                "the API server did not answer", code="H228", where=self._name, why=why, fix="try again later"
            ) from error
        again, at = _seconds(answer.headers.get("Retry-After")), _time(answer.headers.get("Date"))
        return HttpAnswer(answer.status_code, answer.text, again, at)

    def _unreachable(self, error: Exception) -> HostError:
        text = _line(error)
        if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
            return HostError(
                "the API server's certificate is not of the authority that the kubeconfig names",
                code="H223",
                where=self._name,
                why=text,
                fix="get the kubeconfig anew; the cluster may have been made again",
            )
        fix = "see whether it answers: kubectl cluster-info"
        what = "the API server cannot be reached"
        return HostUnreachable(what, code="H221", where=self._name, why=text, fix=fix)


def _chosen(config: KubeConfig, context: str | None = None) -> SingleConfig:
    found = config.get(context)
    assert found is not None, "without a default it answers one, or raises"
    return found


def _granted_by(text: str) -> _Granted:
    raw = answers.mapping(answers.parsed(text, "a login"), "a login")
    status: dict[str, Any] = answers.mapping(raw.get("status"), "a login")
    return _Granted(
        answers.string(status.get("token"), "a token"),
        answers.string(status.get("clientCertificateData"), "a certificate"),
        answers.string(status.get("clientKeyData"), "a key"),
    )


def _encoded(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()


def _seconds(text: str | None) -> Seconds | None:
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else None


def _time(text: str | None) -> Seconds | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None


def _line(error: Exception) -> str:
    said = str(error).strip() or type(error).__name__
    return f"{said.splitlines()[0]}"
