"""The application: routers, errors, description."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from ifcbase import __version__
from ifcbase.errors import IfcbaseError
from ifcbase.gateway import problems
from ifcbase.gateway.limits import BodyLimit
from ifcbase.gateway.logs import Requests
from ifcbase.gateway.metrics import Measured, Metrics
from ifcbase.gateway.moving import moving
from ifcbase.gateway.requests import request_models, schemas_of
from ifcbase.gateway.routes import ROUTERS
from ifcbase.gateway.state import Gateway
from ifcbase.gateway.strict import known_parameters

_ABOUT = """\
Submit checks of IFC models, follow their jobs, read what they found, decide about it.

Send an API key as `X-API-Key`, or an API key or a Supabase user's token as `Authorization: Bearer`.
A key belongs to one project; a user of several names one with `?project=`.
Every failure is a problem as in RFC 9457, whose type is described at its address.
"""


def create_app(gateway: Gateway) -> FastAPI:
    """The ASGI application of a gateway; it opens the gateway when it starts."""

    @asynccontextmanager
    async def alive(app: FastAPI) -> AsyncIterator[None]:
        gateway.open()
        try:
            async with moving(app, gateway):
                yield
        finally:
            gateway.close()

    metrics = Metrics(gateway)
    app = FastAPI(
        title="ifcbase",
        version=__version__,
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=alive,
        middleware=[
            Middleware(Measured, metrics=metrics),
            Middleware(Requests, unknown=problems.answer_unknown),
            Middleware(BodyLimit),
        ],
        # A slash too many is another address, not a redirect that loses the body of a POST.
        redirect_slashes=False,
    )
    app.state.gateway = gateway
    app.state.metrics = metrics
    app.add_exception_handler(IfcbaseError, problems.answer_known)
    app.add_exception_handler(RequestValidationError, problems.answer_invalid)
    app.add_exception_handler(UnicodeEncodeError, problems.answer_unspeakable)
    app.add_exception_handler(HTTPException, problems.answer_http)
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(known_parameters)])

    describing = threading.Lock()

    def description() -> dict[str, Any]:
        with describing:
            if app.openapi_schema is None:
                app.openapi_schema = described(app)
            return app.openapi_schema

    app.openapi = description  # type: ignore[method-assign]  # as FastAPI's documentation does it
    return app


def described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with our problems instead of the framework's."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    ours = schemas_of([problems.Problem, *request_models()])
    if taken := schemas.keys() & ours.keys():
        raise ValueError(f"two models are named {', '.join(sorted(taken))}")
    schemas |= ours
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return document
