"""Fixtures of the integration tests."""

from tests.integration.servers import any_database, any_server, database, server, servers

__all__ = ["any_database", "any_server", "database", "server", "servers"]
