"""What `tocsin doctor` has to ask for: broker, database, web, providers, Prometheus. Bounded in time; changes and pages
nobody.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

import httpx
from aiokafka.errors import KafkaError

from models.deliveries import Provider
from models.policy import Policy
from models.statuspage import Publication
from models.store.errors import StoreError
from models.store.look import Seen, look
from models.store.migrations import head
from notifiers.port import Notifier
from streams import topics
from streams.cli import heartbeats
from streams.cli.broker import partitions
from streams.cli.client import Client, web_address
from streams.cli.edge import Code, Fault
from streams.cli.findings import Finding, fault, ok, warning
from streams.clock import utc_now
from streams.endpoints import find
from streams.prometheus import Prometheus
from streams.providers import reach
from streams.recording import unheard, whats_recorded
from streams.settings import PolicyInForce, Settings, SettingsError
from streams.trust import trusted

WITHIN: Final = 10.0
PROVIDER_WITHIN: Final = 25.0
"""Seconds."""
_ANY_QUERY: Final = "vector(1)"
_CLOCKS_APART: Final = timedelta(seconds=2)
_CLOCKS_FAR_APART: Final = timedelta(minutes=1)


async def broker(settings: Settings) -> list[Finding]:
    """Whether it answers, and has the topics."""
    address = settings.kafka or find(settings.data_dir, "broker")
    if address is None:
        return [warning("broker", "embedded, and not running", "start `tocsin up`, or set TOCSIN_KAFKA")]
    kind = "TOCSIN_KAFKA" if settings.kafka else "embedded"
    try:
        async with asyncio.timeout(WITHIN):
            there = await partitions(address, WITHIN)
    except (KafkaError, OSError) as error:
        said = f"{kind} at {address} does not answer ({type(error).__name__})"
        return [fault("broker", said, "start it, or correct TOCSIN_KAFKA")]
    return [ok("broker", f"{kind}, answers at {address}"), *_topics(there)]


def _topics(there: Mapping[str, int]) -> Iterator[Finding]:
    missing = [topic.name for topic in topics.TOPICS if topic.name not in there]
    few = [
        f"{topic.name} has {there[topic.name]}, expected {topic.partitions}"
        for topic in topics.TOPICS
        if there.get(topic.name, topic.partitions) < topic.partitions
    ]
    if missing:
        yield fault("topics", f"missing: {', '.join(missing)}", "run `tocsin migrate`")
    elif few:
        yield warning("topics", f"few partitions: {'; '.join(few)}", "nothing, if that was meant")
    else:
        yield ok("topics", f"all {len(topics.TOPICS)} are there")


async def database(settings: Settings) -> list[Finding]:
    """Whether it answers, has this version's schema, and what its clock says."""
    configured = settings.database_url
    url = configured.get_secret_value() if configured else find(settings.data_dir, "database")
    if url is None:
        return [warning("database", "embedded, and not running", "start `tocsin up`, or set TOCSIN_DATABASE_URL")]
    before = utc_now()
    try:
        seen = await asyncio.wait_for(asyncio.to_thread(look, url), WITHIN)
    except StoreError as error:
        what, _, do = str(error).rpartition(": ")
        return [fault("database", what, do)]
    except TimeoutError:
        return [fault("database", f"no answer within {WITHIN:.0f} s", "look at its log and its load")]
    halfway = before + (utc_now() - before) / 2
    kind = "TOCSIN_DATABASE_URL" if configured else "embedded"
    return [ok("database", f"{kind}, PostgreSQL {seen.version}"), _schema(seen), _clock(seen.now - halfway)]


def _schema(seen: Seen) -> Finding:
    needed = head()
    if seen.revision == needed:
        return ok("schema", f"revision {needed}")
    has = f"has revision {seen.revision}" if seen.revision else "has no tables yet"
    return fault("schema", f"the database {has}, this version needs {needed}", "run `tocsin migrate`")


def _clock(apart: timedelta) -> Finding:
    seconds = f"{abs(apart).total_seconds():.1f} s"
    if abs(apart) < _CLOCKS_APART:
        return ok("clock", f"{seconds} from the database's")
    said = f"this machine's clock is {seconds} {'behind' if apart > timedelta(0) else 'ahead of'} the database's"
    make = fault if abs(apart) > _CLOCKS_FAR_APART else warning
    return make("clock", said, "synchronise both with NTP")


