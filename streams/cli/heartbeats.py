"""`tocsin heartbeats`: which senders are heard, and which have fallen silent; the doctor's words about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import typer

from streams.cli.client import Client, connect, read
from streams.cli.findings import Finding, ok, warning
from streams.cli.output import AsJson, relative, say_json, say_table, when
from streams.clock import utc_now
from streams.web.api_heartbeats import HeartbeatView

_NOBODY: Final = "No sender is waited for; docs/heartbeats.md shows how to name one in the policy."
_NOBODY_LOOKS: Final = timedelta(minutes=5)


def heartbeats(*, as_json: AsJson = False) -> None:
    """Lists the heartbeats of senders (Watchdog alerts), and which are missing."""
    with connect() as client:
        answer = client.get("heartbeats")
    if as_json:
        say_json(answer)
        return
    rows = [
        (row.sender, row.name, row.state, relative(row.heard_at), when(row.due_at))
        for row in read(list[HeartbeatView], answer)
    ]
    say_table(("sender", "heartbeat", "state", "heard", "due"), rows, _NOBODY)


def findings(client: Client) -> list[Finding]:
    """What the doctor says of them; nothing where the policy wants none."""
    return list(_found(read(list[HeartbeatView], client.get("heartbeats"))))


def _found(rows: list[HeartbeatView]) -> Iterator[Finding]:
    for row in rows:
        if row.state == "missing":
            said = f"nothing is heard from {row.sender} ({row.name}) since {when(row.missing_since)}"
            yield warning(
                "heartbeats", said, "look at its Prometheus and Alertmanager, and at the way from there to here"
            )
    looks = [row.looked_at for row in rows if row.looked_at is not None]
    if looks and utc_now() - max(looks) > _NOBODY_LOOKS:
        said = f"nobody has looked for them since {when(max(looks))}"
        yield warning(
            "heartbeats", said, "see the lines about web and worker: the path from receiver to ledger stands still"
        )
    elif rows and all(row.state != "missing" for row in rows):
        yield ok("heartbeats", f"{len(rows)} of senders are heard or have time yet")


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(heartbeats)
