"""One page of one level, as its incident remembers it. Pure; whom it goes to and when: models/escalation.py."""

from __future__ import annotations

from dataclasses import dataclass, replace

Pages = tuple["Page", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Whom one page is for: a routing key, or who is mentioned in Slack because there is none; found by `target`."""

    routing_key: str = ""
    slack: str = ""
    """Of a person or a user group."""
    people: tuple[str, ...] = ()
    """By their names in the policy; empty where only the key is known."""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of one level. `dedup_key` is PagerDuty's and never reused."""

    ordinal: int
    level: str
    routing_key: str
    """Empty where somebody is mentioned in Slack instead."""
    received: bool = False
    failed: bool = False
    beside: bool = False
    """It belongs to the same step as the page before it."""


def with_fate(pages: Pages, ordinal: int, *, received: bool = False, failed: bool = False) -> Pages:
    """`pages`, one of which was received, or failed for good."""
    return tuple(
        replace(page, received=page.received or received, failed=page.failed or failed)
        if page.ordinal == ordinal
        else page
        for page in pages
    )


def latest(pages: Pages) -> Pages:
    """Those of the step that was paged last."""
    first = max((place for place, page in enumerate(pages) if not page.beside), default=0)
    return pages[first:]
