"""Errors of PostgREST, of the gateway before it and of the way there, in our words."""

from __future__ import annotations

import httpx
from postgrest.exceptions import APIError

from ifcbase.errors import (
    IfcbaseError,
    KeyRefused,
    LedgerBusy,
    LedgerError,
    LedgerFull,
    LedgerSlow,
    LedgerUnavailable,
    SchemaOutdated,
    error_classes,
)

#: What PostgREST says while it has no connection to the database or no picture of its tables.
_AWAY = {"PGRST000", "PGRST001", "PGRST002", "PGRST003"}
#: Functions and tables that are not there. 42P01 became PGRST205 in version 13.
_MISSING = {"42P01", "42883", "3F000", "PGRST106", "PGRST202", "PGRST203", "PGRST205"}
#: Tokens that are wrong or expired. What was PGRST301 may be PGRST303 since version 13; 42501: the
#: role may not; 22023: the token names a role that is not there.
_REFUSED = {"PGRST300", "PGRST301", "PGRST302", "PGRST303", "42501", "22023", "28000", "28P01"}


def ours(error: Exception, status: int = 0) -> IfcbaseError:
    """One of our errors for an APIError or an error of httpx; ``status``: of the answer, if known."""
    if isinstance(error, httpx.HTTPError):
        said = str(error) or type(error).__name__
        return LedgerUnavailable(f"Supabase cannot be reached: {said}")
    if isinstance(error, APIError):
        return _of_api(error, status)
    return LedgerError(f"what Supabase answered cannot be read: {error}", detail=repr(error))


def _of_api(error: APIError, status: int) -> IfcbaseError:
    code, message = str(error.code or ""), str(error.message or "no reason given")
    # A gateway's page instead of an answer has its status for a code.
    if code.isdigit() and len(code) == 3:
        status, code = int(code), ""
    if code.startswith("PT"):
        known = error_classes().get(str(error.details or ""), LedgerError)
        return known(message, hint=error.hint or None)
    found = _by_code(code, message)
    if found is not None:
        return found
    if status in {401, 403}:
        return KeyRefused(f"Supabase does not accept the key: {message}")
    if status == 413:
        return LedgerSlow("the gateway refused a request for its size")
    if status in {408, 425, 429} or (status >= 500 and (not code or code.startswith("PGRST"))):
        return LedgerUnavailable(f"Supabase answered {status}: {message}")
    return LedgerError(f"Supabase refused: {message}", detail=f"{status} {error.json()}")


def _by_code(code: str, message: str) -> IfcbaseError | None:
    if code in _MISSING:
        return SchemaOutdated(detail=message)
    if code in {"40001", "40P01", "55P03"}:
        return LedgerBusy(detail=message)
    if code == "57014":
        return LedgerSlow(detail=message)
    if code == "53100":
        return LedgerFull(f"the database's disk is full: {message}")
    if code in _AWAY or code[:2] in {"08", "53"} or code[:3] == "57P" or code == "25P03":
        return LedgerUnavailable(f"the database behind Supabase cannot be reached: {message}")
    if code in _REFUSED:
        return KeyRefused(f"Supabase does not accept the key: {message}")
    return None
