"""The Jinja environments, one per format, whose escaping no template can forget or undo.

Every value that a template prints passes through its environment's `finalize`: cleaned, cut, escaped for its format.
Templates come from the `templates` package only; text from alerts and people is never compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache, lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Undefined
from markupsafe import Markup, escape

from notifiers.escape import in_json, mrkdwn, plain, safe_url

VALUE_LIMIT = 300
"""Characters that a value gets where its template does not say."""
REMEMBERED = 4096
"""How many short values an environment keeps as it wrote them: messages about one incident say most of them again."""
NOTHING = "-"
"""What stands where a value is empty."""
SLACK_URL_LIMIT = 700
"""A longer address is shown as its bare label: a message has room for some 13,000 characters."""
_FORBIDDEN_FILTERS = ("safe", "tojson", "xmlattr", "urlize", "forceescape")
"""They would let a value pass by, or escape it for another format."""

_Escape = Callable[..., str]


def utc(at: datetime) -> str:
    """`14:03 UTC`."""
    return f"{at:%H:%M} UTC"


def utc_day(at: datetime) -> str:
    """`2026-11-21 14:03 UTC`."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def duration(span: timedelta) -> str:
    """`2 d 3 h`, `1 h 12 min`, `4 min`, `40 s`: at most two units."""
    seconds = max(0, round(span.total_seconds()))
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, seconds = divmod(seconds, size)
        if count and len(parts) < 2:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"


def _slack_time(at: datetime) -> Markup:
    """The same for everybody (UTC), then as the reader's own clock shows it."""
    own, day = "{date_short_pretty}, {time}", utc_day(at)
    return Markup(f"{day.partition(' ')[2]} (<!date^{at.timestamp():.0f}^{own}|{day}>)")  # noqa: S704 (made of an instant)


def _slack_link(url: object, label: str) -> Markup:
    """A labelled link; the bare label where the address is none that people should follow."""
    words = in_json(mrkdwn(label, 75).replace("|", "/")) or NOTHING
    address = (safe_url(url) or "").replace("&", "&amp;")
    if not 0 < len(address) <= SLACK_URL_LIMIT:
        return Markup(words)  # noqa: S704 (escaped above)
    return Markup(f"<{in_json(address)}|{words}>")  # noqa: S704 (escaped above)


def _environment(write: _Escape) -> Environment:
    """An environment whose every printed value goes through `write(value, limit, lines=…)`, exactly once."""

    def finalize(value: object) -> object:
        # Undefined goes on to raise as StrictUndefined does; Markup has been through here already.
        return value if isinstance(value, Undefined | Markup) else cut(value, VALUE_LIMIT)

    def cut(value: object, limit: int, *, lines: bool = False) -> Markup:
        text = str(value)  # raises where it is Undefined, as StrictUndefined does
        return (remembered if len(text) <= VALUE_LIMIT else written)(text, limit, lines)

    def written(text: str, limit: int, lines: bool) -> Markup:  # noqa: FBT001 (a keyword makes remembering dear)
        # Providers refuse empty strings, and a page must not be lost because an alert had no name.
        return Markup(write(text, limit, lines=lines) or NOTHING)  # noqa: S704 (this is the escaping)

    remembered = lru_cache(REMEMBERED)(written)

    environment = Environment(
        loader=PackageLoader("templates", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.clear()  # no template needs one, and every message would copy them all
    for name in _FORBIDDEN_FILTERS:
        environment.filters.pop(name, None)
    environment.filters.update(
        cut=cut,
        lines=lambda value, limit: cut(value, limit, lines=True),
        utc=utc,
        utc_day=utc_day,
        duration=duration,
        url=safe_url,
    )
    return environment


@cache
def slack_templates() -> Environment:
    def write(value: object, limit: int, *, lines: bool = False) -> str:
        return in_json(mrkdwn(value, limit, lines=lines))

    environment = _environment(write)
    environment.filters.update(time=_slack_time, link=_slack_link)
    return environment


@cache
def json_templates() -> Environment:
    def write(value: object, limit: int, *, lines: bool = False) -> str:
        return in_json(plain(value, limit, lines=lines))

    return _environment(write)


@cache
def text_templates() -> Environment:
    return _environment(plain)


@cache
def markup_templates() -> Environment:
    def write(value: object, limit: int, *, lines: bool = False) -> str:
        return str(escape(plain(value, limit, lines=lines)))

    return _environment(write)
