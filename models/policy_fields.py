"""What sections of a policy are made of: durations, names, patterns, and the base that refuses unknown keys."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_LONGEST = timedelta(days=3660)
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def parse_duration(text: object) -> timedelta:
    """Reads `90s`, `5m`, `1h30m`, `2d`. Raises ValueError that says how to write one."""
    if isinstance(text, timedelta):
        return text
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None or not any(match.groups()):
        message = f"{text!r} is not a duration; write it as 30s, 5m, 1h30m or 2d"
        raise ValueError(message)
    days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
    span = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if span > _LONGEST.total_seconds():
        message = f"{text!r} is longer than {_LONGEST.days}d"
        raise ValueError(message)
    return timedelta(seconds=span)


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        message = f"{pattern!r} is not a regular expression: {error}"
        raise ValueError(message) from None
    return pattern


def _several(value: object) -> object:
    return (value,) if isinstance(value, dict) else value


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,60}$")]
SlackChannel = Annotated[str, Field(pattern=r"^#[a-z0-9_-]{1,80}$")]
Pattern = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_compiles)]
When = Annotated[
    tuple[Annotated[dict[Name, Pattern], Field(min_length=1)], ...], Field(min_length=1), BeforeValidator(_several)
]
"""Regular expressions by label, all of which match a whole value, whatever its case; of several such, one suffices."""


EMAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
"""What a mail server takes as it stands: no quotes, no comments, no line breaks."""


def _is_an_address(text: str) -> str:
    if not EMAIL_ADDRESS.fullmatch(text):
        message = f"{text!r} is not an e-mail address; write name@example.com"
        raise ValueError(message)
    return text


EmailAddress = Annotated[str, AfterValidator(_is_an_address)]


class Section(BaseModel):
    """A part of a policy file: a key that it does not know is refused, because it would be a rule that never runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)
