"""Where this machine's processes find broker and database: as configured, else those of an `up` that runs here."""

from __future__ import annotations

from streams.endpoints import find
from streams.places import Unusable
from streams.settings import Settings


def brokers(settings: Settings) -> str:
    """HOST:PORT of Kafka. Raises Unusable."""
    found = settings.kafka or find(settings.data_dir, "broker")
    if found is None:
        raise Unusable("no broker: start `tocsin up`, or set TOCSIN_KAFKA to HOST:PORT")
    return found


def database_url(settings: Settings) -> str:
    """The postgresql:// URL. Raises Unusable."""
    configured = settings.database_url
    found = configured.get_secret_value() if configured else find(settings.data_dir, "database")
    if found is None:
        raise Unusable("no database: start `tocsin up`, or set TOCSIN_DATABASE_URL to postgresql://…")
    return found
