"""How values become JSON and text that PostgreSQL takes, and come back. Owns what is done about NUL and endless keys.

PostgreSQL takes no NUL in text or JSON, and no index entry beyond 2,700 bytes. Both can come with an alert, and neither
may stop the transaction that it shares with others: NUL becomes U+FFFD, and an over-long key is indexed by its
beginning and its hash.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from pydantic import TypeAdapter

from models.deliveries import Delivery
from models.maintenance import MaintenanceWindow
from models.review import Review
from models.state import Incident

INCIDENT: TypeAdapter[Incident] = TypeAdapter(Incident)
REVIEW: TypeAdapter[Review] = TypeAdapter(Review)
WINDOW: TypeAdapter[MaintenanceWindow] = TypeAdapter(MaintenanceWindow)
DELIVERY: TypeAdapter[Delivery] = TypeAdapter(Delivery)

_NUL_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_LONGEST_KEY = 300


def to_json(adapter: TypeAdapter[Any], value: object) -> str:
    """JSON text that both `json` and `jsonb` take."""
    return json_text(adapter.dump_json(value))


def json_text(encoded: bytes) -> str:
    """Encoded JSON as text, NUL replaced. An escaped backslash before `u0000` is left alone."""
    text = encoded.decode()
    return _NUL_ESCAPE.sub(r"\1\\ufffd", text) if r"\u0000" in text else text


def clean(text: str) -> str:
    """`text` as a text column takes it."""
    return text.replace("\x00", "\ufffd") if "\x00" in text else text


def indexed(key: str) -> str:
    """`key` as it stands in indexed columns: itself, unless it is longer than 300 characters."""
    text = clean(key)
    if len(text) <= _LONGEST_KEY:
        return text
    return f"{text[:200]}#{hashlib.sha256(text.encode()).hexdigest()}"
