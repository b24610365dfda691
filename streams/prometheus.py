"""Asks Prometheus what a policy's queries give. Bounded in time and at once, and never a reason to wait for an alert.

What fails is an answer without a number, with the reason; after several failures in a row nobody is asked for a while,
so that a dead Prometheus costs every batch of alerts nothing.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated, Final, Literal

import httpx
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from models.rates import Answer, Answers

AT_ONCE: Final = 8
FAILURES: Final = 3
"""So many in a row, and it rests."""
REST: Final = 15.0
"""Seconds."""
LARGEST: Final = 1_000_000
"""Bytes of an answer that are read; a rate is one number."""


class _Sample(BaseModel):
    value: tuple[float, str]


class _Vector(BaseModel):
    resultType: Literal["vector"]  # noqa: N815 (Prometheus's name)
    result: list[_Sample]


class _Scalar(BaseModel):
    resultType: Literal["scalar"]  # noqa: N815 (Prometheus's name)
    result: tuple[float, str]


class _Reply(BaseModel):
    data: Annotated[_Vector | _Scalar, Field(discriminator="resultType")]


_REPLY: Final = TypeAdapter(_Reply)


class _NoNumber(Exception):
    """Prometheus is there, but this query has no number to give; the message says why."""


class Prometheus:
    """Satisfies agents.triage.Lookup. `monotonic` tells seconds."""

    def __init__(
        self, url: str, tls: ssl.SSLContext | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = httpx.AsyncClient(base_url=url, verify=tls or True, trust_env=False)
        self._monotonic = monotonic
        self._failures = 0
        self._rests_until = -math.inf

    async def close(self) -> None:
        """Lets go of the connections."""
        await self._client.aclose()

    async def __call__(self, queries: Sequence[str], within: timedelta) -> Answers:
        """One answer per query, after `within` at the latest."""
        if self._monotonic() < self._rests_until:
            return dict.fromkeys(queries, Answer(None, "it has failed several times; it is asked again shortly"))
        gate = asyncio.Semaphore(AT_ONCE)
        asked = {asyncio.ensure_future(self._answer(query, gate)): query for query in queries}
        done, late = await asyncio.wait(asked, timeout=within.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if late:
            self._failed()
        too_late = Answer(None, f"no answer within {within.total_seconds():g} s")
        return {query: task.result() if task in done else too_late for task, query in asked.items()}

    async def _answer(self, query: str, gate: asyncio.Semaphore) -> Answer:
        async with gate:
            try:
                value = await self._asked(query)
            except _NoNumber as reason:
                return Answer(None, str(reason))
            except httpx.HTTPError as error:
                self._failed()
                return Answer(None, f"it does not answer ({type(error).__name__})")
        self._failures = 0
        return Answer(value)

    async def _asked(self, query: str) -> float:
        body = b""
        async with self._client.stream("POST", "/api/v1/query", data={"query": query}, timeout=None) as answer:
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > LARGEST:
                    raise _NoNumber("its answer has no end")
        if answer.status_code >= 500:
            raise httpx.HTTPStatusError("", request=answer.request, response=answer)
        if answer.status_code != 200:
            raise _NoNumber(f"it answered {answer.status_code}; try the query in its console")
        return _number(body)

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES:
            self._failures, self._rests_until = 0, self._monotonic() + REST


def _number(body: bytes) -> float:
    """The number of an instant query; of several the largest, for the worst decides. Raises _NoNumber."""
    try:
        data = _REPLY.validate_json(body).data
    except ValidationError:
        raise _NoNumber("its answer is neither an instant vector nor a scalar") from None
    stated = [data.result[1]] if isinstance(data, _Scalar) else [sample.value[1] for sample in data.result]
    try:
        numbers = [number for number in map(float, stated) if math.isfinite(number)]
    except ValueError:
        raise _NoNumber("its answer is no number") from None
    if not numbers:
        raise _NoNumber("it has no data" if not stated else "its answer is no number")
    return max(numbers)
