"""Unmodified Faust on the embedded broker: workers share partitions and outlive the crash of either side."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.embedded.broker_contract import consuming, declare, producing
from tests.embedded.broker_process import broker_process
from tests.streams.brokers import until


@asynccontextmanager
async def worker(address: str, data_dir: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    app = ("-m", "faust", "-A", "tests.embedded.hello_worker", "--datadir", str(data_dir), "worker", "--without-web")
    output = (data_dir.parent / f"{data_dir.name}.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *app, "-l", "warn", env={**os.environ, "HELLO_BROKER": address}, stdout=output, stderr=output
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        output.close()


async def test_faust_loses_nothing_when_the_broker_and_a_worker_are_killed(tmp_path: Path) -> None:
    count = 400
    answered: set[bytes] = set()
    async with broker_process(tmp_path / "broker") as broker:
        await declare(broker.address, "greetings", 4)
        await declare(broker.address, "answers", 4)

        async def listen() -> None:
            async with consuming(broker.address, "answers", retry_backoff_ms=50) as consumer:
                async for record in consumer:
                    answered.add(record.value)

        async def greet() -> None:
            async with producing(broker.address, retry_backoff_ms=50) as producer:
                for number in range(count):
                    await producer.send_and_wait("greetings", b"%d" % number, partition=number % 4)

        listening, greeting = asyncio.create_task(listen()), asyncio.create_task(greet())
        async with worker(broker.address, tmp_path / "one") as one, worker(broker.address, tmp_path / "two"):
            await until(lambda: len(answered) > count // 8)
            await broker.kill()
            await broker.start()
            await until(lambda: len(answered) > count // 4)
            one.kill()
            await until(lambda: len(answered) == count, within=30)
            assert answered == {b"hello %d" % number for number in range(count)}
        await greeting
        listening.cancel()
        await asyncio.wait([listening])
