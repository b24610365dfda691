"""Calendars that schedules are kept in elsewhere: fetched, read, and kept, so that an outage of theirs empties no
schedule.

Owns the port `CalendarSource` with its two kinds, file and URL, and the last good copy under the data directory. Only
a text that reads as a calendar ever replaces it. A message never repeats an address: whoever knows one may read it.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final, Protocol

import httpx

from models.oncall.ical import CalendarError, ImportedCalendar, read_calendar
from models.oncall.sections import OnCallSchedule
from models.policy import Policy
from streams.clock import Clock
from streams.places import Failed, private_folder
from streams.settings import Settings, calendar_places
from streams.trust import trusted
from streams.values import is_loopback

LARGEST: Final = 5 * 1024 * 1024
"""Bytes. Ten years of daily shifts, each an event of its own, are a third of it."""
WITHIN: Final = 15.0
"""Seconds for the whole of a fetch."""

_TRIED: Final = timedelta(days=100)
_FRESH_FOR: Final = 60.0
"""Seconds on the monotonic clock for which what was read is good enough to be shown."""


class Unfetched(Exception):
    """A calendar could not be fetched now; the message says why, without its address."""


class CalendarSource(Protocol):
    """Where a calendar's text comes from."""

    async def fetch(self) -> str:
        """Its present text. Raises Unfetched."""
        ...


