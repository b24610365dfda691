"""`tocsin policy check`: whether a policy can be used, every fault with file and line. Never shows a routing key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from models.policy_file import PolicyError, parse_policy, policy_version
from streams.cli.edge import Defaulting, Fault
from streams.cli.output import AsJson, say_fields, say_json
from streams.settings import PolicyInForce, SettingsError, policy_in_force, read_settings, routing_keys


class _Checked(Defaulting):
    default = "check"


policy = typer.Typer(cls=_Checked, help="Checks a policy file.")


@policy.callback()
def _group() -> None:
    """Checks a policy file."""


@policy.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="A policy file; else what TOCSIN_POLICY names.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Parses a policy and says what is wrong with it, line by line, or what is in it."""
    try:
        found = _read(file) if file else policy_in_force(read_settings())
    except (PolicyError, SettingsError) as error:
        if as_json:
            say_json({"ok": False, "faults": str(error).splitlines()})
        raise Fault(str(error)) from None
    summary = _summary(found)
    if as_json:
        say_json({"ok": True, **summary})
        return
    levels = {level["name"]: f"{level['routing_key']} ({level['key']})" for level in summary["levels"]}
    say_fields([
        ("policy", f"{summary['name']}: ok"),
        ("version", summary["version"]),
        *((f"level {name}", key) for name, key in levels.items()),
        ("rounds", summary["rounds"]),
        ("services", summary["services"]),
        ("people", summary["people"]),
    ])  # fmt: skip


def _read(file: Path) -> PolicyInForce:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise Fault(f"{file} cannot be read: {reason}") from None
    return PolicyInForce(parse_policy(text, str(file)), policy_version(text), text)


def _summary(found: PolicyInForce) -> dict[str, Any]:
    return {
        "name": found.policy.name,
        "version": found.version,
        "levels": [
            {"name": name, "routing_key": variable, "key": state} for name, variable, state in levels_with_keys(found)
        ],
        "rounds": found.policy.escalation.rounds,
        "services": len(found.policy.services),
        "people": len(found.policy.people),
    }


def levels_with_keys(found: PolicyInForce) -> list[tuple[str, str, str]]:
    """Level, variable and `set`, `not set: as <level before>` or `not set`. Raises SettingsError."""
    keys = routing_keys(found.policy, os.environ)
    states: list[tuple[str, str, str]] = []
    owner = None
    for level in found.policy.escalation.levels:
        own = any(os.environ.get(name) for name in (level.routing_key, f"{level.routing_key}_FILE"))
        owner = level.name if own else owner
        state = "set" if own else f"not set: as {owner}" if level.routing_key in keys else "not set"
        states.append((level.name, level.routing_key, state))
    return states


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(policy, name="policy")
