"""The routes, one module per resource; a router is served once it is in this list."""

from ifcbase.gateway.routes import compat, events, health, resumable, uploads

ROUTERS = [
    health.router,
    compat.router,
    uploads.router,
    resumable.router,
    events.router,
]
