"""Reads request bodies within limits of size, time and memory, as they stream in. Never holds more than they allow."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.types import Message, Receive

READ_WITHIN: Final = 20.0
"""Seconds until a body that trickles is given up."""
LINGER: Final = 2.0
"""Seconds that we go on reading what we refused, because a sender that is still writing sees no answer."""


class Disconnected(Exception):
    """The client went away; nobody will read an answer."""


class SlowBody(Exception):
    """The body did not arrive in time."""


class NoRoom(Exception):
    """All memory set aside for bodies is taken."""


@dataclass(frozen=True, slots=True)
class TooLarge(Exception):
    """`start` is the part that was read before the limit."""

    start: bytes


class Room:
    """Memory set aside for the bodies of one process, in bytes."""

    def __init__(self, size: int) -> None:
        self._free = size

    def take(self, size: int) -> None:
        """Raises NoRoom."""
        if size > self._free:
            raise NoRoom
        self._free -= size

    def give_back(self, size: int) -> None:
        """What was taken."""
        self._free += size


async def read_body(receive: Receive, limit: int, room: Room, within: float = READ_WITHIN) -> bytes:
    """The whole body; the caller gives its length back to `room`.

    Raises TooLarge, SlowBody, NoRoom or Disconnected, after giving back what it took.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(within):
            while True:
                chunk, more = _chunk(await receive())
                if size + len(chunk) > limit:
                    raise TooLarge(b"".join([*chunks, chunk])[:limit])  # noqa: TRY301 (the clauses below give back)
                room.take(len(chunk))
                size += len(chunk)
                chunks.append(chunk)
                if not more:
                    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    except TimeoutError:
        room.give_back(size)
        raise SlowBody from None
    except (TooLarge, NoRoom, Disconnected):
        room.give_back(size)
        raise


async def discard(receive: Receive) -> None:
    """Reads on for a moment and forgets, so that a client that is still sending gets to see our answer."""
    try:
        async with asyncio.timeout(LINGER):
            while _chunk(await receive())[1]:
                pass
    except (TimeoutError, Disconnected):
        return


def _chunk(message: Message) -> tuple[bytes, bool]:
    if message["type"] == "http.disconnect":
        raise Disconnected
    return message.get("body", b""), message.get("more_body", False)
