"""Calling functions of the database through PostgREST, again where that does no harm."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Mapping
from typing import Any

import httpx
from postgrest.exceptions import APIError
from supabase import Client

from ifcbase.errors import KeyRefused, LedgerFull, LedgerSlow, LedgerUnavailable
from ifcbase.ledger.payloads import clean_payload
from ifcbase.ledger.rest.client import Access, Status, make_client
from ifcbase.ledger.rest.errors import ours

_LOG = logging.getLogger(__name__)
#: How long a call is tried again while Supabase is away, and what takes long is: in seconds.
PATIENCE_S = 6.0
LONG_PATIENCE_S = 900.0
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.1, 3.0


class Calls:
    """One per process; safe to use from several threads."""

    def __init__(self, access: Access, *, patience_s: float = PATIENCE_S) -> None:
        self._status = Status()
        self._client, self._close = make_client(access, self._status)
        self._patience_s = patience_s
        self._closed = threading.Event()

    @property
    def client(self) -> Client:
        """The client of supabase-py beneath."""
        return self._client

    def close(self) -> None:
        """Let go of connections; calls that wait to be tried again give up."""
        self._closed.set()
        self._close()

    def call(
        self,
        function: str,
        parameters: Mapping[str, Any],
        *,
        long: bool = False,
        shrinkable: bool = False,
    ) -> Any:
        """What a function of ``public`` gives for cleaned parameters.

        Called again with growing pauses while Supabase is away, since every function may be called
        twice. ``long``: while the database is busy with it (the gateway gave up waiting), asking
        again waits for its end. ``shrinkable``: the caller sends less if it takes too long. Raises
        LedgerUnavailable and its kin, LeaseLost, LedgerError.
        """
        cleaned = clean_payload(parameters)
        began, pause = time.monotonic(), _FIRST_PAUSE_S
        while True:
            try:
                return self._once(function, cleaned)
            except LedgerUnavailable as error:
                at_work = long and _may_be_at_work(error, self._status.code)
                patience = LONG_PATIENCE_S if at_work else self._patience_s
                left = began + patience - time.monotonic()
                hopeless = isinstance(error, KeyRefused | LedgerFull)
                if hopeless or left <= 0 or self._closed.is_set():
                    raise
                if shrinkable and isinstance(error, LedgerSlow):
                    raise
                _LOG.info("%s: %s; trying again", function, error.message)
                # Many workers must not come back in step.
                self._closed.wait(min(pause * random.uniform(0.5, 1.0), left))  # noqa: S311
                pause = min(pause * 2, _LAST_PAUSE_S)

    def _once(self, function: str, cleaned: Any) -> Any:
        self._status.code = 0
        try:
            return self._client.rpc(function, cleaned).execute().data
        except (APIError, httpx.HTTPError, ValueError) as error:
            raise ours(error, self._status.code) from error


def _may_be_at_work(error: LedgerUnavailable, status: int) -> bool:
    """Whether the database may go on with the call: it holds the lock, or a gateway gave up."""
    return error.code == "ledger-busy" or status == 504
