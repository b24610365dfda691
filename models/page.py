"""One page of one level, as its incident remembers it. Pure; whom it goes to and when: models/escalation.py."""

from __future__ import annotations

from dataclasses import dataclass, replace

Pages = tuple["Page", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Whom one page is for, by one way: a routing key, an address or a webhook, or who is mentioned in Slack because
    there is none; found by `target`.
    """

    routing_key: str = ""
    slack: str = ""
    """Of a person or a user group."""
    people: tuple[str, ...] = ()
    """By their names in the policy; empty where only the key is known."""
    target: str = ""
    email: str = ""
    webhook: str = ""
    """The variable that holds its URL."""

    @property
    def way(self) -> tuple[str, str, str]:
        """Where it is sent; empty for a mention."""
        return self.routing_key, self.email, self.webhook

    @property
    def is_sent(self) -> bool:
        """True where a provider says whether it took the page; of a mention in Slack nothing comes back."""
        return any(self.way)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of one level. `dedup_key` is PagerDuty's and never reused."""

    ordinal: int
    level: str
    routing_key: str
    """Empty where it goes by e-mail or to a webhook, and where somebody is mentioned in Slack instead."""
    received: bool = False
    failed: bool = False
    beside: bool = False
    """It belongs to the same step as the page before it."""
    email: str = ""
    webhook: str = ""

    @property
    def way(self) -> tuple[str, str, str]:
        """As its recipient's."""
        return self.routing_key, self.email, self.webhook

    @property
    def is_sent(self) -> bool:
        """As its recipient's."""
        return any(self.way)


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


def answerable(pages: Pages) -> Pages:
    """Those that PagerDuty may know, where they are acknowledged and resolved."""
    return tuple(page for page in pages if page.routing_key and not page.failed)
