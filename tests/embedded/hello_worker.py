"""A plain Faust application, as its documentation writes one: every greeting is answered on another topic."""

from __future__ import annotations

import os

import faust

app = faust.App(
    "hello",
    broker=f"kafka://{os.environ['HELLO_BROKER']}",
    value_serializer="raw",
    topic_disable_leader=True,
    topic_partitions=4,
    broker_session_timeout=2,
    broker_heartbeat_interval=0.5,
    broker_commit_interval=0.2,
    stream_wait_empty=False,
    # A worker that starts while the broker is away has missed its topics, and asks again only this often.
    consumer_metadata_max_age_ms=1000,
)
greetings = app.topic("greetings", value_type=bytes)
answers = app.topic("answers", value_type=bytes)


@app.agent(greetings)  # type: ignore[arg-type]  # Faust types streams loosely
async def answer(stream: faust.Stream[bytes]) -> None:
    async for greeting in stream:
        await (await answers.send(value=b"hello " + greeting))
