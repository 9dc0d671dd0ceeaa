"""Fixtures of the tests of operations."""

from tests.integration.ledger.chain_fixtures import chain
from tests.integration.migrated import ledger, standing, template, world

__all__ = ["chain", "ledger", "standing", "template", "world"]
