"""Is it alive, is it ready: for people, for containers, for the clients' test of their credentials."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from ifcbase.gateway.state import GatewayDep

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Each thing the gateway needs, in a word."""

    status: Literal["ready", "not ready"]
    checks: dict[str, str] = Field(examples=[{"database": "ok", "migrations": "ok", "files": "ok"}])
    warnings: dict[str, str] = Field(
        default_factory=dict,
        examples=[{"spool": "2 results are not stored yet, the oldest for 5 min"}],
    )


class Health(BaseModel):
    """As existing clients know it; always 200."""

    status: Literal["healthy", "unhealthy"]
    services: dict[str, str] = Field(examples=[{"database": "healthy", "files": "healthy"}])


@router.get("/healthz")
def alive() -> Alive:
    """The process is there. It asks nobody else: a restart would not mend the database."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Not ready"}})
def ready(gateway: GatewayDep, response: Response) -> Readiness:
    """Requests can be served: database, migrations, files. 503 if not.

    What waits in the spool of this host warns: requests can be served all the same."""
    checks = gateway.checks.words()
    good = all(word == "ok" for word in checks.values())
    if not good:
        response.status_code = 503
    said = gateway.spool_warning()
    return Readiness(
        status="ready" if good else "not ready",
        checks=checks,
        warnings={"spool": said} if said else {},
    )


@router.get("/health")
def health(gateway: GatewayDep) -> Health:
    """The same for existing clients, which test their connection with it."""
    checks = gateway.checks.words()
    words = {name: "healthy" if word == "ok" else "unhealthy" for name, word in checks.items()}
    good = all(word == "ok" for word in checks.values())
    return Health(status="healthy" if good else "unhealthy", services=words)
