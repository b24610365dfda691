"""Who is on call, by the API: what the command line says. POLICY 11."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from models.oncall.ical import read_calendar
from models.policy import Policy
from models.policy_file import shipped_policy
from streams.calendars import Fetched, RecentCalendars
from streams.settings import Settings, policy_in_force
from streams.values import Bind
from tests.cli.test_oncall import EXAMPLES
from tests.streams.test_calendars import ical
from tests.web.conftest import API_TOKEN
from tests.web.world import World

AWAY = "TOCSIN_CALENDAR_NETWORK: its server did not answer"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """With the schedules that docs/oncall.md shows in force."""
    network = EXAMPLES[1].removeprefix("schedules:\n")
    file = tmp_path / "policy.yaml"
    example = EXAMPLES[0].replace("\ncalendars:", f"{network}\ncalendars:")
    file.write_text(shipped_policy("default").replace("people: {}", example))
    world = World(Settings(web_bind=Bind("127.0.0.1", 0), api_token=SecretStr(API_TOKEN), policy=str(file)))
    emails = {name: person.email for name, person in world.policy.policy.people.items()}
    fetched = Fetched(read_calendar(ical("jonas"), "Europe/Berlin", emails), None, AWAY)

    async def calendars(policy: Policy) -> Mapping[str, Fetched]:
        return {"network": fetched} if "network" in policy.schedules else {}

    world.calendars = calendars
    return world


async def test_who_is_on_call_until_when_and_who_comes_then(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/v1/oncall", params={"at": "2026-03-28T21:00+01:00", "team": "database"})
    assert answer.json() == {
        "at": "2026-03-28T20:00:00Z",
        "schedules": [
            {
                "schedule": "database",
                "teams": ["database"],
                "zone": "Europe/Berlin",
                "people": ["aiko"],
                "until": "2026-03-28T21:00:00Z",
                "then": ["noor"],
                "warnings": [],
            }
        ],
    }
    both = (await api.get("/api/v1/oncall", params={"at": "2026-03-02T12:00"})).json()["schedules"]
    assert [(one["schedule"], one["people"], one["warnings"]) for one in both] == [
        ("database", ["aiko"], []),
        ("network", ["jonas"], [AWAY]),
    ]
    assert len((await api.get("/api/v1/oncall")).json()["schedules"]) == 2


async def test_when_nobody_is(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/v1/oncall/gaps", params={"from": "2026-03-02T12:00Z", "days": 2})
    assert answer.json() == {
        "from": "2026-03-02T12:00:00Z",
        "to": "2026-03-04T12:00:00Z",
        "gaps": [{"schedule": "network", "from": "2026-03-03T08:00:00Z", "to": "2026-03-04T12:00:00Z"}],
    }
    covered = await api.get("/api/v1/oncall/gaps", params={"team": "database", "days": 366})
    assert covered.json()["gaps"] == []


@pytest.mark.parametrize(
    ("asked", "status", "error"),
    [
        ({"team": "web"}, 404, "the policy has no team 'web'; it has: database"),
        ({"schedule": "web"}, 404, "the policy has no schedule 'web'; it has: database, network"),
        ({"team": "database", "schedule": "network"}, 422, "is not the schedule of 'database'"),
        ({"at": "tomorrow"}, 422, "at:"),
        ({"at": "9999-12-31T23:59:59Z"}, 422, "is not between 1970 and 2200"),
        ({"at": "0001-01-01T00:00:00+14:00"}, 422, "is not between 1970 and 2200"),
    ],
)
async def test_what_is_not_there_is_said(
    api: httpx.AsyncClient, asked: dict[str, str], status: int, error: str
) -> None:
    answer = await api.get("/api/v1/oncall", params=asked)
    assert (answer.status_code, error in answer.json()["error"]) == (status, True), answer.text


async def test_only_with_the_token(anybody: httpx.AsyncClient) -> None:
    assert (await anybody.get("/api/v1/oncall")).status_code == 401
    spec = (await anybody.get("/openapi.json")).json()
    assert {"/api/v1/oncall", "/api/v1/oncall/gaps"} <= set(spec["paths"])


async def test_a_calendar_is_read_once_a_minute_whoever_asks(world: World) -> None:
    asked, seconds = [], 0.0

    async def read() -> Mapping[str, Fetched]:
        asked.append(1)
        return {"network": Fetched(None, None, AWAY), "gone": Fetched(None)}

    recent = RecentCalendars(read, lambda: seconds)
    for _ in range(3):
        assert set(await recent.of(world.policy.policy)) == {"network"}
    assert len(asked) == 1
    seconds += timedelta(minutes=1).total_seconds()
    await recent.of(world.policy.policy)
    assert len(asked) == 2


PAGED = """escalations:
  payments:
    levels:
      - {name: on-call, targets: [{schedule: database}]}
      - {name: both, targets: [{person: maria}, {pagerduty: TOCSIN_NOC}]}
      - {name: later, targets: [{person: jonas}]}
      - {name: mailed, targets: [{person: aiko}, {webhook: TOCSIN_NOC_WEBHOOK}]}
