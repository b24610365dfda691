"""Deliveries: what must reach an outside world, frozen as facts at the moment it was decided, and how sending it went.

Owns the vocabulary that lifecycle, delivery and notifiers share; long because it is all of it, in one place. A
delivery's facts never change, so a late retry tells what was true when it was decided; what providers answered
(receipts) is handed to the next send beside it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from models.oncall.handoff import HandoffNote
from models.severity import Priority, Severity


class Provider(StrEnum):
    """An outside world. Its name is also its topic: `deliveries.<provider>`."""

    PAGERDUTY = "pagerduty"
    SLACK = "slack"
    STATUSPAGE = "statuspage"
    EMAIL = "email"
    TICKET = "ticket"
    WEBHOOK = "webhook"


class DeliveryKind(StrEnum):
    """What is sent. Each kind belongs to one provider; only a page goes by the way that its recipient has."""

    PAGE = "page"
    PAGE_ACKNOWLEDGE = "page_acknowledge"
    PAGE_RESOLVE = "page_resolve"
    CHANNEL = "channel"
    """Create the incident's Slack channel (or adopt it, when it is there already)."""
    ANNOUNCEMENT = "announcement"
    """The incident's message in `#incidents`; edited in place by every REFRESH."""
    INITIAL_REPORT = "initial_report"
    """POLICY 16, in the incident's channel (in `#incidents` where it has none)."""
    REFRESH = "refresh"
    """Edits ANNOUNCEMENT and INITIAL_REPORT in place so that they show the present state."""
    NOTICE = "notice"
    """One line on what happened: paged, acknowledged, severity raised."""
    STATUS_UPDATE = "status_update"
    """POLICY 16."""
    RESOLUTION = "resolution"
    """POLICY 16."""
    PAGE_FALLBACK = "page_fallback"
    """A page did not get through: tell `#incidents`, loudly. POLICY 32."""
    REMINDER = "reminder"
    """To the owner of a postmortem or action item. POLICY 22, 24."""
    MENTION = "mention"
    """Somebody whose turn it is has no pager, so Slack has to reach them. POLICY 9."""
    MAINTENANCE = "maintenance"
    """To the channel of operations: a window is planned, begins, is over. Belongs to no incident. POLICY 21."""
    PUBLICATION = "publication"
    """A stage on the status page. POLICY 18."""
    EMAIL_REPORT = "email_report"
    """This and the next three: to one address each. POLICY 16."""
    EMAIL_NOTICE = "email_notice"
    """What changes the picture: severity, reopened, silence."""
    EMAIL_UPDATE = "email_update"
    EMAIL_RESOLUTION = "email_resolution"
    TICKET = "ticket"
    """Open the incident's ticket. POLICY 19."""
    TICKET_UPDATE = "ticket_update"
    TICKET_RESOLUTION = "ticket_resolution"
    HANDOFF = "handoff"
    """Other people are on call from now on. POLICY 11."""
    EMAIL_HANDOFF = "email_handoff"


PROVIDER_OF: Mapping[DeliveryKind, Provider] = {
    DeliveryKind.PAGE: Provider.PAGERDUTY,
    DeliveryKind.PAGE_ACKNOWLEDGE: Provider.PAGERDUTY,
    DeliveryKind.PAGE_RESOLVE: Provider.PAGERDUTY,
    DeliveryKind.PUBLICATION: Provider.STATUSPAGE,
    **dict.fromkeys(
        (
            DeliveryKind.CHANNEL,
            DeliveryKind.ANNOUNCEMENT,
            DeliveryKind.INITIAL_REPORT,
            DeliveryKind.REFRESH,
            DeliveryKind.NOTICE,
            DeliveryKind.STATUS_UPDATE,
            DeliveryKind.RESOLUTION,
            DeliveryKind.PAGE_FALLBACK,
            DeliveryKind.REMINDER,
            DeliveryKind.MENTION,
            DeliveryKind.MAINTENANCE,
            DeliveryKind.HANDOFF,
        ),
        Provider.SLACK,
    ),
    **dict.fromkeys(
        (
            DeliveryKind.EMAIL_REPORT,
            DeliveryKind.EMAIL_NOTICE,
            DeliveryKind.EMAIL_UPDATE,
            DeliveryKind.EMAIL_RESOLUTION,
            DeliveryKind.EMAIL_HANDOFF,
        ),
        Provider.EMAIL,
    ),
    **dict.fromkeys((DeliveryKind.TICKET, DeliveryKind.TICKET_UPDATE, DeliveryKind.TICKET_RESOLUTION), Provider.TICKET),
}


class Urgency(IntEnum):
    """Who goes first where a provider's rate budget is short; lower goes first."""

    PAGE = 0
    PROMPT = 1
    ROUTINE = 2


