"""What people are told of an escalation: who was paged, who was passed over and why. Pure; one line each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from models.channels import Told
from models.deliveries import DeliveryKind, Message
from models.escalation import acknowledge_due
from models.escalation_events import (
    Acknowledged,
    AcknowledgementStands,
    EscalationEvent,
    EscalationExhausted,
    LevelPaged,
    LevelSkipped,
    NobodyOnCall,
    PageFailed,
    PageHeld,
    PageReceived,
    PolicyReassigned,
)
from models.page import answerable
from models.policy import Policy
from models.state import Incident


def told(event: EscalationEvent, incident: Incident, policy: Policy) -> Iterator[Told]:
    """To whom `event` is said; `incident` is as it stands at the end of the step."""
    match event:
        case LevelPaged(reason=reason, by=by):
            words = _turn(event, incident, policy)
            yield from ((DeliveryKind.PAGE, words, page) for page in event.pages if page.is_sent)
            yield from _mentions(event, policy)
            if reason not in {"opened", "reopened"}:
                yield DeliveryKind.NOTICE, Message(_paged(event), by=by), None
                yield DeliveryKind.REFRESH, None, None
        case LevelSkipped() | PageHeld():
            yield DeliveryKind.NOTICE, Message(passed_over(event)), None
        case PolicyReassigned(by=by):
            yield DeliveryKind.NOTICE, Message(reassigned(event), by=by), None
            yield DeliveryKind.REFRESH, None, None
        case NobodyOnCall() | PageFailed() | EscalationExhausted():
            yield DeliveryKind.PAGE_FALLBACK, Message(_loud(event)), None
        case Acknowledged(by=by, via=via):
            yield from ((DeliveryKind.PAGE_ACKNOWLEDGE, None, page) for page in answerable(incident.pages))
            yield DeliveryKind.NOTICE, Message(f"Acknowledged by {by} ({via})", by=by), None
            yield DeliveryKind.REFRESH, None, None
        case PageReceived() | AcknowledgementStands():
            return
        case _:
            assert_never(event)


def _paged(event: LevelPaged) -> str:
    """`Paged secondary (ana, ben): not acknowledged`."""
    return f"Paged {event.level}{who(event)}: {_why(event)}"


def _why(event: LevelPaged) -> str:
    """`not acknowledged`, or who asked for it."""
    return f"{event.by} asked for it" if event.reason == "escalated" else event.reason


def _turn(event: LevelPaged, incident: Incident, policy: Policy) -> Message:
    """Why it is this level's turn, and by when somebody has to have taken it, by a clock that begins at once."""
    return Message(_why(event), acknowledge_by=acknowledge_due(incident, policy, incident.last_at))


def reassigned(event: PolicyReassigned) -> str:
    """`Goes by policy version ab12 and the chain payments from now on (ana)`."""
    chain = f"the chain {event.chain}" if event.chain else "the chain of its service"
    return f"Goes by policy version {event.policy_version} and {chain} from now on ({event.by})"


def who(event: LevelPaged) -> str:
    """` (ana, ben)`, or nothing where only keys are known."""
    people = dict.fromkeys(person for one in event.recipients for person in one.people)
    return f" ({', '.join(people)})" if people else ""


def _loud(event: NobodyOnCall | PageFailed | EscalationExhausted) -> str:
    """What everybody has to read, because nobody may have been woken."""
    if isinstance(event, NobodyOnCall):
        return passed_over(event)
    if isinstance(event, PageFailed):
        fate = "could not be delivered" if event.final else "has not got through yet"
        return f"The page to {event.level} {fate}: {event.reason}"
    return (
        f"Nobody has acknowledged after {event.pages} pages; the escalation has ended. Somebody has to take this now."
    )


def passed_over(event: LevelSkipped | NobodyOnCall | PageHeld) -> str:
    """Why a level, or the whole chain, reaches nobody, or nobody yet."""
    if isinstance(event, PageHeld):
        why = f"during maintenance “{event.maintenance}”" if event.maintenance else "for this after hours"
        return f"Nobody is woken {why}: it pages from {event.until:%Y-%m-%d %H:%M} UTC on"
    if isinstance(event, LevelSkipped):
        return f"{event.level} was passed over: {event.reason}"
    then = "The last resort is paged." if event.last_resort else "Somebody has to take this now."
    return f"Nobody can be reached on any level ({', '.join(event.levels)}). {then}"


def _mentions(event: LevelPaged, policy: Policy) -> Iterator[Told]:
    """Calls in Slack for those who have no pager."""
    for one in event.recipients:
        if not one.is_sent:
            name = ", ".join(one.people) or one.target
            channel = policy.communication.slack_channel
            message = Message(
                f"it is your turn, and no page can reach you ({event.level}: {event.reason})",
                mention=name,
                mention_id=one.slack,
                slack_channel=channel,
            )
            yield DeliveryKind.MENTION, message, None