"""


@pytest.fixture
def paging(world: World, tmp_path: Path) -> World:
    """With a chain of people, which one service has."""
    file = tmp_path / "policy.yaml"
    text = file.read_text().replace("services: {}", "services: {checkout: {escalation: payments}, search: {}}")
    file.write_text(text + PAGED)
    world.policy = policy_in_force(world.settings)
    return world


@pytest.mark.parametrize("asked", [{"chain": "payments"}, {"service": "checkout"}])
async def test_a_test_page_goes_to_everybody_of_a_level_of_a_chain(
    paging: World, api: httpx.AsyncClient, asked: dict[str, str]
) -> None:
    answer = await api.post("/api/v1/pages/test", json={**asked, "level": "both"})
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["chain"], told["level"], told["whom"]) == ("payments", "both", ["maria", "TOCSIN_NOC"])
    keys = [one.delivery.page.routing_key for one in paging.store.outbox if one.delivery.page]
    assert keys == ["TOCSIN_PAGERDUTY_ROUTING_KEY_MARIA", "TOCSIN_NOC"]
    assert [str(one.delivery.id) for one in paging.store.outbox] == told["delivery_ids"]
    assert told["delivery_id"] == told["delivery_ids"][0]


async def test_a_test_page_goes_by_every_way_that_a_level_has(paging: World, api: httpx.AsyncClient) -> None:
    answer = await api.post("/api/v1/pages/test", json={"chain": "payments", "level": "mailed"})
    assert answer.json()["whom"] == ["aiko", "TOCSIN_NOC_WEBHOOK"]
    assert [one.delivery.provider for one in paging.store.outbox] == ["email", "webhook"]
    mailed = paging.store.outbox[0].delivery.page
    assert mailed is not None
    assert (mailed.email, mailed.test, mailed.asked_at is None) == ("aiko@example.com", True, False)


@pytest.mark.parametrize(
    ("asked", "error", "hint"),
    [
        ({"chain": "web"}, "chain: the policy has no chain 'web'", "It has: default, payments."),
        ({"service": "chekout"}, "service: the catalogue has no service 'chekout'", "It has: checkout, search."),
        (
            {"service": "search", "chain": "payments"},
            "chain: search has the chain 'default'",
            "the service or the chain",
        ),
        ({"chain": "payments", "level": "cto"}, "no level 'cto'", "It has: on-call, both, later, mailed."),
        ({"chain": "payments", "level": "later"}, "jonas is reached in Slack alone", "routing key"),
    ],
)
async def test_what_cannot_be_paged_for_a_test_is_said(
    paging: World, api: httpx.AsyncClient, asked: dict[str, str], error: str, hint: str
) -> None:
    answer = await api.post("/api/v1/pages/test", json=asked)
    assert answer.status_code == 422, answer.text
    assert error in answer.json()["error"]
    assert hint in answer.json()["hint"]
    assert paging.store.outbox == []
