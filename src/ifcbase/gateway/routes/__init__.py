"""The routes, one module per resource; a router is served once it is in this list."""

from ifcbase.gateway.routes import (
    about,
    compat,
    events,
    findings,
    health,
    jobs,
    keys,
    metrics,
    models,
    projects,
    results,
    resumable,
    rules,
    sets,
    uploads,
    webhooks,
)

ROUTERS = [
    about.router,
    health.router,
    metrics.router,
    compat.router,
    uploads.router,
    resumable.router,
    projects.router,
    keys.router,
    models.router,
    jobs.router,
    results.router,
    sets.router,
    findings.router,
    rules.router,
    events.router,
    webhooks.router,
]
