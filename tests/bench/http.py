"""The least HTTP/1.1 client that keeps its connections: the load must cost little beside what it loads."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit


class Connection:
    """One kept connection; one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self._reader, self._writer, self._host = reader, writer, host.encode()

    @classmethod
    async def to(cls, address: str) -> Connection:
        parts = urlsplit(address)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        return cls(reader, writer, parts.netloc)

    async def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body. Reads answers with a Content-Length only."""
        head = b"%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._writer.write(head % (method.encode(), path.encode(), self._host, len(body)) + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answer.partition(b"content-length:")[2].partition(b"\r\n")[0])
        return int(answer.split(None, 2)[1]), await self._reader.readexactly(length)

    def close(self) -> None:
        self._writer.close()


async def get(address: str, path: str) -> Any:
    """One GET on a connection of its own, its JSON decoded."""
    connection = await Connection.to(address)
    try:
        status, body = await connection.request("GET", path)
    finally:
        connection.close()
    if status != 200:
        raise ConnectionError(f"{address}{path} answered {status}")
    return json.loads(body)
