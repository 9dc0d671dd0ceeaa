"""The routes, one module per resource; a router is served once it is in this list."""

from ifcbase.gateway.routes import compat, events, health, metrics, resumable, uploads, webhooks

ROUTERS = [
    health.router,
    compat.router,
    uploads.router,
    resumable.router,
    events.router,
    webhooks.router,
    metrics.router,
]
