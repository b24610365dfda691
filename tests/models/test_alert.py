"""Reading Alertmanager's webhooks: everything that its releases send, and a clear reason for what is none."""

from __future__ import annotations

import contextlib
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.alert import AlertGroup, read_envelope, read_webhook
from models.records import Unreadable

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
ALERT = {
    "status": "firing",
    "labels": {"alertname": "HighErrorRate", "service": "checkout"},
    "annotations": {},
    "startsAt": "2026-03-02T02:59:30.123456789Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "",
    "fingerprint": "c0ffee",
}
BODY: dict[str, Any] = {"version": "4", "groupKey": "{}:{}", "status": "firing", "alerts": [ALERT]}


def read(body: dict[str, Any] | bytes) -> AlertGroup:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_webhook(raw, webhook_id=uuid.UUID(int=1), sender="prometheus", received_at=NOW)


def test_fields_of_newer_releases_are_accepted() -> None:
    group = read({**BODY, "notification_reason": "first notification", "routeLabels": {"a": "b"}, "brandNew": [1]})
    assert group.alerts[0].labels["service"] == "checkout"


def test_nanoseconds_are_read_to_the_microsecond() -> None:
    assert read(BODY).alerts[0].starts_at == datetime(2026, 3, 2, 2, 59, 30, 123456, tzinfo=UTC)


@pytest.mark.parametrize("starts_at", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "2026-03-02T03:00:01Z"])
def test_an_alert_never_starts_in_the_future(starts_at: str) -> None:
    assert read({**BODY, "alerts": [{**ALERT, "startsAt": starts_at}]}).alerts[0].starts_at <= NOW


def test_null_labels_and_alerts_are_empty_ones() -> None:
    assert read({**BODY, "alerts": [{**ALERT, "labels": None, "annotations": None}]}).alerts[0].labels == {}
    assert read({**BODY, "alerts": None}).alerts == ()


def test_without_a_fingerprint_the_labels_are_the_identity() -> None:
    one, same, other = ({**ALERT, "fingerprint": "", "labels": {"a": value}} for value in ("1", "1", "2"))
    prints = [alert.fingerprint for alert in read({**BODY, "alerts": [one, same, other]}).alerts]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": "3"}, "version"),
        ({"version": 4}, "version"),
        ({"groupKey": None}, "groupKey"),
        ({"groupKey": ""}, "groupKey"),
        ({"status": "burning"}, "status"),
        ({"alerts": {}}, "alerts"),
        ({"alerts": [{**ALERT, "labels": {"a": 1}}]}, "alerts.0.labels: Input should be a valid string in “a”"),
        ({"alerts": [{**ALERT, "startsAt": "yesterday"}]}, "alerts.0.startsAt"),
        ({"alerts": [{**ALERT, "startsAt": "2026-03-02T03:00:00"}]}, "alerts.0.startsAt"),
        ({"alerts": [7]}, "alerts.0"),
    ],
)
def test_what_cannot_be_read_names_the_field(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unreadable, match=f"^{reason}"):
        read({**BODY, **change})


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"version":"4"}', b"[" * 100_000, b"1" * 5000]
)
def test_a_body_that_is_no_webhook_has_a_reason(body: bytes) -> None:
    for check in (read, read_envelope):
        with pytest.raises(Unreadable):
            check(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for check in (read, read_envelope):
        with contextlib.suppress(Unreadable):
            check(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*BODY, *ALERT]), inner, max_size=4)
        ),
        max_leaves=8,
    ),
    st.sampled_from([*BODY]),
)
def test_any_json_in_any_place_is_read_or_refused(value: Any, field: str) -> None:
    with contextlib.suppress(Unreadable):
        read({**BODY, field: value})


def test_duration_counts_from_starts_at() -> None:
    assert NOW - read(BODY).alerts[0].starts_at < timedelta(seconds=31)


@pytest.mark.parametrize("name", ["x" * 9_000_000, "a\0b", "a.b: c\n", "“”"])
def test_a_reason_is_short_and_says_what_the_sender_made_up_last(name: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read({**BODY, "alerts": [{**ALERT, "labels": {name: None}}]})
    reason = str(refused.value)
    assert reason.startswith("alerts.0.labels: Input should be a valid string in “")
    assert len(reason) < 150
    assert reason.isprintable()
