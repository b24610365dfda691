"""`tocsin policy check`: whether a policy can be used, and what in it can never work, with file and line. Never shows a
routing key. `tocsin policy try` is streams/cli/policy_try.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from models.escalation_findings import escalation_findings
from models.policy_file import PolicyError, parse_policy, place_of, policy_version
from models.policy_findings import findings
from models.rates import families
from streams.cli.edge import Defaulting, Fault
from streams.cli.output import AsJson, say, say_fields, say_json
from streams.cli.policy_try import attempt
from streams.clock import utc_now
from streams.recording import unpaged
from streams.settings import PolicyInForce, SettingsError, policy_in_force, read_settings, routing_keys


class _Checked(Defaulting):
    default = "check"


policy = typer.Typer(cls=_Checked, help="Checks a policy, or tries a webhook on it.")


@policy.callback()
def _group() -> None:
    """Checks a policy, or tries a webhook on it."""


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
    source = str(file) if file else _source(read_settings().policy)
    known = [*findings(found.policy), *escalation_findings(found.policy, utc_now())]
    told = [(one.fault, f"{place_of(one.path, found.text, source)}: {one.text}") for one in known]
    faults = [text for fault, text in told if fault]
    warnings = [*(text for fault, text in told if not fault), *_unset(found, summary)]
    if as_json:
        say_json({"ok": not faults, "faults": faults, "warnings": warnings, **summary})
    if faults:
        raise Fault("\n".join(faults))
    if as_json:
        return
    levels = {level["name"]: f"{level['routing_key']} ({level['key']})" for level in summary["levels"]}
    say_fields([
        ("policy", f"{summary['name']}: ok"),
        ("version", summary["version"]),
        *((f"level {name}", key) for name, key in levels.items()),
        ("rounds", ", ".join(f"{one['rounds']} of {name}" for name, one in summary["chains"].items())),
        ("services", summary["services"]),
        ("people", summary["people"]),
    ])  # fmt: skip
    for text in warnings:
        say(f"warning: {text}")


def _source(name: str) -> str:
    return name if name.endswith((".yaml", ".yml")) or "/" in name else f"{name}.yaml"


def _unset(found: PolicyInForce, summary: dict[str, Any]) -> Iterator[str]:
    """What the policy names and the environment lacks."""
    for level in summary["levels"]:
        if level["key"] == "not set":
            yield f"{level['routing_key']} is not set, and no level before has a key: {level['name']} is not paged"
    keys = routing_keys(found.policy, os.environ)
    for name in found.policy.own_keys:
        if keys and name not in keys:
            yield f"{name} is not set: whoever has it as their own key is not paged, and the next level is at once"
    yield from unpaged(found.policy, os.environ)
    asked = [family.name for family in families(found.policy) if any(one.query for one in family.rules.sources)]
    if asked and not os.environ.get("TOCSIN_PROMETHEUS_URL"):
        yield f"TOCSIN_PROMETHEUS_URL is not set, so nobody can be asked for the {' and the '.join(asked)}"


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
        "chains": {
            name: {"rounds": chain.rounds, "levels": [level.name for level in chain.levels]}
            for name, chain in found.policy.chains.items()
        },
        "services": len(found.policy.services),
        "people": len(found.policy.people),
    }


def levels_with_keys(found: PolicyInForce) -> list[tuple[str, str, str]]:
    """Level, variable and `set`, `not set: as <level before>` or `not set`. Raises SettingsError."""
    keys = routing_keys(found.policy, os.environ)
    states: list[tuple[str, str, str]] = []
    for chain in found.policy.chains.values():
        owner = None
        for level, name in ((one, key) for one in chain.levels for key in one.routing_keys):
            own = any(os.environ.get(variable) for variable in (name, f"{name}_FILE"))
            owner = level.name if own else owner
            state = "set" if own else f"not set: as {owner}" if name in keys and owner else "not set"
            states.append((level.name, name, state))
    return states


policy.command("try")(attempt)


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(policy, name="policy")
