"""What `tocsin doctor` finds: a subject, how it stands, and what to do about it. Never holds a secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `tocsin doctor`. A fault keeps alerts from reaching people; a warning may one day."""

    subject: str
    state: Literal["ok", "warning", "fault"]
    message: str
    do: str = ""


def ok(subject: str, message: str) -> Finding:
    """All is well."""
    return Finding(subject, "ok", message)


def warning(subject: str, message: str, do: str) -> Finding:
    """It works, but should be looked at."""
    return Finding(subject, "warning", message, do)


def fault(subject: str, message: str, do: str) -> Finding:
    """It does not work."""
    return Finding(subject, "fault", message, do)
