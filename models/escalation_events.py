"""Events of an incident's escalation: who was paged, how that went, and who took it. Facts like those of
models/events.py, whose union they belong to; what they follow from: models/escalation.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from models.page import Page, Pages, Recipient
from models.signals import Via

PageReason = Literal[
    "opened",
    "reopened",
    "not acknowledged",
    "escalated",
    "severity raised",
    "page not deliverable",
    "business hours",
    "acknowledgement expired",
    "detached",
    "maintenance over",
    "reassigned",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelPaged:
    """A level of the chain is paged. `acknowledge_due` holds unless the page's receipt starts the clock earlier."""

    kind: Literal["level_paged"] = "level_paged"
    ordinal: int
    """Counts the pages of this incident from 1; names the page for ever. Of several it is the first one's."""
    step: int
    """Position in the chain, counted on through its rounds from 0."""
    level: str
    routing_key: str
    reason: PageReason
    by: str
    acknowledge_due: datetime
    recipients: tuple[Recipient, ...] = ()
    """Who was found at that moment, one page each, numbered on from `ordinal`; `routing_key` is the first one's."""

    @property
    def pages(self) -> Pages:
        """The pages of this step."""
        recipients = self.recipients or (Recipient(routing_key=self.routing_key),)
        return tuple(
            Page(
                self.ordinal + place,
                self.level,
                one.routing_key,
                beside=place > 0,
                email=one.email,
                webhook=one.webhook,
            )
            for place, one in enumerate(recipients)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSkipped:
    """A level that reached nobody when its turn came: the next one is paged at once."""

    kind: Literal["level_skipped"] = "level_skipped"
    step: int
    level: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NobodyOnCall:
    """No level of the whole chain reaches anybody; the last resort is paged where there is one."""

    kind: Literal["nobody_on_call"] = "nobody_on_call"
    levels: tuple[str, ...]
    last_resort: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PageHeld:
    """Nobody is woken for this yet: after hours, until business hours begin (POLICY 11); or in a maintenance window,
    until it ends (POLICY 21). Then the level at `step` is paged.
    """

    kind: Literal["page_held"] = "page_held"
    step: int
    until: datetime
    maintenance: str = ""
    """The title of the window; empty after hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyReassigned:
    """A person gave the incident another policy or chain; the level waited for stands at `step` of it, from 0. None of
    a due time leaves its deadline as it is.
    """

    kind: Literal["policy_reassigned"] = "policy_reassigned"
    policy_version: str
    was: str
    """The version before."""
    chain: str | None
    """By its name; None for that of the service."""
    by: str
    step: int
    acknowledge_due: datetime | None
    expires_due: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgementStands:
    """Who took it has told news since, so it is theirs until it is looked at again."""

    kind: Literal["acknowledgement_stands"] = "acknowledgement_stands"
    expires_due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PageReceived:
    """The provider confirmed a page: from now on people can know, so the clock runs."""

    kind: Literal["page_received"] = "page_received"
    ordinal: int
    acknowledge_due: datetime | None
    """None where the page is no longer the current one or nobody is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFailed:
    """A page was refused for good (`final`) or has not got through for too long."""

    kind: Literal["page_failed"] = "page_failed"
    ordinal: int
    level: str
    reason: str
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationExhausted:
    """Every level was paged in every round and nobody acknowledged."""

    kind: Literal["escalation_exhausted"] = "escalation_exhausted"
    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """Somebody took it; the acknowledgement clock stops."""

    kind: Literal["acknowledged"] = "acknowledged"
    by: str
    via: Via
    expires_due: datetime | None = None
    """When it is looked at whether they are still at it, where the policy wants that."""


EscalationEvent = (
    LevelPaged
    | LevelSkipped
    | NobodyOnCall
    | PageHeld
    | PolicyReassigned
    | PageReceived
    | PageFailed
    | EscalationExhausted
    | Acknowledged
    | AcknowledgementStands
)
