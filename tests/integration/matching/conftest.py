"""Fixtures of the tests of links."""

from tests.integration.migrated import busy, standing, store, template

__all__ = ["busy", "standing", "store", "template"]
