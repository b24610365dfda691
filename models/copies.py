"""`replace` for frozen dataclasses without slots, in a tenth of the time of the standard library's: it runs no
`__init__`, and copies all fields at once.

An incident has some forty fields, and is replaced some fifty times while it opens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

_T = TypeVar("_T")

if TYPE_CHECKING:
    from dataclasses import replace  # whose plugin checks the names and types of what changes
else:

    def replace(value: _T, /, **changes: Any) -> _T:
        """A copy of `value` with `changes`."""
        copy = object.__new__(value.__class__)
        copy.__dict__.update(value.__dict__, **changes)
        return copy


__all__ = ["replace"]
