"""The few calls of the tests' controller to a Kubernetes API, on objects as JSON has them."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2
from lightkube import ApiError, AsyncClient, KubeConfig
from lightkube.core.resource import NamespacedResource
from lightkube.types import PatchType

from tests.kube.objects import Object

TIMEOUT_SECONDS = 30.0
"""For one answer of a server on this machine, however busy."""
NOT_FOUND = 404


def now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Api:
    """A connection; use it as a context manager."""

    def __init__(self, kubeconfig: Path) -> None:
        config = KubeConfig.from_file(kubeconfig)
        # Its overloads want to know at check time whether a kind has namespaces.
        self._client: Any = AsyncClient(config=config, timeout=httpx2.Timeout(TIMEOUT_SECONDS), trust_env=False)

    async def __aenter__(self) -> Api:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def get(self, kind: Any, name: str, namespace: str = "") -> Object | None:
        try:
            return _plain(await self._client.get(kind, name, **_where(namespace)))
        except ApiError as error:
            if error.status.code == NOT_FOUND:
                return None
            raise

    async def list(self, kind: Any, labels: Mapping[str, str] | None = None) -> list[Object]:
        """In all namespaces."""
        everywhere = {"namespace": "*"} if issubclass(kind, NamespacedResource) else {}
        found = self._client.list(kind, labels=dict(labels or {}), **everywhere)
        return [_plain(one) async for one in found]

    async def create(self, kind: Any, body: Object) -> Object:
        return _plain(await self._client.create(kind.from_dict(body)))

    async def patch(self, kind: Any, name: str, namespace: str, body: Any) -> Object | None:
        """None if it is gone. A list is a JSON patch, all else a merge patch."""
        how = PatchType.JSON if isinstance(body, list) else PatchType.MERGE
        try:
            return _plain(await self._client.patch(kind, name, body, patch_type=how, **_where(namespace)))
        except ApiError as error:
            if error.status.code == NOT_FOUND:
                return None
            raise

    async def delete(self, kind: Any, name: str, namespace: str, *, grace: int | None = None) -> None:
        try:
            await self._client.delete(kind, name, grace_period=grace, **_where(namespace))
        except ApiError as error:
            if error.status.code != NOT_FOUND:
                raise

    async def watch(self, kind: Any) -> AsyncIterator[tuple[str, Object]]:
        async for event, found in self._client.watch(kind, namespace="*"):
            yield event, _plain(found)


def _plain(found: Any) -> Object:
    return dict(found.to_dict())


def _where(namespace: str) -> dict[str, str]:
    return {"namespace": namespace} if namespace else {}
