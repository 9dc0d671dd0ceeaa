"""How the requests of checks are described; a check parses its own, so that we say what it takes."""

from __future__ import annotations

from typing import Any, get_type_hints

from pydantic import BaseModel

from ifcbase.gateway.examples import REQUESTS
from ifcbase.jobs.registry import CHECKS, Check

_TEMPLATE = "#/components/schemas/{model}"


def model_of(check: Check) -> type[BaseModel]:
    """The model of a check's request."""
    parse: Any = check.parse
    found: type[BaseModel] = get_type_hints(parse.load())["return"]
    return found


def described(check: Check) -> dict[str, Any]:
    """The body of a request, for the description of its route."""
    content = {
        "schema": {"$ref": _TEMPLATE.format(model=model_of(check).__name__)},
        "example": REQUESTS[check.name],
    }
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def schemas_of(models: list[type[BaseModel]]) -> dict[str, Any]:
    """The schemas of models and of all that is in them, by name, as components of the description."""
    found: dict[str, Any] = {}
    for model in models:
        made = model.model_json_schema(ref_template=_TEMPLATE)
        found |= made.pop("$defs", {})
        found[model.__name__] = made
    return found


def request_models() -> list[type[BaseModel]]:
    """The models of all checks' requests."""
    return [model_of(check) for check in CHECKS.values()]
