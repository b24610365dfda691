"""The JSON of signals and events, as it stands on topics and in the logs. Owns how, never what."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from models.alert import explain
from models.records import Unreadable

_T = TypeVar("_T")


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def encode(value: Any) -> bytes:
    """A signal or an event, of whichever kind it is."""
    return _adapter(value.__class__).dump_json(value)


def decode(adapter: TypeAdapter[_T], value: bytes | None) -> _T:
    """One of the kinds that `adapter` knows, from a record. Raises Unreadable."""
    if value is None:
        message = "the record has no value"
        raise Unreadable(message)
    try:
        return adapter.validate_json(value)
    except ValidationError as error:
        raise Unreadable(explain(error)) from None
