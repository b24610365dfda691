"""Calendars from elsewhere: what is fetched, what is kept, and what holds while their server is away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from models.oncall.schedule import on_call
from models.policy import Policy
from models.policy_file import parse_policy, shipped_policy
from streams import calendars
from streams.calendars import Calendars, CalendarUrl, Fetched, source_at
from tests.models.oncall.build import utc

PEOPLE = "people: {ana: {}, ben: {}}\nschedules:\n  web: {zone: Europe/Berlin, ical: TOCSIN_CALENDAR_WEB}"
NOW = utc("2026-03-02 12:00")


def ical(person: str) -> str:
    lines = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", "BEGIN:VEVENT", "UID:1", f"SUMMARY:{person}")
    times = ("DTSTART:20260302T080000Z", "DTEND:20260303T080000Z", "END:VEVENT", "END:VCALENDAR", "")
    return "\r\n".join((*lines, *times))


@dataclass
class Elsewhere:
    """A server with a calendar."""

    url: str = ""
    status: int = 200
    body: bytes = field(default_factory=lambda: ical("ana").encode())
    hangs: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.hangs.set()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    there = Elsewhere()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there.hangs.wait(10)
            self.send_response(there.status)
            self.end_headers()
            self.wfile.write(there.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    there.url = f"http://127.0.0.1:{server.server_port}/s3cr3t.ics"
    yield there
    there.hangs.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def policy() -> Policy:
    return parse_policy(shipped_policy("default").replace("people: {}", PEOPLE), "mine.yaml")


def fetched(policy: Policy, place: str | None, folder: Path, hours: int = 0) -> Fetched:
    sources = {"TOCSIN_CALENDAR_WEB": source_at(place)} if place else {}
    return asyncio.run(Calendars(policy, sources, folder, lambda: NOW + timedelta(hours=hours)).read())["web"]


def who(policy: Policy, found: Fetched) -> tuple[str, ...]:
    return on_call(policy.schedules["web"], NOW, found.calendar)


def test_a_file_and_an_address_give_the_same(policy: Policy, elsewhere: Elsewhere, tmp_path: Path) -> None:
    (tmp_path / "web.ics").write_text(ical("ben"))
    assert who(policy, fetched(policy, str(tmp_path / "web.ics"), tmp_path / "kept")) == ("ben",)
    found = fetched(policy, elsewhere.url, tmp_path / "kept")
    assert (who(policy, found), found.fault, found.fetched_at) == (("ana",), None, NOW)


def test_while_it_is_away_the_last_good_copy_holds_and_says_so(
    policy: Policy, elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched(policy, elsewhere.url, tmp_path)
    monkeypatch.setattr(calendars, "WITHIN", 0.3)
    faults = []
    for change in (
        {"status": 503},
        {"body": b"<html>please log in</html>"},
        {"body": b"\xff\xfe"},
        {"body": ical("ben").encode() + b" " * calendars.LARGEST},
        {"hangs": threading.Event()},
        {"url": "http://127.0.0.1:1/s3cr3t.ics"},
    ):
        there = {"status": 200, "body": ical("ben").encode(), "hangs": elsewhere.hangs, "url": elsewhere.url, **change}
        vars(elsewhere).update(there)
        found = fetched(policy, elsewhere.url, tmp_path, hours=9)
        elsewhere.hangs.set()
        assert who(policy, found) == ("ana",)
        assert found.fetched_at == NOW
        faults.append(str(found.fault))
    assert all(fault.startswith("TOCSIN_CALENDAR_WEB: ") and "s3cr3t" not in fault for fault in faults)
    assert [word for word, fault in zip(("503", "iCal", "UTF-8", "5 MiB", "within", "Connect"), faults, strict=True)
            if word not in fault] == []  # fmt: skip


def test_what_was_never_there_is_said_and_nobody_is_on_call(policy: Policy, tmp_path: Path) -> None:
    unset = fetched(policy, None, tmp_path)
    assert who(policy, unset) == ()
    assert unset.fault == (
        "TOCSIN_CALENDAR_WEB: it is not set; give it the URL or the path of an iCal calendar;"
        " there is no earlier copy of it either"
    )
    assert "No such file" in str(fetched(policy, str(tmp_path / "none.ics"), tmp_path).fault)


def test_a_copy_that_cannot_be_kept_is_said_and_the_calendar_holds(policy: Policy, tmp_path: Path) -> None:
    (tmp_path / "web.ics").write_text(ical("ben"))
    (tmp_path / "kept").write_text("a file where a folder should be")
    found = fetched(policy, str(tmp_path / "web.ics"), tmp_path / "kept")
    assert who(policy, found) == ("ben",)
    assert "no copy of TOCSIN_CALENDAR_WEB can be kept" in str(found.fault)


def test_calendars_by_webcal_are_asked_by_https() -> None:
    assert isinstance(source_at("webcal://calendar.example.test/x.ics"), CalendarUrl)
