"""The broker contract, on the embedded broker and on Apache Kafka where one is at hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.embedded.broker import running
from tests.embedded.broker_contract import BrokerContract


class TestEmbedded(BrokerContract):
    @pytest.fixture
    async def bootstrap(self, tmp_path: Path) -> AsyncIterator[str]:
        async with running(tmp_path, "127.0.0.1", 0) as broker:
            yield f"127.0.0.1:{broker.port}"


class TestApacheKafka(BrokerContract):
    @pytest.fixture
    def bootstrap(self, request: pytest.FixtureRequest) -> str:
        try:
            return str(request.getfixturevalue("kafka_bootstrap"))
        except pytest.FixtureLookupError:
            pytest.skip("no Apache Kafka here (fixture kafka_bootstrap)")
