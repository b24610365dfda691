"""One report as several, where no record could hold it: together they mean what the whole would. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace

from models.alert import Alert
from models.signals import AlertsReported, encode_signal

MOST_BYTES = 8 * 1024 * 1024
"""Of one signal, where it can be split: an event and its headers fit beside it into a record."""


def parts(report: AlertsReported) -> Iterator[AlertsReported]:
    """The same report with some of its alerts each. What fires comes first, the longest first, and one that fires is in
    every part: so the incident begins when it began, and no part looks as if all was over.
    """
    alerts = sorted(report.alerts, key=lambda alert: (alert.status != "firing", alert.starts_at))
    firing = alerts[:1] if alerts[:1] and alerts[0].status == "firing" else []
    room = MOST_BYTES - len(encode_signal(replace(report, alerts=tuple(firing))))
    for place, taken in enumerate(_slices(report, alerts, room)):
        part_id = uuid.uuid5(report.id, f"part/{place}") if place else report.id
        mute = firing and taken[0].status != "firing"
        yield replace(report, id=part_id, alerts=(*firing, *taken) if mute else tuple(taken))


def _slices(report: AlertsReported, alerts: Sequence[Alert], room: int) -> Iterator[Sequence[Alert]]:
    """Consecutive alerts that take no more than `room` bytes, or a single one; all of them where there is no room."""
    size = len(encode_signal(replace(report, alerts=tuple(alerts)))) - len(encode_signal(replace(report, alerts=())))
    if len(alerts) == 1 or size <= room or room <= 0:
        yield alerts
        return
    middle = len(alerts) // 2
    yield from _slices(report, alerts[:middle], room)
    yield from _slices(report, alerts[middle:], room)
