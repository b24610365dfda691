"""The shape of a policy's `flapping`. What follows from it: models/flapping.py."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from models.flaps import REMEMBERED
from models.policy_fields import Duration, Section


class FlappingRules(Section):
    """After how many reopenings `within` which time an incident flaps, and how long it must be `calm` to be over."""

    reopens: Annotated[int, Field(ge=2, le=REMEMBERED)] = 3
    within: Duration = timedelta(hours=1)
    calm: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(days=1))] = timedelta(minutes=30)
