"""The routes, one module per resource; a router is served once it is in this list."""

from ifcbase.gateway.routes import compat, health

ROUTERS = [health.router, compat.router]
