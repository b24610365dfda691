"""What text from alerts and people may become: cleaned, cut to size, and inert in Slack and in JSON.

Pure functions. Never decides what is said; a value that passed through here can hurt neither a format nor a reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from json.encoder import encode_basestring
from urllib.parse import quote, urlsplit

ELLIPSIS = "…"
_LINE_BREAKS = re.compile(r"\r\n|[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")
# Controls have no place in XML or JSON readers; bidirectional overrides can make a sentence read as another one.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufeff\ufffe\uffff]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")
_BROADCAST = re.compile(r"@(?=\s*(?:channel|here|everyone|group))", re.IGNORECASE)
_ZERO_WIDTH_SPACE = "\u200b"
_MRKDWN = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'"})
_MAX_URL = 1000
_LIVE = re.compile("[&<>`@]").search
"""What Slack could obey. Most texts hold none of it, and to look is cheaper than to replace."""
_ADDRESS = re.compile(
    r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:[/?#][A-Za-z0-9%/:=&?~#+!$,;'()*\[\]._-]*)?"
).fullmatch
"""What `safe_url` would return as it stands; `urlsplit` and `quote` are only asked about the rest."""


def clean(text: object, *, lines: bool = False) -> str:
    """`text` without controls, lone surrogates and bidirectional overrides; on one line unless `lines`."""
    found = str(text)
    if found.isascii() and found.isprintable():  # nearly always, and then nothing below has anything to do
        found = found.strip()
        return " ".join(found.split()) if not lines and "  " in found else found
    kept = _LINE_BREAKS.sub("\n", found).replace("\t", " ")
    kept = _SURROGATES.sub("\ufffd", _UNWANTED.sub("", kept)).strip()
    return kept if lines else " ".join(kept.split())


def _cut(text: str, limit: int, piece: Callable[[str], str]) -> str:
    """Every character through `piece`, as many as fit; a piece is never split, and what was cut ends in an ellipsis.

    Characters outside the basic plane count as two, as providers count them.
    """
    pieces: list[str] = []
    size, fits, room = 0, 0, limit - len(ELLIPSIS)
    for character in text:
        part = piece(character)
        size += len(part) + (ord(character) > 0xFFFF)
        if size > limit:
            return "".join(pieces[:fits]).rstrip() + ELLIPSIS
        pieces.append(part)
        if size <= room:
            fits = len(pieces)
    return "".join(pieces)


def plain(text: object, limit: int, *, lines: bool = False) -> str:
    """Cleaned text of at most `limit` characters, for formats whose own escaping follows."""
    kept = clean(text, lines=lines)
    return kept if _size(kept) <= limit else _cut(kept, limit, str)


def mrkdwn(text: object, limit: int, *, lines: bool = False) -> str:
    """Text that Slack shows as it stands: no mention, no broadcast, no link, no code block begins in it.

    `limit` counts what Slack counts: the escaped characters.
    """
    kept = clean(text, lines=lines)
    if not _LIVE(kept) and _size(kept) <= limit:
        return kept
    inert = _BROADCAST.sub("@" + _ZERO_WIDTH_SPACE, kept)
    escaped = inert.translate(_MRKDWN)
    return escaped if _size(escaped) <= limit else _cut(inert, limit, lambda character: character.translate(_MRKDWN))


def _size(text: str) -> int:
    """As providers count: characters outside the basic plane are two."""
    return len(text) if text.isascii() else len(text) + sum(ord(character) > 0xFFFF for character in text)


def in_json(text: str) -> str:
    """`text` as the inside of a JSON string."""
    return encode_basestring(text)[1:-1]


def safe_url(url: object) -> str | None:
    """`url` percent-encoded, when it is an http or https address of reasonable length; else None."""
    found = str(url)
    if len(found) <= _MAX_URL and _ADDRESS(found):
        return found
    encoded = quote(clean(found).replace(" ", "%20"), safe="%/:=&?~#+!$,;'()*[]-._")
    try:
        parts = urlsplit(encoded)
        known = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return None
    return encoded if known and len(encoded) <= _MAX_URL else None
