"""One request of a watch's own, for webhooks: h11 knows the protocol, and every wait can be cancelled."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import h11

MOST_HEADERS: Final = 16384
"""Bytes of an answer's head."""


async def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Send a body; returns the status. It follows no redirect: what is signed for one place is not for another.
    OSError or ValueError when that fails."""
    parts = urlsplit(url)
    secure, host = parts.scheme == "https", parts.hostname or ""
    context = ssl.create_default_context() if secure else None
    port = parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(host, port, ssl=context, limit=MOST_HEADERS)
    try:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEADERS)
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        own = {"Host": parts.netloc.rpartition("@")[2], "Content-Length": str(len(body)), "Connection": "close"}
        request = h11.Request(method="POST", target=target, headers=list({**own, **headers}.items()))
        out = [connection.send(event) or b"" for event in (request, h11.Data(data=body), h11.EndOfMessage())]
        writer.write(b"".join(out))
        await writer.drain()
        while not isinstance(event := connection.next_event(), h11.Response):
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(4096))
        return event.status_code
    except h11.ProtocolError as error:
        raise ValueError(f"what answers there speaks no HTTP: {error}") from error
    finally:
        writer.transport.abort()
