"""Reads a policy from YAML text. Owns the messages: every fault names file, line and, for a typo, the key that was
meant.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator
from datetime import timedelta
from importlib import resources
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from models.oncall.names import UNKNOWN_NAMES
from models.policy import Policy
from models.severity import describe

_Path = tuple[str | int, ...]


class PolicyError(ValueError):
    """A policy that cannot be used. One line per fault, each with file and line."""


def parse_policy(text: str, source: str) -> Policy:
    """The policy in `text`; `source` is its file name for messages. Raises PolicyError."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}" if mark else source
        problem = str(getattr(error, "problem", None) or error)
        indent = "; indent with spaces" if "'\\t'" in problem else ""
        message = f"{where}: not valid YAML: {problem}{indent}"
        raise PolicyError(message) from None
    if not isinstance(data, dict) or node is None:
        message = f"{source}:1: a policy is a mapping of keys to values; start from the default policy"
        raise PolicyError(message)
    lines = dict(_lines(node, ()))
    if (repeated := lines.get(("\0repeated",))) is not None:
        message = f"{source}:{repeated}: this key stands twice in its mapping; keep one"
        raise PolicyError(message)
    try:
        return Policy.model_validate(data)
    except ValidationError as error:
        faults = list(_each(error))
        told = [_explain(fault, lines, source) for fault in faults if not _follows(fault, faults)]
        raise PolicyError("\n".join(told)) from None


def place_of(path: _Path, text: str, source: str) -> str:
    """`file:line` of a key or item, or of the nearest that stands in the text above it."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    lines = dict(_lines(node, ())) if node is not None else {}
    wanted: _Path = tuple(step if isinstance(step, int) else str(step) for step in path)
    line = next((lines[wanted[:end]] for end in range(len(wanted), -1, -1) if wanted[:end] in lines), 1)
    return f"{source}:{line}"


def policy_version(text: str) -> str:
    """The first 12 hex digits of the text's SHA-256: what an incident remembers of the policy it was opened under."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def shipped_policy(name: str) -> str:
    """The YAML text of a shipped policy, such as `default`. Raises PolicyError naming those there are."""
    folder = resources.files("models") / "policies"
    file = folder / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir()))
        message = f"there is no shipped policy {name!r}; there are: {known}; name a file by its path: ./{name}.yaml"
        raise PolicyError(message)
    return file.read_text(encoding="utf-8")


def _lines(node: yaml.Node, path: _Path) -> Iterator[tuple[_Path, int]]:
    """The 1-based line of every key and item, by its path; the path `\\0repeated` holds that of a repeated key."""
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield ("\0repeated",), key.start_mark.line + 1
            seen.add(key.value)
            yield from _lines(value, (*path, key.value))
            yield (*path, key.value), key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _lines(item, (*path, index))


def _each(error: ValidationError) -> Iterator[Any]:
    """Every fault by itself: names that nobody has are one to pydantic, wherever they stand."""
    for fault in error.errors(include_url=False):
        if fault["type"] == UNKNOWN_NAMES:
            yield from ({"type": UNKNOWN_NAMES, "loc": path, "msg": what} for path, what in fault["ctx"]["faults"])
        else:
            yield fault


def _follows(fault: Any, others: list[Any]) -> bool:
    """True for a list that is too short only because what is wrong with its items is said already."""
    within = [one for one in others if one["loc"][: len(fault["loc"])] == fault["loc"] and one is not fault]
    return bool(fault["type"] == "too_short" and within)


def _explain(fault: Any, lines: dict[_Path, int], source: str) -> str:
    path: _Path = tuple(step if isinstance(step, int) else str(step) for step in fault["loc"] if step != "[key]")
    line = next(lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in lines)
    where = ".".join(str(step) for step in path)
    what = str(fault["msg"]).removeprefix("Value error, ")
    known = fault["type"] != "extra_forbidden"
    what = (_in_words(fault) or what) if known else f"unknown key{_suggestion(path)}"
    return f"{source}:{line}: {where}: {what}" if where else f"{source}:{line}: {what}"


def _in_words(fault: Any) -> str | None:
    """What pydantic says in the words of Python, in those of the file. None where its own will do."""
    given, bounds, kind = fault.get("input"), fault.get("ctx", {}), fault["type"]
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"it must be {words} {_amount(bounds[bound])}"
    if kind in {"literal_error", "enum"} and isinstance(given, str | int) and len(str(given)) <= _SHORT:
        return f"{given!r} is not known here; write {bounds['expected']}"
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(bounds["pattern"])
    return _FAULTS.get(kind)


_LIST, _KEYS = "a list belongs here; write it as [one, another]", "keys with values belong here, as {key: value}"
_FAULTS = {
    "missing": "this key is missing",
    **dict.fromkeys(("tuple_type", "list_type", "set_type", "frozen_set_type"), _LIST),
    **dict.fromkeys(("dict_type", "model_type", "mapping_type"), _KEYS),
    **dict.fromkeys(("float_parsing", "float_type"), "a number belongs here; 25% is written 0.25"),
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "a whole number belongs here"),
    **dict.fromkeys(("too_short", "string_too_short"), "it must not be empty"),
    "string_type": "text belongs here; put it in quotes",
}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
}


def _amount(bound: object) -> str:
    """A bound as people write it; pydantic gives that of a duration as the text of its repr."""
    parts = {unit: int(count) for unit, count in re.findall(r"(days|seconds)=(\d+)", str(bound))}
    return describe(timedelta(**parts)) if parts else str(bound)


_SHORT = 40
_PATTERNS = {
    r"^TOCSIN_[A-Z0-9_]+$": "the name of an environment variable belongs here, TOCSIN_…; it holds the key or address",
    r"^S[A-Z0-9]{2,}$": "the id of a Slack user group belongs here, such as S0DATABASE",
    r"^[UW][A-Z0-9]{2,}$": "the person's id in Slack belongs here, such as U0MARIA1 (Copy member ID in their profile)",
    r"^#[a-z0-9_-]{1,80}$": 'a Slack channel is written in quotes and lower case: "#incidents"',
    r"^[a-z0-9-]{1,60}$": "a name of lower case letters, digits and - belongs here",
    r"^[a-z0-9_-]{1,60}$": "a name of lower case letters, digits, - and _ belongs here",
}


def _suggestion(path: _Path) -> str:
    known = list(_keys_at(path[:-1]))
    close = difflib.get_close_matches(str(path[-1]), known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known here: {', '.join(known)}" if known else ""


def _keys_at(path: _Path) -> Iterator[str]:
    model: Any = Policy
    for step in path:
        field = model.model_fields.get(str(step)) if isinstance(model, type) and issubclass(model, BaseModel) else None
        model = _section(field.annotation if field else model)
        if model is None:
            return
    if isinstance(model, type) and issubclass(model, BaseModel):
        yield from (field.alias or name for name, field in model.model_fields.items())


def _section(annotation: Any) -> Any:
    """The section class inside an annotation such as `dict[str, Service]` or `tuple[EscalationLevel, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _section(inner)) is not None), None)
