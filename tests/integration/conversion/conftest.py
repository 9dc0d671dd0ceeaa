"""Fixtures of the conversions' tests."""

from tests.integration.migrated import any_busy, any_store, busy, standing, store, template

__all__ = ["any_busy", "any_store", "busy", "standing", "store", "template"]
