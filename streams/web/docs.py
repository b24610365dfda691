"""The API's page at /docs: /openapi.json made readable on our side, so that it loads no script and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from fastapi import APIRouter, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from streams.web import pagerduty, receiver, slack

_CITED: Final = re.compile(r"\s*\bPOLICY \d+(, \d+)*[.:]?")
_METHODS: Final = ("get", "post", "put", "patch", "delete")
Schema = Mapping[str, Any]
router = APIRouter(include_in_schema=False)

INBOUND_PATHS: Final[Mapping[str, Any]] = {
    receiver.PATH: {
        "post": {
            "tags": ["webhooks"],
            "summary": "Alertmanager",
            "description": "An Alertmanager webhook (version 4), with a token as Bearer or Basic password."
            " 202 means that it is kept; 503 means to send it again.",
            "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
            "responses": {
                str(status): {"description": text}
                for status, text in {
                    202: "The broker has it.",
                    400: "Not a version 4 webhook; kept as a dead letter.",
                    401: "No valid token.",
                    413: "Larger than 10 MiB; its start is kept as a dead letter.",
                    503: "Not accepted; send it again.",
                }.items()
            },
        }
    },
    pagerduty.PATH: {
        "post": {
            "tags": ["webhooks"],
            "summary": "PagerDuty",
            "description": "A PagerDuty webhook (version 3), signed with TOCSIN_PAGERDUTY_WEBHOOK_SECRET.",
            "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
            "responses": {
                "200": {"description": "Handed on, or none of our business."},
                "401": {"description": "The signature is not valid."},
                "503": {"description": "Send it again."},
            },
        }
    },
    slack.PATH: {
        "post": {
            "tags": ["webhooks"],
            "summary": "Slack",
            "description": "Buttons of Slack (`block_actions`), signed with TOCSIN_SLACK_SIGNING_SECRET. Whoever"
            " pressed one is answered by its response_url.",
            "requestBody": {
                "required": True,
                "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}},
            },
            "responses": {
                "200": {"description": "Handed on, or none of our business."},
                "401": {"description": "The signature is not valid, or older than five minutes."},
                "503": {"description": "Not taken; Slack says so to whoever pressed."},
            },
        }
    },
}


@router.api_route("/docs", methods=["GET", "HEAD"])
async def docs(request: Request) -> HTMLResponse:
    """What there is, in one page."""
    spec: Schema = request.app.openapi()
    return HTMLResponse(_template().render(**spec["info"], groups=_groups(spec), schemas=_schemas(spec)))


def uncited(described: Any) -> Any:
    """The same without the rule numbers that docstrings cite for us: whoever calls the API has no such list."""
    match described:
        case {"description": str(text), **rest}:
            said = _CITED.sub("", text).strip()
            return {**uncited(rest), "description": said[:1].upper() + said[1:]}
        case dict():
            return {name: uncited(value) for name, value in described.items()}
        case list():
            return [uncited(value) for value in described]
        case _:
            return described


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("templates", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("web/docs.html.j2")


def _groups(spec: Schema) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in spec["paths"].items():
        for method in _METHODS:
            if method in methods:
                operation = methods[method]
                group = groups.setdefault(operation.get("tags", ["other"])[0], [])
                group.append(_operation(path, method, operation, spec))
    return groups


def _operation(path: str, method: str, operation: Schema, spec: Schema) -> dict[str, Any]:
    parameters = [
        {
            "name": one["name"],
            "where": one["in"],
            "type": _type(one["schema"], spec),
            "about": _about(one),
        }
        for one in operation.get("parameters", ())
    ]
    return {
        "id": operation.get("operationId", path.strip("/").replace("/", "-")),
        "path": path,
        "method": method.upper(),
        "about": _about(operation),
        "parameters": [*parameters, *_fields(operation, spec)],
        "answers": {code: _answer(answer, spec) for code, answer in operation["responses"].items()},
    }


def _fields(operation: Schema, spec: Schema) -> Iterator[dict[str, str]]:
    schema = _resolved(_json_schema(operation.get("requestBody", {})), spec)
    required = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        default = f", default {field['default']!r}" if field.get("default") not in {None, ""} else ""
        need = "required" if name in required else f"optional{default}"
        kind = f"{_type(field, spec)} ({need})"
        yield {"name": name, "where": "body", "type": kind, "about": _about(field)}


def _schemas(spec: Schema) -> dict[str, dict[str, Any]]:
    """What answers are made of: every schema with fields that is not merely sent."""
    asked = {
        str(_json_schema(operation.get("requestBody", {})))
        for path in spec["paths"].values()
        for operation in path.values()
    }
    shown = {}
    for name, schema in spec["components"]["schemas"].items():
        if schema.get("properties") and not any(f"/{name}'" in reference for reference in asked):
            fields = [
                {"name": field, "type": _type(kind, spec), "about": _about(kind)}
                for field, kind in schema["properties"].items()
            ]
            shown[name] = {"about": _about(schema), "fields": fields}
    return shown


def _about(described: Schema) -> str:
    text: str = described.get("description", "")
    return "" if text == "Successful Response" else text.replace("`", "")


def _answer(answer: Schema, spec: Schema) -> dict[str, str]:
    schema = _json_schema(answer)
    kind = _type(schema, spec) if schema else ""
    return {"about": _about(answer), "type": kind, "of": kind.removeprefix("list of ")}


def _json_schema(holder: Schema) -> Schema:
    schema: Schema = holder.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _resolved(schema: Schema, spec: Schema) -> Schema:
    for option in schema.get("anyOf", ()):
        if option.get("type") != "null":
            return _resolved(option, spec)
    if "$ref" in schema:
        found: Schema = spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
        return found
    return schema


def _type(schema: Schema, spec: Schema) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        choices = _resolved(schema, spec).get("enum")
        return _one_of(choices) if choices else name
    if "anyOf" in schema:
        return " | ".join(_type(option, spec) for option in schema["anyOf"] if option.get("type") != "null")
    if "enum" in schema:
        return _one_of(schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}), spec)}"
    return str(schema.get("format") or schema.get("type") or "anything")


def _one_of(choices: list[Any]) -> str:
    return " | ".join(map(str, choices))
