"""What people are told of a review: reminders of what is due soon or overdue. POLICY 22, 24. Pure."""

from __future__ import annotations

import uuid

from models.deadlines import POSTMORTEM
from models.deliveries import Delivery, DeliveryKind, Message, Urgency
from models.policy import Policy
from models.review import Review
from models.review_events import OwnerReminded, ReviewEvent


def deliveries(seq: int, event: ReviewEvent, review: Review, policy: Policy) -> list[Delivery]:
    """A reminder to the owner of what is due soon or overdue. POLICY 22, 24."""
    if not isinstance(event, OwnerReminded):
        return []
    if event.subject == POSTMORTEM and review.postmortem is not None:
        what, due_at = f"The postmortem of {review.number} ({review.postmortem.title})", review.postmortem.due_at
    else:
        item = review.items[event.subject]
        what, due_at = f"The action item “{item.title}” ({item.priority}) of {review.number}", item.due_at
    state = "was due" if event.overdue else "is due"
    person = policy.people.get(event.owner)
    message = Message(
        f"{what} {state} {due_at:%Y-%m-%d %H:%M} UTC.",
        mention=event.owner,
        mention_id=person.slack if person else None,
        slack_channel=policy.communication.slack_channel,
    )
    reminder = Delivery(
        id=uuid.uuid5(review.incident_id, f"delivery/review/{seq}"),
        incident_id=review.incident_id,
        incident_key=str(review.incident_id),
        kind=DeliveryKind.REMINDER,
        lane=f"{review.incident_id}/review",
        urgency=Urgency.PROMPT,
        message=message,
    )
    return [reminder]
