"""What PostgREST and gateways say, of old versions and of new ones, in our words. The contract tests run
on version 12, the newest there is as a package: what 13 to 16 say otherwise is told here by hand."""

from __future__ import annotations

import httpx
import pytest
from postgrest.exceptions import APIError

from ifcbase.errors import (
    IfcbaseError,
    KeyRefused,
    LeaseLost,
    LedgerBusy,
    LedgerError,
    LedgerFull,
    LedgerSlow,
    LedgerUnavailable,
    SchemaOutdated,
)
from ifcbase.ledger.rest.errors import ours

SAID: list[tuple[str, str, int, type[IfcbaseError]]] = [
    # Before version 13, and since.
    ("a table that is not there", "42P01", 404, SchemaOutdated),
    ("a table that is not there", "PGRST205", 404, SchemaOutdated),
    ("a token that expired", "PGRST301", 401, KeyRefused),
    ("a token that expired", "PGRST303", 401, KeyRefused),
    ("claims that cannot be read", "PGRST303", 401, KeyRefused),
    ("a secret that is missing", "PGRST300", 500, KeyRefused),
    ("a role that is not there", "22023", 400, KeyRefused),
    # Alike in all of them.
    ("a function that is not there", "PGRST202", 404, SchemaOutdated),
    ("two functions that could be meant", "PGRST203", 300, SchemaOutdated),
    ("a schema that is not exposed", "PGRST106", 406, SchemaOutdated),
    ("no connection to the database", "PGRST000", 503, LedgerUnavailable),
    ("no picture of the tables", "PGRST002", 503, LedgerUnavailable),
    ("no connection was free", "PGRST003", 504, LedgerUnavailable),
    ("an internal failure", "PGRSTX00", 500, LedgerUnavailable),
    ("a statement that took too long", "57014", 500, LedgerSlow),
    ("an operator's shutdown", "57P01", 503, LedgerUnavailable),
    ("too many connections", "53300", 503, LedgerUnavailable),
    ("a full disk", "53100", 500, LedgerFull),
    # Since 16 PostgREST tries the first of these again by itself; what is left comes through.
    ("a conflict of transactions", "40001", 500, LedgerBusy),
    ("a lock that is held", "55P03", 500, LedgerBusy),
    ("rights that lack", "42501", 403, KeyRefused),
    ("a row that is wrong", "23502", 400, LedgerError),
    # Gateways: what is no JSON has its status for a code.
    ("a gateway without a service", "503", 503, LedgerUnavailable),
    ("a gateway that gave up", "504", 504, LedgerUnavailable),
    ("a gateway that wants a key", "401", 401, KeyRefused),
    ("a gateway that wants less", "413", 413, LedgerSlow),
    ("a gateway that wants a pause", "429", 429, LedgerUnavailable),
]


@pytest.mark.parametrize(("what", "code", "status", "meant"), SAID)
def test_what_is_said_is_understood(
    what: str, code: str, status: int, meant: type[IfcbaseError]
) -> None:
    said = APIError({"code": code, "message": what, "details": None, "hint": None})
    assert type(ours(said, status)) is meant


def test_our_own_errors_come_through_with_their_hint() -> None:
    said = APIError(
        {"code": "PT409", "message": "gone", "details": "lease-lost", "hint": "let it be"}
    )
    found = ours(said, 409)
    assert isinstance(found, LeaseLost)
    assert (found.message, found.hint) == ("gone", "let it be")


@pytest.mark.parametrize("error", [
    httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("cut"),
])  # fmt: skip
def test_a_way_that_breaks_is_tried_again(error: httpx.HTTPError) -> None:
    assert isinstance(ours(error), LedgerUnavailable)