@dataclass(frozen=True, slots=True)
class CalendarFile:
    """A file on this machine."""

    path: Path

    async def fetch(self) -> str:
        try:
            return await asyncio.to_thread(self._read)
        except OSError as error:
            raise Unfetched(f"its file cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise Unfetched("its file is not UTF-8 text") from None

    def _read(self) -> str:
        with self.path.open("rb") as file:
            body = file.read(LARGEST + 1)
        if len(body) > LARGEST:
            raise Unfetched(f"its file is larger than {LARGEST >> 20} MiB")
        return body.decode()


@dataclass(frozen=True, slots=True)
class CalendarUrl:
    """A calendar that is published, by its (secret) address."""

    url: str
    tls: ssl.SSLContext | None = None

    async def fetch(self) -> str:
        try:
            async with asyncio.timeout(WITHIN):
                return await self._read()
        except TimeoutError:
            raise Unfetched(f"its server did not answer within {WITHIN:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unfetched(f"its server does not answer: {type(error).__name__}") from None
        except UnicodeDecodeError:
            raise Unfetched("its server answered with something that is not UTF-8 text") from None

    async def _read(self) -> str:
        body, url = bytearray(), httpx.URL(self.url.replace("webcal://", "https://", 1))
        proxied = not is_loopback(url.host)
        async with (
            httpx.AsyncClient(
                verify=self.tls or True, trust_env=proxied, timeout=WITHIN, follow_redirects=True
            ) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.status_code != 200:
                raise Unfetched(f"its server answered {answer.status_code}")
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > LARGEST:
                    raise Unfetched(f"it is larger than {LARGEST >> 20} MiB")
        return body.decode()


def calendars_at(settings: Settings, policy: Policy, clock: Clock) -> Calendars:
    """A policy's calendars, by what the environment says of them. Raises SettingsError."""
    places, tls = calendar_places(policy, os.environ), trusted(settings.ca_file)
    sources = {variable: source_at(place.get_secret_value(), tls) for variable, place in places.items()}
    return Calendars(policy, sources, settings.data_dir / "calendars", clock)


def source_at(place: str, tls: ssl.SSLContext | None = None) -> CalendarSource:
    """The source behind a URL or the path of a file."""
    return (
        CalendarUrl(place, tls) if place.startswith(("https://", "http://", "webcal://")) else CalendarFile(Path(place))
    )


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is known of one schedule's calendar. `fault` says why it is not the present one, or not there at all."""

    calendar: ImportedCalendar | None
    fetched_at: datetime | None = None
    fault: str | None = None


class Calendars:
    """The calendars of a policy's schedules, from their sources or from the last good copy in `folder`."""

    def __init__(self, policy: Policy, sources: Mapping[str, CalendarSource], folder: Path, clock: Clock) -> None:
        self._policy = policy
        self._sources = sources
        self._folder = folder
        self._clock = clock

    async def read(self) -> dict[str, Fetched]:
        """By schedule, for those that have a calendar. All sources are asked at the same time."""
        names = [name for name, schedule in self._policy.schedules.items() if schedule.ical]
        found = await asyncio.gather(*(self._of(self._policy.schedules[name]) for name in names))
        return dict(zip(names, found, strict=True))

    async def at_hand(self) -> dict[str, Fetched]:
        """The same from the last good copies, without asking anybody; only what has no copy is fetched."""
        found = {
            name: self._kept(schedule.ical, schedule, "")
            for name, schedule in self._policy.schedules.items()
            if schedule.ical
        }
        missing = {name: await self._of(self._policy.schedules[name]) for name in found if not found[name].calendar}
        return {**found, **missing}

    async def _of(self, schedule: OnCallSchedule) -> Fetched:
        variable = schedule.ical or ""
        try:
            text = await self._text(variable)
            calendar = self._parsed(text, schedule)
        except (Unfetched, CalendarError) as error:
            return self._kept(variable, schedule, f"{variable}: {error}")
        return Fetched(calendar, self._clock(), self._keep(variable, text))

    async def _text(self, variable: str) -> str:
        source = self._sources.get(variable)
        if source is None:
            raise Unfetched("it is not set; give it the URL or the path of an iCal calendar")
        return await source.fetch()

    def _parsed(self, text: str, schedule: OnCallSchedule) -> ImportedCalendar:
        """Read, and tried on the months around now. Raises CalendarError."""
        people = {name: person.email for name, person in self._policy.people.items()}
        calendar = read_calendar(text, schedule.zone, people)
        calendar.entries(self._clock() - _TRIED, self._clock() + _TRIED)
        return calendar

    def _kept(self, variable: str, schedule: OnCallSchedule, fault: str) -> Fetched:
        """The last good copy, with when it was fetched."""
        copy = self._copy(variable)
        try:
            at = datetime.fromtimestamp(copy.stat().st_mtime, UTC)
            return Fetched(self._parsed(copy.read_text(encoding="utf-8"), schedule), at, fault)
        except (OSError, UnicodeDecodeError, CalendarError):
            return Fetched(None, None, f"{fault}; there is no earlier copy of it either")

    def _keep(self, variable: str, text: str) -> str | None:
        """Replaces the copy as a whole or not at all; why it could not."""
        copy, now = self._copy(variable), self._clock().timestamp()
        try:
            with NamedTemporaryFile("w", encoding="utf-8", dir=private_folder(self._folder), delete=False) as file:
                file.write(text)
            os.utime(file.name, (now, now))
            Path(file.name).replace(copy)
        except (OSError, Failed) as error:
            return f"no copy of {variable} can be kept, so an outage of it would be a gap: {error}"
        return None

    def _copy(self, variable: str) -> Path:
        return self._folder / f"{variable}.ics"


class RecentCalendars:
    """The same for those who ask often: read once a minute at most, whoever asks, and one reading at a time."""

    def __init__(self, read: Callable[[], Awaitable[Mapping[str, Fetched]]], monotonic: Callable[[], float]) -> None:
        self._read = read
        self._monotonic = monotonic
        self._answer: asyncio.Task[Mapping[str, Fetched]] | None = None
        self._asked_at = 0.0

    async def of(self, policy: Policy) -> Mapping[str, Fetched]:
        """Those of the policy's schedules."""
        answer, now = self._answer, self._monotonic()
        if answer is None or (answer.done() and now - self._asked_at >= _FRESH_FOR):
            self._asked_at = now
            self._answer = answer = asyncio.create_task(self._look())
        found = await asyncio.shield(answer)
        return {name: one for name, one in found.items() if name in policy.schedules}

    async def _look(self) -> Mapping[str, Fetched]:
        return await self._read()
