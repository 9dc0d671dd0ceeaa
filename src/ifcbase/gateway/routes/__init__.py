"""The routes, one module per resource; a router is served once it is in this list."""

from ifcbase.gateway.routes import (
    about,
    compat,
    findings,
    health,
    jobs,
    keys,
    models,
    projects,
    results,
    sets,
)

ROUTERS = [
    about.router,
    health.router,
    compat.router,
    projects.router,
    keys.router,
    models.router,
    jobs.router,
    results.router,
    sets.router,
    findings.router,
]
