"""A broker for the tests of streams: the embedded one, and Apache Kafka where it is found."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.streams.brokers import embedded_broker


@pytest.fixture(scope="session", params=["embedded", "kafka"])
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a broker that all tests share: name topics and groups by `unique`."""
    if request.param == "kafka":
        yield request.getfixturevalue("kafka_bootstrap")
        return
    with embedded_broker(tmp_path_factory.mktemp("broker")) as address:
        yield address


@pytest.fixture
def unique() -> str:
    """A name that no other test uses."""
    return f"t-{uuid4().hex[:12]}"
