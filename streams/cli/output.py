"""What people see: aligned tables, times in UTC and relative, JSON for scripts. Asks nobody anything.

Text of alerts and people is not ours: control characters never reach a terminal. Colour only where a terminal shows it.
"""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer

from streams.clock import utc_now

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

_COLOURS: Final[Mapping[str, str]] = {
    "SEV1": typer.colors.RED,
    "SEV2": typer.colors.YELLOW,
    "triggered": typer.colors.RED,
    "acknowledged": typer.colors.YELLOW,
    "resolved": typer.colors.GREEN,
    "fault": typer.colors.RED,
    "warning": typer.colors.YELLOW,
    "ok": typer.colors.GREEN,
}
_GAP: Final = "  "
_NARROWEST: Final = 20


def say(text: str = "") -> None:
    """A line for people, on stdout."""
    typer.echo(text)


def complain(text: str) -> None:
    """One line for people, on stderr."""
    typer.echo(f"tocsin: {plain(text)}", err=True)


def say_json(value: Any) -> None:
    """For scripts. ASCII, so that no terminal and no locale can be harmed by it."""
    typer.echo(json.dumps(value, indent=2, default=str))


def plain(text: str) -> str:
    """One line without control characters: alert text could otherwise steer a terminal."""
    spaced = " ".join(text.split())
    return "".join(character for character in spaced if unicodedata.category(character)[0] != "C")


def say_table(headings: Sequence[str], rows: Iterable[Sequence[object]], empty: str, *, whole: bool = False) -> None:
    """Aligned columns; the last one is cut to the terminal's width unless `whole`. `empty` is said for no rows."""
    cells = [[plain("" if cell is None else str(cell)) for cell in row] for row in rows]
    if not cells:
        say(empty)
        return
    widths = [max(map(_width, column)) for column in zip(headings, *cells, strict=True)]
    room = None if whole else _room(sum(widths[:-1]) + len(_GAP) * (len(widths) - 1))
    for row in ([heading.upper() for heading in headings], *cells):
        *before, last = row
        padded = [_coloured(cell, width) for cell, width in zip(before, widths, strict=False)]
        say(_GAP.join([*padded, _coloured(_cut(last, room), 0)]).rstrip())


def say_fields(fields: Iterable[tuple[str, object]]) -> None:
    """`label  value` lines; empty values are left out."""
    shown = [(label, plain(str(value))) for label, value in fields if value not in {None, ""}]
    width = max((len(label) for label, _ in shown), default=0)
    for label, value in shown:
        say(f"{label:<{width}}{_GAP}{_coloured(value, 0)}")


def when(at: datetime | None) -> str:
    """`2026-11-21 09:30:05 UTC (4 min ago)`; a dash for never."""
    return f"{instant(at)} ({relative(at)})" if at else "-"


def instant(at: datetime) -> str:
    """`2026-11-21 09:30:05 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def relative(at: datetime | None) -> str:
    """`4 min ago`, `in 2 h`, `just now`; a dash for never."""
    if at is None:
        return "-"
    span = at - utc_now()
    if abs(span) < timedelta(seconds=1):
        return "just now"
    return f"in {_roughly(span)}" if span > timedelta(0) else f"{_roughly(-span)} ago"


def _roughly(span: timedelta) -> str:
    """One unit is enough, two where one is too coarse: `45 s`, `4 min`, `1 h 20 min`, `1 d 23 h`, `9 d`."""
    seconds = int(span.total_seconds())
    if seconds < 60:
        return f"{max(seconds, 1)} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 86_400:
        hours, minutes = seconds // 3600, seconds % 3600 // 60
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    days, hours = seconds // 86_400, seconds % 86_400 // 3600
    return f"{days} d {hours} h" if hours and days < 7 else f"{days} d"


def _room(taken: int) -> int | None:
    """Columns left for the last cell; None where lines may be as long as they like (no terminal)."""
    if not sys.stdout.isatty():
        return None
    return max(shutil.get_terminal_size().columns - taken, _NARROWEST)


def _width(text: str) -> int:
    """Columns on a terminal: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def _cut(text: str, room: int | None) -> str:
    if room is None or _width(text) <= room:
        return text
    while _width(text) > room - 1:
        text = text[:-1]
    return f"{text}…"


def _coloured(cell: str, width: int) -> str:
    """Padded first, so that colour never counts as width. `typer.echo` takes colour away where no terminal shows it."""
    padded = cell + " " * (width - _width(cell))
    return typer.style(padded, fg=_COLOURS[cell]) if cell in _COLOURS else padded