@dataclass(frozen=True, slots=True)
class ChecklistFacts:
    """How far the checklist of an incident is. `ahead` is the first step that is not done. POLICY 20."""

    name: str
    done: int
    steps: int
    ahead: str


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """What messages may tell about an incident, as of `at`. Texts come from alerts and people and are not trusted."""

    incident_id: uuid.UUID
    number: str
    title: str
    summary: str
    service: str
    environment: str
    severity: Severity
    priority: Priority
    status: str
    stage: str
    why: tuple[str, ...]
    started_at: datetime
    opened_at: datetime
    at: datetime
    alertname: str = ""
    """Of its first alert; empty where a person declared it."""
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    next_update_due: datetime | None = None
    level: str | None = None
    """The escalation level that was paged last."""
    firing: int = 0
    alerts: int = 0
    links: Mapping[str, str] = field(default_factory=dict)
    slack_channel: str = "#incidents"
    own_channel: bool = False
    """True when the incident has a Slack channel of its own."""
    component: str | None = None
    """Of the status page; the service where the catalogue names none."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """Who has which role, by its name. POLICY 15."""
    checklist: ChecklistFacts | None = None
    """None where the incident's kind has none."""
    attached_to: str = ""
    """What pages for it, by number where it is known, when it is attached to another incident."""
    collected: int = 0
    """How many others were attached to this one."""


@dataclass(frozen=True, slots=True)
class PageFacts:
    """Whom a page goes to: a routing key, or else an address or a webhook. `dedup_key` is PagerDuty's: one per page,
    never reused, at most 255 characters.
    """

    ordinal: int
    level: str
    routing_key: str
    """Name of the environment variable that holds the key."""
    dedup_key: str
    test: bool = False
    email: str = ""
    webhook: str = ""
    """Name of the environment variable that holds the URL."""
    asked_at: datetime | None = None
    """Of a test; else the incident's facts say when."""

    @property
    def provider(self) -> Provider:
        """Who takes it there."""
        if self.email:
            return Provider.EMAIL
        return Provider.WEBHOOK if self.webhook else Provider.PAGERDUTY

    @property
    def whom(self) -> str:
        """The address, or the name of the variable that has it."""
        return self.email or self.webhook or self.routing_key


@dataclass(frozen=True, slots=True)
class Message:
    """Free parts of a message, by kind: `text` for NOTICE, STATUS_UPDATE, RESOLUTION, PAGE_FALLBACK, REMINDER,
    MENTION, MAINTENANCE, PUBLICATION, and what e-mails and tickets tell of those; of a PAGE why it is the level's turn.
    """

    text: str
    by: str | None = None
    actions: str = ""
    next_steps: str = ""
    mention: str | None = None
    """The person to be mentioned, by the name that the policy's `people` knows, and their Slack id where it has one."""
    mention_id: str | None = None
    slack_channel: str = "#incidents"
    """Where it goes when it belongs to no incident's channel."""
    to: str | None = None
    """Whom an e-mail goes to, but for a page; None where the policy wants one and names nobody, which is refused, and
    so not silent.
    """
    acknowledge_by: datetime | None = None
    """Of a page: until then at the least the next level is not paged."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One intent. `lane` is what order holds in: a page's dedup_key, else incident and provider (a page's fallback has
    one of its own).
    """

    id: uuid.UUID
    incident_id: uuid.UUID | None
    incident_key: str
    kind: DeliveryKind
    lane: str
    urgency: Urgency
    incident: IncidentFacts | None = None
    page: PageFacts | None = None
    message: Message | None = None
    handoff: HandoffNote | None = None

    @property
    def provider(self) -> Provider:
        """Where it goes."""
        if self.kind is DeliveryKind.PAGE and self.page is not None:
            return self.page.provider
        return PROVIDER_OF[self.kind]


Receipts = Mapping[str, str]
"""What a provider has told about an incident so far: `channel`, `announcement_ts`, `report_ts`, … One namespace per
incident and provider; a later receipt adds to it."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The provider confirmed it. `receipts` are remembered for the next send; `detail` is for people."""

    detail: str
    receipts: Receipts = field(default_factory=dict)
    recorded: bool = False
    """True when it was recorded instead of sent, because the provider is not configured."""


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Not now. `after` is what the provider asked for (None: our own backoff decides).

    `unknown` is True when the provider may have processed it all the same (a reset or time-out after sending), so
    that the next attempt must read back before it sends. `provider_down` counts for the circuit breaker.
    """

    reason: str
    after: timedelta | None = None
    unknown: bool = False
    provider_down: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Never: the provider will not take this, whatever we do. Somebody has to be told."""

    reason: str


Outcome = Delivered | RetryLater | Refused
