"""One page of one level, as its incident remembers it. Pure; whom it goes to and when: models/escalation.py."""

from __future__ import annotations

from dataclasses import dataclass, replace

Pages = tuple["Page", ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of one level. `dedup_key` is PagerDuty's and never reused."""

    ordinal: int
    level: str
    routing_key: str
    received: bool = False
    failed: bool = False


def with_fate(pages: Pages, ordinal: int, *, received: bool = False, failed: bool = False) -> Pages:
    """`pages`, one of which was received, or failed for good."""
    return tuple(
        replace(page, received=page.received or received, failed=page.failed or failed)
        if page.ordinal == ordinal
        else page
        for page in pages
    )
