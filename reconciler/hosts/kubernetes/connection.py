"""The one door to the client library: a kubeconfig becomes a connection, and what goes wrong with it an error.

lightkube makes the TLS of a connection, httpx sends. Kubeconfigs are read by `kubeconfig`, their programs run by
`login`. Each request has one end, whatever the server does, and what comes back has a limit."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Generator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2 as httpx
from lightkube.config.client_adapter import ConnectionParams
from lightkube.config.kubeconfig import KubeConfig

from reconciler.core import answers
from reconciler.errors import HostError, HostUnreachable, ReplyLost
from reconciler.hosts.kubernetes import kubeconfig, login
from reconciler.hosts.kubernetes.api import HttpAnswer, Request
from reconciler.hosts.kubernetes.kubeconfig import ChosenContext, Unusable
from reconciler.model.base import parse_duration
from reconciler.model.cluster import ClusterSpec
from reconciler.model.command import Seconds

CONNECT_LIMIT: Seconds = 10.0
UNAUTHORIZED = 401
_ANEW = ("H221", "H223")
"""Nothing was sent: where the kubeconfig has been written anew since, the new one may be right."""


class _Bearer(httpx.Auth):
    """A token; one from a file is read again when it is refused."""

    def __init__(self, token: str = "", path: str = "") -> None:
        self._path = path
        self._token = token or kubeconfig.token_of(path)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._token}"
        answer = yield request
        if answer.status_code == UNAUTHORIZED and self._path:
            self._token = kubeconfig.token_of(self._path)
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request


class Connection:
    """One cluster's API server. It connects, and reads the kubeconfig, with the first request."""

    def __init__(self, name: str, spec: ClusterSpec) -> None:
        self._name = name
        self._spec = spec
        self._client: httpx.AsyncClient | None = None
        self._old: httpx.AsyncClient | None = None
        self._chosen: ChosenContext | None = None
        self._stamps: tuple[object, ...] = ()
        self._lock = asyncio.Lock()

    async def send(self, request: Request) -> HttpAnswer:
        client = await self._connected()
        try:
            answer = await self._sent(client, request)
        except HostError as error:
            if error.code not in _ANEW or not self._written_anew():
                raise
            return await self._sent(await self._connected(instead_of=client), request)
        runs_exec = self._chosen is not None and self._chosen.user.get("exec")
        if answer.status == UNAUTHORIZED and (runs_exec or self._written_anew()):
            # A token has expired meanwhile: the program is asked, and the file read, once more.
            return await self._sent(await self._connected(instead_of=client), request)
        return answer

    async def close(self) -> None:
        for client in (self._client, self._old):
            if client is not None:
                await client.aclose()
        self._client = self._old = None

    async def _connected(self, instead_of: httpx.AsyncClient | None = None) -> httpx.AsyncClient:
        async with self._lock:
            if self._client is None or self._client is instead_of:
                made = await self._made()
                if self._old is not None:
                    await self._old.aclose()
                self._old, self._client = self._client, made  # others may still be asking by the old one
            return self._client

    async def _made(self) -> httpx.AsyncClient:
        try:
            chosen = self._config()
            params = await self._params(chosen)
        except Unusable as error:
            raise self._unusable(str(error)) from None
        self._chosen, self._stamps = chosen, kubeconfig.stamps(chosen.files)
        try:
            return httpx.AsyncClient(**params)
        except Exception as error:  # what an address or a proxy can be wrong in is of no one kind
            raise self._unusable(f"no client can be made of it ({type(error).__name__})") from None

    def _config(self) -> ChosenContext:
        if self._spec.in_cluster:
            return kubeconfig.of_pod()
        return kubeconfig.read(kubeconfig.paths(self._spec.kubeconfig), self._spec.context)

    async def _params(self, chosen: ChosenContext) -> dict[str, Any]:
        """What the client is made of. TLS by lightkube; who asks by us."""
        raw, auth = dict(chosen.raw), None
        user = dict(raw["users"][0]["user"])
        path, token, run = user.pop("tokenFile", ""), chosen.user.get("token"), chosen.user.get("exec")
        if path:
            auth = _Bearer(path=path)
        elif token:
            auth = _Bearer(kubeconfig.credential(token))
        elif run:
            found = await login.granted(run, self._name)
            auth = _Bearer(found.token) if found.token else None
            if found.certificate:
                user["client-certificate-data"] = base64.b64encode(found.certificate.encode()).decode()
                user["client-key-data"] = base64.b64encode(found.key.encode()).decode()
        raw["users"] = [{"name": raw["users"][0]["name"], "user": user}]
        limit = httpx.Timeout(parse_duration(self._spec.timeout), connect=CONNECT_LIMIT)
        try:
            config = KubeConfig.from_dict(raw).get()
            assert config is not None, "it names its one context"
            params = ConnectionParams(timeout=limit, proxy=chosen.proxy).httpx_params(config)
        except Exception as error:  # parsers of fields, of base64, of PEM; files that are folders; and their words
            raise Unusable(
                f"its fields or its certificates cannot be used, or it is not whole ({_kind(error)})"
            ) from None
        return {**params, "auth": auth or params["auth"], "headers": list(chosen.acts_as)}

    def _written_anew(self) -> bool:
        return self._chosen is not None and kubeconfig.stamps(self._chosen.files) != self._stamps

    def _unusable(self, why: str) -> HostError:
        what = "the pod's service account" if self._spec.in_cluster else "the kubeconfig"
        fix = "set the Cluster's spec.kubeconfig and spec.context; see: kubectl config get-contexts"
        return HostError(f"{what} cannot be used", code="H222", where=self._name, why=why, fix=fix)

    # --- requests ---

    async def _sent(self, client: httpx.AsyncClient, request: Request) -> HttpAnswer:
        try:
            async with asyncio.timeout(request.timeout):
                return await self._answered(client, request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            raise self._unreachable(error) from error
        except Unusable as error:  # a token's file that is read again
            raise self._unusable(str(error)) from None
        except HostError as error:
            if request.changes:
                raise ReplyLost("what the API server did is not known", where=self._name, why=error.what) from None
            raise
        except Exception as error:  # of the client, of TLS, of sockets: the request may have been sent
            if isinstance(error, TimeoutError | httpx.TimeoutException):
                why = f"no whole answer within {request.timeout:g} s"
            else:
                why = _shown(error)
            if request.changes:
                raise ReplyLost("the API server did not answer", where=self._name, why=why) from None
            raise HostUnreachable(
                "the API server did not answer", code="H228", where=self._name, why=why, fix="try again later"
            ) from None

    async def _answered(self, client: httpx.AsyncClient, request: Request) -> HttpAnswer:
        sni = self._chosen.server_name if self._chosen else None
        async with client.stream(
            request.method,
            request.path,
            params=dict(request.query),
            content=request.body or None,
            headers={"Content-Type": request.content, "Accept": "application/json"},
            timeout=httpx.Timeout(request.timeout, connect=min(CONNECT_LIMIT, request.timeout)),
            extensions={"sni_hostname": sni} if sni else None,
        ) as answer:
            found = bytearray()
            async for part in answer.aiter_bytes():
                found += part
                if len(found) > request.most:
                    raise answers.refused(f"more than {request.most} bytes", "an answer", "one that can be read")
        again, at = _seconds(answer.headers.get("Retry-After")), _time(answer.headers.get("Date"))
        return HttpAnswer(answer.status_code, found.decode(errors="replace"), again, at)

    def _unreachable(self, error: Exception) -> HostError:
        text = _shown(error)
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


def _seconds(text: str | None) -> Seconds | None:
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 6 else None


def _time(text: str | None) -> Seconds | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None


def _kind(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) else ""
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _shown(error: Exception) -> str:
    """What the network said. Errors about the request itself repeat its headers, and so who asks: never shown."""
    shows = isinstance(error, httpx.NetworkError | httpx.TimeoutException | httpx.RemoteProtocolError)
    said = str(error).strip() if shows else ""
    return said.splitlines()[0] if said else _kind(error)
