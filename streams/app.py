"""The one wiring table: which agent reads which topic. Everything else in streams/ serves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from agents import correlation, lifecycle, maintenance, review, triage
from agents.delivery import Courier
from models.deliveries import Provider
from models.records import Agent, Record
from streams import topics


@dataclass(frozen=True, slots=True)
class Ports:
    """What the agents of one worker are given."""

    triage: triage.TriagePorts
    lifecycle: lifecycle.LifecyclePorts
    review: review.ReviewPorts
    correlation: correlation.CorrelationPorts
    maintenance: maintenance.MaintenancePorts
    couriers: Mapping[Provider, Courier]


def wiring(ports: Ports) -> tuple[tuple[str, Agent], ...]:
    """(topic, agent): read it in ten seconds."""
    return (
        (topics.WEBHOOKS, partial(triage.run, ports=ports.triage)),
        (topics.SIGNALS, partial(lifecycle.run, ports=ports.lifecycle)),
        (
            topics.EVENTS,
            each(partial(review.follow, ports=ports.review), partial(correlation.follow, ports=ports.correlation)),
        ),
        (topics.REVIEW_SIGNALS, partial(review.run, ports=ports.review)),
        (topics.MAINTENANCE_SIGNALS, partial(maintenance.run, ports=ports.maintenance)),
        (topics.DELIVERIES_PAGERDUTY, ports.couriers[Provider.PAGERDUTY].wake),
        (topics.DELIVERIES_SLACK, ports.couriers[Provider.SLACK].wake),
        (topics.DELIVERIES_STATUSPAGE, ports.couriers[Provider.STATUSPAGE].wake),
        (topics.DELIVERIES_EMAIL, ports.couriers[Provider.EMAIL].wake),
        (topics.DELIVERIES_TICKET, ports.couriers[Provider.TICKET].wake),
        (topics.DELIVERIES_WEBHOOK, ports.couriers[Provider.WEBHOOK].wake),
    )


def each(*agents: Agent) -> Agent:
    """Several agents that read the same topic, one after the other."""

    async def run(batch: Sequence[Record]) -> None:
        for agent in agents:
            await agent(batch)

    return run


def wake_topic(provider: Provider) -> str:
    """Where a record wakes the deliveries of `provider`."""
    return f"deliveries.{provider}"
