"""Fixtures of the jobs' tests."""

from tests.integration.jobs.brokers import broker
from tests.integration.migrated import (
    any_busy,
    any_ledger,
    any_store,
    any_world,
    busy,
    ledger,
    standing,
    store,
    template,
    world,
)

__all__ = [
    "any_busy",
    "any_ledger",
    "any_store",
    "any_world",
    "broker",
    "busy",
    "ledger",
    "standing",
    "store",
    "template",
    "world",
]
