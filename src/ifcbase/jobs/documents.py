"""Clash documents that scripts saved while Supabase was away: workers of the same host store them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ifcbase.settings import Settings

if TYPE_CHECKING:
    from ifcbase.ledger.rest.calls import Calls

_LOG = logging.getLogger(__name__)


class WaitingDocuments:
    """What waits on this host, and a connection from the moment that anything does."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.spool_folder / "documents"
        self._calls: Calls | None = None
        self._told = False

    def flush(self) -> int:
        """Try to store them; how many still wait."""
        found = sum(1 for _ in self._folder.glob("*.document.json"))
        if not found:
            return 0
        # Here and not above: a worker with a DSN does not wait for the client of Supabase.
        from ifcbase.ledger.rest.calls import Calls
        from ifcbase.ledger.rest.client import service_access
        from ifcbase.ledger.rest.documents import DocumentSpool

        if self._calls is None:
            access = service_access(self._settings)
            if access is None:
                if not self._told:
                    _LOG.warning(
                        "%d clash documents that scripts saved wait in %s: this worker has no "
                        "SUPABASE_SERVICE_KEY to store them with",
                        found,
                        self._folder,
                    )
                self._told = True
                return found
            self._calls = Calls(access)
        return DocumentSpool(self._folder, self._settings.spool_mb).flush(self._calls)

    def close(self) -> None:
        """Let go of the connection; what is being tried gives up."""
        if self._calls is not None:
            self._calls.close()