async def web(settings: Settings, found: PolicyInForce | None) -> list[Finding]:
    """Whether it answers, is ready, takes our token and runs the policy that we name."""
    try:
        address = web_address(settings)
        async with httpx.AsyncClient(timeout=WITHIN, trust_env=False) as http:
            health = _health((await http.get(f"{address}/health/ready")).json())
    except Fault as refused:
        return [fault("web", *_halves(str(refused)))]
    except (httpx.HTTPError, ValueError) as error:
        return [
            fault(
                "web",
                f"no Tocsin answers at {settings.web_bind} ({type(error).__name__})",
                "start `tocsin up` or `tocsin web`",
            )
        ]
    told = [*_told(address, health), *_recording(settings, found, health)]
    return [*told, *await asyncio.to_thread(_token, settings, found)]


def _health(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict) or "status" not in answer:
        raise ValueError("not Tocsin's health")
    return answer


def _told(address: str, health: Mapping[str, Any]) -> Iterator[Finding]:
    status = health["status"]
    parts = ", ".join(f"{part} {health.get(part, 'unknown')}" for part in ("broker", "database", "worker"))
    if status == "ready":
        yield ok("web", f"ready at {address} ({parts})")
    elif status == "degraded":
        yield fault("web", f"degraded at {address} ({parts})", "see the worker's log; is one running?")
    else:
        yield fault("web", f"{status} at {address} ({parts})", "see the lines about broker and database")


def _recording(settings: Settings, found: PolicyInForce | None, health: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether web was started with the providers that this environment has."""
    try:
        ours = set(unheard(whats_recorded(settings, found.policy, os.environ), found.policy)) if found else set()
    except SettingsError:
        return  # told already
    theirs = set(health.get("recording") or ())
    if found and theirs != ours:
        said = f"web records {_listed(theirs)}, with this environment it would be {_listed(ours)}"
        yield warning("recording", said, "restart web and worker with this environment, or correct it here")


def _listed(providers: Collection[str]) -> str:
    return " and ".join(sorted(providers)) or "nothing"


def _token(settings: Settings, found: PolicyInForce | None) -> list[Finding]:
    try:
        with Client(settings) as client:
            version, heard = client.get("policy").get("version"), heartbeats.findings(client)
    except Fault as refused:
        subject = "token" if refused.code is Code.DENIED else "web"
        return [fault(subject, *_halves(str(refused)))]
    if found is not None and version != found.version:
        said = f"web runs policy {version}, this environment names {found.version}"
        return [warning("policy", said, "restart web and worker, or correct TOCSIN_POLICY"), *heard]
    return [ok("token", "the API lets us in"), *heard]


async def providers(settings: Settings, policy: Policy) -> list[Finding]:
    """Asks every provider that is configured whether it takes our credentials."""
    try:
        reached = reach(settings, policy, os.environ, _publishes_nothing)
    except SettingsError as error:
        return [fault("providers", *_halves(str(error)))]
    ours = {Provider.STATUSPAGE, *reached.recording}  # our own page is web's
    asked = {provider: one for provider, one in reached.notifiers.items() if provider not in ours}
    answers = await asyncio.gather(*(_asked(one) for one in asked.values()))
    return [
        ok(str(provider), "reachable, and takes our credentials")
        if wrong is None
        else fault(str(provider), wrong, "check the network, its address and our credentials")
        for provider, wrong in zip(asked, answers, strict=True)
    ]


async def prometheus(settings: Settings) -> list[Finding]:
    """Whether it answers, asked as triage asks it."""
    if settings.prometheus_url is None:
        return []
    try:
        asked = Prometheus(settings.prometheus_url, trusted(settings.ca_file))
    except SettingsError as error:
        return [fault("prometheus", *_halves(str(error)))]
    try:
        answer = (await asked([_ANY_QUERY], timedelta(seconds=WITHIN)))[_ANY_QUERY]
    finally:
        await asked.close()
    if answer.value is not None:
        return [ok("prometheus", "answers our queries")]
    said = f"{answer.why}; the other rules decide without its numbers"
    return [warning("prometheus", said, "start it, or correct TOCSIN_PROMETHEUS_URL")]


async def _asked(notifier: Notifier) -> str | None:
    try:
        async with asyncio.timeout(PROVIDER_WITHIN):
            return await notifier.check()
    except TimeoutError:
        return f"no answer within {PROVIDER_WITHIN:.0f} s: check the network between here and there"
    finally:
        await notifier.close()


async def _publishes_nothing(_: Publication) -> None:
    """The doctor publishes nothing."""


def _halves(message: str) -> tuple[str, str]:
    """What is wrong and what to do, where one line holds both."""
    what, _, do = message.partition(": ")
    return (what, do) if do else (message, "correct it and ask again")
