"""The module that scripts written for the origin plan import: the client of this process, and saving a
clash document that something else computed.

Unlike the plan's, it loses nothing in silence: what Supabase does not take is tried again, then kept in
the spool of this host; the next save, a worker or `ifcbase spool flush` stores it from there.
"""

from __future__ import annotations

import logging
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ifcbase.errors import ConfigError, LedgerUnavailable
from ifcbase.ledger.rest.calls import Calls
from ifcbase.ledger.rest.client import service_access
from ifcbase.ledger.rest.documents import DocumentSpool, insert_document, new_key
from ifcbase.settings import get_settings

if TYPE_CHECKING:
    from supabase import Client

_LOG = logging.getLogger(__name__)
_MAKING = threading.Lock()


def get_supabase_client() -> Client:
    """The one client of this process, with the service key of the settings. Raises ConfigError."""
    return _shared().client


def save_clash_result(
    clash_set_name: str,
    output_filename: str,
    clash_count: int,
    clash_data: Any,
    original_clash_id: int | None = None,
) -> dict[str, Any]:
    """Store a clash document; gives the record, or, while it cannot be stored,
    ``{"id": None, "spooled": path}``.

    Raises ConfigError without address or key, LedgerError for what the database refuses, and
    SpoolFull or OSError if it can be neither stored nor kept."""
    row = {
        "clash_set_name": clash_set_name,
        "output_filename": output_filename,
        "clash_count": clash_count,
        "clash_data": clash_data,
        "original_clash_id": original_clash_id or None,
    }
    calls, spool, key = _shared(), document_spool(), new_key()
    try:
        record = insert_document(calls, key, row)
    except LedgerUnavailable as error:
        path = spool.put(key, row)
        _LOG.warning("the clash result is not stored yet, it waits in %s: %s", path, error.message)
        return {"id": None, "spooled": str(path)}
    spool.flush(calls)
    return record | {"clash_data": clash_data}


def flush_documents() -> int:
    """Store what waits of earlier saves; how many still wait. Raises ConfigError."""
    return document_spool().flush(_shared())


def document_spool() -> DocumentSpool:
    """Where documents wait."""
    settings = get_settings()
    return DocumentSpool(settings.spool_folder / "documents", settings.spool_mb)


def _shared() -> Calls:
    """One per process: each would make connections of its own."""
    with _MAKING:
        return _made()


@lru_cache(maxsize=1)
def _made() -> Calls:
    access = service_access(get_settings())
    if access is None:
        raise ConfigError(
            "SUPABASE_URL or SUPABASE_SERVICE_KEY is not set",
            hint="Set both; a worker's token may not store what no job asked for.",
        )
    return Calls(access)
