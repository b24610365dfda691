"""Twelve stories that matter most: what an incident does on its way from an alert to its end, and what people do to it.

Each is a function of a `Tocsin` (telling.py), and its service bears its name: so all of them can be told at once to one
Tocsin, whose policy is `policy`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import yaml

from models.policy_file import shipped_policy
from tests.scenarios.telling import AtLeast, Including, Tocsin

SHORT: Final = timedelta(seconds=3)
"""The acknowledgement clock of SEV1, and whatever else the stories wait for."""
LONG: Final = timedelta(seconds=10)
"""That of SEV2: people in these stories act before it has run out."""


def nobody_acknowledges(tocsin: Tocsin) -> None:
    """POLICY 9: the next level, and the one after it, each when its clock has run out."""
    tocsin.fires(severity="critical")
    tocsin.expect(
        pages=["primary", "secondary", "manager"], waited=AtLeast([timedelta(0), SHORT, SHORT]), within=2 * SHORT
    )


def an_acknowledgement_ends_the_escalation(tocsin: Tocsin) -> None:
    tocsin.fires()
    tocsin.expect(pages=["primary"])
    tocsin.acknowledge(by="ana")
    tocsin.passes(LONG)
    tocsin.expect(status="acknowledged", acknowledged_by="ana", pages=["primary"])


def so_does_one_in_pagerduty(tocsin: Tocsin) -> None:
    tocsin.fires()
    tocsin.expect(pages=["primary"])
    tocsin.acknowledge_in_pagerduty(by="Sam Field")
    tocsin.passes(LONG)
    tocsin.expect(status="acknowledged", acknowledged_by="Sam Field", pages=["primary"])


def what_goes_on_becomes_more_severe(tocsin: Tocsin) -> None:
    """POLICY 1: 30 % of errors is a SEV2 when it has lasted, and pages nobody before that."""
    tocsin.fires(severity="", error_rate="0.30")
    tocsin.expect(status="triggered", log=Including({"reclassification_planned"}))
    tocsin.expect(severity="SEV2", pages=["primary"], waited=AtLeast([SHORT]), within=SHORT)


def what_fires_again_is_the_same_incident(tocsin: Tocsin) -> None:
    tocsin.fires()
    tocsin.expect(pages=["primary"])
    tocsin.ends()
    tocsin.expect(status="resolved")
    tocsin.fires()
    tocsin.expect(status="triggered", incidents=1, pages=["primary"] * 2, log=Including({"incident_reopened"}))


def what_a_person_resolved_stays_quiet_until_it_was_seen_resolved(tocsin: Tocsin) -> None:
    """Alertmanager repeats itself, and its own resolve comes late."""
    tocsin.fires()
    tocsin.expect(pages=["primary"])
    tocsin.resolve(by="ana")
    tocsin.fires()
    tocsin.ends()
    tocsin.fires()
    tocsin.expect(status="triggered", incidents=1, pages=["primary"] * 2, log=Including({"incident_reopened"}))


def a_level_that_reaches_nobody_is_passed_over(tocsin: Tocsin) -> None:
    tocsin.fires()
    tocsin.expect(pages=["secondary"], log=Including({"level_skipped"}))


def nobody_is_woken_after_hours_for_what_can_wait(tocsin: Tocsin) -> None:
    """POLICY 11."""
    tocsin.fires(severity="warning")
    tocsin.expect(status="triggered", severity="SEV3", priority="P1", pages=[], log=Including({"page_held"}))


def a_person_may_call_whom_they_want(tocsin: Tocsin) -> None:
    tocsin.fires()
    tocsin.expect(pages=["primary"])
    tocsin.escalate("manager", by="ana")
    tocsin.expect(pages=["primary", "manager"], level="manager")


def a_missing_update_is_reminded_of(tocsin: Tocsin) -> None:
    """POLICY 12."""
    tocsin.fires()
    tocsin.acknowledge(by="ana")
    tocsin.expect(status="acknowledged", log=Including({"update_reminded", "update_missed"}), within=2 * SHORT)
    tocsin.expect(pages=["primary"])


def what_a_truncated_group_did_not_list_may_still_fire(tocsin: Tocsin) -> None:
    tocsin.fires(pods=["a"], truncated=5)
    tocsin.ends(pods=["a"], others_fire=True, truncated=4)
    tocsin.fires(pods=["b"], truncated=4)
    tocsin.expect(status="triggered", pages=["primary"], alerts=2)
    tocsin.ends(pods=["b"])
    tocsin.expect(status="resolved", pages=["primary"])


def the_priority_says_who_is_told_how(tocsin: Tocsin) -> None:
    """POLICY 4."""
    tocsin.fires("Cosmetic", severity="low")
    tocsin.expect(priority="P3", told={"slack", "ticket"})
    tocsin.fires("Errors", severity="page")
    tocsin.expect(priority="P1", told={"pagerduty", "email", "slack"})
    tocsin.fires("Outage", severity="critical")
    tocsin.expect(priority="P0", told={"pagerduty", "slack"})


STORIES: Final = (
    nobody_acknowledges,
    an_acknowledgement_ends_the_escalation,
    so_does_one_in_pagerduty,
    what_goes_on_becomes_more_severe,
    what_fires_again_is_the_same_incident,
    what_a_person_resolved_stays_quiet_until_it_was_seen_resolved,
    a_level_that_reaches_nobody_is_passed_over,
    nobody_is_woken_after_hours_for_what_can_wait,
    a_person_may_call_whom_they_want,
    a_missing_update_is_reminded_of,
    what_a_truncated_group_did_not_list_may_still_fire,
    the_priority_says_who_is_told_how,
)


def service_of(story: Callable[[Tocsin], None]) -> str:
    return story.__name__.replace("_", "-")


def policy(now: datetime) -> str:
    """The default policy with clocks of seconds; one chain begins with a gap, and one team works on another day."""
    text = yaml.safe_load(shipped_policy("default"))
    text["acknowledge_within"] = {"severity": {"SEV1": _seconds(SHORT), "SEV2": _seconds(LONG), "SEV3": "1h"}}
    for rule in text["classification"]["error_rate"]["rules"]:
        rule.update({"lasting": _seconds(SHORT)} if rule["severity"] == "SEV2" else {})
    text["matrix"]["SEV3"] = {1: "P1", 2: "P1", 3: "P1"}
    text["communication"] |= {
        "email": ["ops@example.test"],
        "update_within": {"SEV2": _seconds(SHORT)},
        "remind_before_update": "1s",
    }
    text["schedules"] = {"gap": {"zone": "UTC", "layers": [{"name": "week", "people": ["ana"], "start": "2999-01-01"}]}}
    text["people"] = {"ana": {}}
    text["escalation"]["rounds"] = 1
    [_, *others] = text["escalation"]["levels"]
    text["escalations"] = {"gap": {"levels": [{"name": "gap", "targets": [{"schedule": "gap"}]}, *others], "rounds": 1}}
    workday = (now + timedelta(days=3)).strftime("%a").lower()
    text["calendars"] = {"office": {"zone": "UTC", "hours": {workday: "09:00-10:00"}}}
    text["teams"] = {"office": {"members": ["ana"], "calendar": "office"}}
    text["services"] = {
        service_of(a_level_that_reaches_nobody_is_passed_over): {"escalation": "gap"},
        service_of(nobody_is_woken_after_hours_for_what_can_wait): {"owner": "office"},
    }
    return yaml.safe_dump(text, sort_keys=False)


def _seconds(time: timedelta) -> str:
    return f"{time.seconds}s"
