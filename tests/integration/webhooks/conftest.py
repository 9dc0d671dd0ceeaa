"""Fixtures of the webhooks' tests."""

from tests.integration.migrated import any_busy, busy, standing, template

__all__ = ["any_busy", "busy", "standing", "template"]
