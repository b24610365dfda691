"""`tocsin doctor`: what is configured, reachable and missing, and what to do about each. Changes nothing."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict

import typer

from streams.cli import configured, reachable
from streams.cli.edge import Code
from streams.cli.findings import Finding, fault
from streams.cli.output import AsJson, say, say_json, say_table
from streams.settings import PolicyInForce, Settings, SettingsError, policy_in_force, read_settings


def doctor(*, as_json: AsJson = False) -> None:
    """Says what is configured, reachable and missing. Ends with 1 when there is a fault."""
    for noisy in ("aiokafka", "slack_sdk", "pagerduty", "httpx", "httpx2"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)  # what they would log is said here
    findings = [configured.python(), *_findings()]
    faults = sum(finding.state == "fault" for finding in findings)
    if as_json:
        say_json({"ok": not faults, "findings": [asdict(finding) for finding in findings]})
    else:
        rows = [(finding.state, finding.subject, _words(finding)) for finding in findings]
        say_table(("state", "what", "finding"), rows, "", whole=True)
        say()
        say(f"{_count(faults, 'fault')}, {_count(sum(one.state == 'warning' for one in findings), 'warning')}.")
    if faults:
        raise typer.Exit(Code.REFUSED)


def _findings() -> list[Finding]:
    try:
        settings = read_settings()
    except SettingsError as error:
        return [fault("settings", line, "correct the variable, and ask again") for line in str(error).splitlines()]
    found, policy = _policy(settings)
    return [*configured.environment(settings), *policy, *asyncio.run(_asked(settings, found))]


def _policy(settings: Settings) -> tuple[PolicyInForce | None, list[Finding]]:
    try:
        found = policy_in_force(settings)
        return found, [
            *configured.paging(settings, found),
            configured.people(found.policy),
            *configured.senders(settings, found.policy),
        ]
    except SettingsError as error:
        return None, [
            fault("policy", line, "correct it; see `tocsin policy check`") for line in str(error).splitlines()
        ]


async def _asked(settings: Settings, found: PolicyInForce | None) -> list[Finding]:
    asking = [
        reachable.broker(settings),
        reachable.database(settings),
        reachable.web(settings, found),
        reachable.prometheus(settings),
    ]
    if found is not None:
        asking.append(reachable.providers(settings, found.policy))
    return [finding for findings in await asyncio.gather(*asking) for finding in findings]


def _words(finding: Finding) -> str:
    return f"{finding.message}; {finding.do}" if finding.do else finding.message


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(doctor)
