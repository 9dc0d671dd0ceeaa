"""How the requests of checks are described."""

from __future__ import annotations

from typing import Any, get_type_hints

from ifcbase.gateway.examples import REQUESTS
from ifcbase.jobs.registry import Check


def schema_of(check: Check) -> dict[str, Any]:
    """The JSON schema of a check's request, complete in itself."""
    parse: Any = check.parse
    model = get_type_hints(parse.load())["return"]
    made: dict[str, Any] = model.model_json_schema(mode="validation")
    return made


def described(check: Check) -> dict[str, Any]:
    """How a check's request is described: read by hand, because a check parses it itself."""
    content = {"schema": schema_of(check), "example": REQUESTS[check.name]}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}
