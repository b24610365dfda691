"""How single settings are written: addresses to listen on, lists of tokens, URLs. Knows no variable and no setting.

Everything raises ValueError that says how to write it, and never repeats a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode


@dataclass(frozen=True, slots=True)
class Bind:
    """Where to listen. `port` 0 takes a free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """True when only this machine can reach it."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """True for `localhost` and loopback addresses."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def parse_bind(value: object) -> Bind:
    """Reads `127.0.0.1:8080`, `[::1]:8080` or `:8080` (every address). Raises ValueError that says how to write one."""
    if isinstance(value, Bind):
        return value
    host, colon, port = str(value).strip().rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"{str(value)!r} is not an address; write HOST:PORT, such as 127.0.0.1:8080")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f"{str(value)!r}: an IPv6 address stands in brackets, such as [::1]:8080")
    return Bind(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104 (asked for; refused without tokens)


def _parse_tokens(value: object) -> object:
    """`sender:token,…` as a mapping. Two senders with one token could not be told apart."""
    if not isinstance(value, str):
        return value
    tokens: dict[str, SecretStr] = {}
    for position, entry in enumerate(filter(None, (part.strip() for part in value.split(","))), start=1):
        sender, colon, token = (part.strip() for part in entry.partition(":"))
        if not (colon and sender and token):
            raise ValueError(f"entry {position} is not sender:token; write sender:token,sender:token")
        if sender in tokens:
            raise ValueError(f"the sender {sender!r} stands twice; give every sender one token")
        tokens[sender] = SecretStr(token)
    if len({token.get_secret_value() for token in tokens.values()}) < len(tokens):
        raise ValueError("two senders share one token; give every sender its own")
    return tokens


def _parse_secrets(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(SecretStr(part.strip()) for part in value.split(",") if part.strip())


def _http_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("not a web address; write http://… or https://…")
    return url.rstrip("/")


def _secret_http_url(url: SecretStr) -> SecretStr:
    return SecretStr(_http_url(url.get_secret_value()))


def _brokers(text: str) -> str:
    for broker in text.split(","):
        host, colon, port = broker.strip().rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit()):
            raise ValueError(f"{broker.strip()!r} is not a broker's address; write HOST:PORT,HOST:PORT")
    return text


def _postgresql_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("not a PostgreSQL address; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    return url


def _smtp_url(url: SecretStr) -> SecretStr:
    """Its parts are read by notifiers/email.py."""
    how = "write smtp://USER:PASSWORD@HOST:PORT, or smtps://… for TLS from the start"
    try:
        parts = urlsplit(url.get_secret_value())
        whole = parts.scheme in {"smtp", "smtps"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        raise ValueError(f"not the address of a mail server; {how}")
    return url


def at_least(days: int) -> AfterValidator:
    """For an age."""

    def check(age: timedelta) -> timedelta:
        if age < timedelta(days=days):
            raise ValueError(f"too short; write {days}d or more")
        return age

    return AfterValidator(check)


Url = Annotated[str, AfterValidator(_http_url)]
SecretUrl = Annotated[SecretStr, AfterValidator(_secret_http_url)]
"""An address that is a capability: whoever knows it may use it."""
SmtpUrl = Annotated[SecretStr, AfterValidator(_smtp_url)]
Brokers = Annotated[str, AfterValidator(_brokers)]
PostgresUrl = Annotated[SecretStr, AfterValidator(_postgresql_url)]
Listen = Annotated[Bind, NoDecode, BeforeValidator(parse_bind)]
Tokens = Annotated[Mapping[str, SecretStr], NoDecode, BeforeValidator(_parse_tokens)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_parse_secrets)]
