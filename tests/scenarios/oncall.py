"""A policy for stories of people on call: the default one, with a team, its schedules and the chain of the story."""

from __future__ import annotations

from tests.world import DEFAULT

LEVELS = """    - {name: primary, routing_key: TOCSIN_PAGERDUTY_ROUTING_KEY}
    - {name: secondary, routing_key: TOCSIN_PAGERDUTY_ROUTING_KEY_SECONDARY}
    - {name: manager, routing_key: TOCSIN_PAGERDUTY_ROUTING_KEY_MANAGER}
"""
PEOPLE = """people:
  ana: {slack: U0ANA, pagerduty: TOCSIN_KEY_ANA}
  ben: {slack: U0BEN, pagerduty: TOCSIN_KEY_BEN}
  cleo: {slack: U0CLEO}
  dora: {email: dora@example.test}
teams:
  payments: {members: [ana, ben, cleo], schedule: payments, calendar: berlin, pagerduty: TOCSIN_KEY_PAYMENTS}
  network: {members: [cleo, ben]}
schedules:
  payments:
    zone: Europe/Berlin
    layers: [{name: week, people: [ana, ben], every: weekly, start: 2026-03-02 00:00}]
  days: # a gap every night: the stories begin at 03:00 UTC
    zone: Europe/Berlin
    layers: [{name: day, people: [cleo], start: 2026-03-02 00:00, only: {mon-sun: "09:00-17:00"}}]
  later: # begins a month after the stories
    zone: Europe/Berlin
    layers: [{name: week, people: [ben], start: 2026-04-06 00:00}]
  elsewhere: {zone: Europe/Berlin, ical: TOCSIN_CALENDAR}
calendars:
  berlin: {zone: Europe/Berlin, hours: {mon-fri: "09:00-17:00"}}
"""


def policy(*levels: str, more: str = "", services: str = "{}", people: str = PEOPLE, rounds: int = 3) -> str:
    """The default policy with these levels, each one line of YAML; `more` are further keys of the escalation."""
    text = DEFAULT.replace(LEVELS, "".join(f"    - {level}\n" for level in levels) + more).replace("people: {}", people)
    return text.replace("services: {}", f"services: {services}").replace("rounds: 3", f"rounds: {rounds}", 1)
