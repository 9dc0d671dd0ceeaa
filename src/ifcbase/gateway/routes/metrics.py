"""Figures for Prometheus: open to this machine, or to everybody where a setting says so."""

from __future__ import annotations

import ipaddress

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from ifcbase.errors import Forbidden
from ifcbase.gateway.metrics import CONTENT_TYPE, Metrics
from ifcbase.gateway.moving import hub_of
from ifcbase.gateway.problems import responses
from ifcbase.gateway.state import GatewayDep

router = APIRouter(tags=["health"])
#: Headers that a proxy adds: who sends one is not on this machine, though the connection is.
_PASSED_ON = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


@router.get("/metrics", response_class=PlainTextResponse, responses=responses(403, 503))
def metrics(request: Request, gateway: GatewayDep) -> PlainTextResponse:
    """Requests, jobs, queue, spool, cache and storage, for Prometheus.

    Without a key, but only for clients on this machine, unless IFCBASE_METRICS_PUBLIC is set."""
    if not gateway.settings.metrics_public and not from_here(request):
        raise Forbidden(
            "figures are for this machine only",
            hint="The operator opens them to others with IFCBASE_METRICS_PUBLIC=1.",
        )
    found: Metrics = request.app.state.metrics
    found.listeners.set(len(hub_of(request)))
    return PlainTextResponse(found.text(), media_type=CONTENT_TYPE)


def from_here(request: Request) -> bool:
    """Whether a request comes from this machine, and not through a proxy on it."""
    if request.client is None or any(name in request.headers for name in _PASSED_ON):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
