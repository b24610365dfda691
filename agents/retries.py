"""What a failed attempt means: how long until the next one, or that there is none. Never sends, never waits."""

from __future__ import annotations

import random
from datetime import timedelta

from models.deliveries import Delivery, DeliveryKind, Outcome, Refused, RetryLater

FIRST_BACKOFF = timedelta(milliseconds=500)
LONGEST_BACKOFF = timedelta(seconds=30)
PAGE_WAITS_AT_MOST = timedelta(minutes=1)
"""Between two attempts at a page, whatever the provider asks for. PagerDuty's limit is one of events per minute, and a
proxy or a broken edge that asks for an hour must not keep people asleep for it.
"""
GIVE_UP_AFTER = timedelta(hours=24)
"""What is no page and still fails then ends as refused: by now it is no news, and all that is behind it in its lane is.
"""


def backoff(delivery: Delivery, attempts: int, outcome: RetryLater) -> timedelta:
    """What the provider asked for (for a page within limits), and never less than our own doubling wait with jitter.
    `attempts` are those before the one that failed.
    """
    doubled: timedelta = FIRST_BACKOFF * 2 ** min(attempts, 10)
    own = min(LONGEST_BACKOFF, doubled) * random.uniform(0.5, 1.0)  # noqa: S311 (jitter)
    asked = outcome.after or timedelta(0)
    return max(own, min(asked, PAGE_WAITS_AT_MOST) if delivery.kind is DeliveryKind.PAGE else asked)


def or_given_up(delivery: Delivery, age: timedelta, outcome: Outcome) -> Outcome:
    """A page of an incident is tried until it is through or withdrawn (models/step.py); what else fails is given up in
    the end.
    """
    wakes_people = delivery.kind is DeliveryKind.PAGE and delivery.incident_id is not None
    if not isinstance(outcome, RetryLater) or wakes_people or age < GIVE_UP_AFTER:
        return outcome
    return Refused(f"given up after {GIVE_UP_AFTER // timedelta(hours=1)} h: {outcome.reason}")
