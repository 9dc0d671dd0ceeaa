"""Parameters of a request's address that its route does not know are refused, not passed over."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from ifcbase.errors import RequestInvalid


async def known_parameters(request: Request) -> None:
    """Refuse parameters the API does not have, and one given twice where one is meant.

    A filter that was passed over would answer another question than the one asked: a pipeline that
    gates on ``?state=new&state=reopened`` would be told of one of the two. Existing clients send
    what they like to the routes they know. Raises RequestInvalid."""
    if not request.query_params or not request.url.path.startswith("/v1/"):
        return
    route = request.scope["route"]
    app = request.app
    # Made with the first request that needs it, which takes a second: others do not wait for it.
    document = app.openapi_schema or await run_in_threadpool(app.openapi)
    operations = document["paths"].get(route.path_format, {})
    operation = operations.get(request.method.lower())
    if operation is None:
        return
    known = {
        each["name"]: _repeats(each["schema"])
        for each in operation.get("parameters", [])
        if each["in"] == "query"
    }
    for name in request.query_params:
        if name not in known:
            raise RequestInvalid(
                f"there is no parameter {name!r} here",
                hint=f"There are: {', '.join(known)}." if known else "This route takes none.",
            )
        if not known[name] and len(request.query_params.getlist(name)) > 1:
            raise RequestInvalid(
                f"the parameter {name!r} is given more than once", hint="Ask once for each."
            )


def _repeats(schema: dict[str, Any]) -> bool:
    kinds = [schema, *schema.get("anyOf", [])]
    return any(each.get("type") == "array" for each in kinds)
