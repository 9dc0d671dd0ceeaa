"""Requests and answers: credentials, patience, and problems raised as errors."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from typing import Any

import httpx

from ifcbase.errors import ConfigError, IfcbaseError, LedgerUnavailable, error_classes

#: Answers after which the same request is sent again, if it may be.
AGAIN = frozenset({429, 502, 503, 504})
_TRIES = 5
_MOST_WAIT_S = 30.0


class Transport:
    """Speaks HTTP with one gateway in one project."""

    def __init__(
        self,
        url: str | None,
        key: str | None,
        project: str | None,
        timeout_s: float,
        transport: httpx.BaseTransport | None,
    ) -> None:
        """Raises ConfigError without an address."""
        address = url or os.environ.get("IFCBASE_URL")
        if not address:
            raise ConfigError(
                "there is no address of a gateway", hint="Give `url`, or set IFCBASE_URL."
            )
        secret = key or os.environ.get("IFCBASE_API_KEY")
        self._query = {"project": project} if project else {}
        self.http = httpx.Client(
            base_url=address,
            headers={"Authorization": f"Bearer {secret}"} if secret else {},
            timeout=httpx.Timeout(timeout_s),
            # Servers close idle connections after five seconds; one of us has to be first.
            limits=httpx.Limits(keepalive_expiry=2.0),
            transport=transport,
        )

    def ask(
        self, method: str, path: str, *, repeat: bool | None = None, **given: Any
    ) -> httpx.Response:
        """A request that succeeded. ``repeat``: whether it may be sent again after a failure on the
        way; by itself what changes nothing and what carries an Idempotency-Key.

        Raises the error the service answered with, LedgerUnavailable if it cannot be reached."""
        headers = given.get("headers") or {}
        if repeat is None:
            repeat = method in {"GET", "HEAD"} or "Idempotency-Key" in headers
        params = {**self._query, **(given.pop("params", None) or {})}
        given["params"] = {name: value for name, value in params.items() if value is not None}
        for left in reversed(range(_TRIES if repeat else 1)):
            try:
                answer = self.http.request(method, path, **given)
            except httpx.TransportError as error:
                if not left:
                    raise unreachable(error) from error
                pause(_TRIES - left, None)
                continue
            if answer.status_code not in AGAIN or not left:
                return raised(answer)
            pause(_TRIES - left, answer.headers.get("Retry-After"))
        raise AssertionError("the last try returns or raises")

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """The items of a list, page by page."""
        start: int | None = 0
        while start is not None:
            given = {"limit": 500, **params, "start": start}
            document = self.ask("GET", path, params=given).json()
            yield from document["items"]
            start = document["next"]

    def query(self, **more: Any) -> dict[str, Any]:
        """The parameters every request carries, and more."""
        return {**self._query, **more}


def raised(answer: httpx.Response) -> httpx.Response:
    """The answer, if it is none of a failure. Raises the error it carries."""
    if answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED:
        return answer
    try:
        document = answer.json()
    except ValueError:
        document = {}
    if not isinstance(document, dict):
        document = {}
    cls = error_classes().get(str(document.get("code")), IfcbaseError)
    message = document.get("detail") or f"the gateway answered with status {answer.status_code}"
    error = cls(str(message), hint=document.get("hint"), detail=document.get("request_id"))
    error.job_id = document.get("job_id")
    _tell(error, document)
    raise error


def _tell(error: IfcbaseError, document: dict[str, Any]) -> None:
    """Put what helps under the last line of a traceback, where scripts and CI show it."""
    error.add_note(f"{error.code}: {error.title}")
    error.add_note(f"hint: {error.hint}")
    if request := document.get("request_id"):
        error.add_note(f"request: {request}")


def unreachable(error: httpx.TransportError) -> LedgerUnavailable:
    """The gateway did not answer."""
    return LedgerUnavailable(
        f"the gateway cannot be reached: {error or type(error).__name__}",
        hint="Check the address and that `ifcbase gateway` runs there.",
    )


def pause(turn: int, asked: str | None) -> None:
    """Wait before the next turn: as long as the service asked for, else longer each time."""
    wait = float(asked) if asked and asked.isdigit() else 0.2 * 2**turn * random.uniform(0.5, 1.5)  # noqa: S311
    time.sleep(min(wait, _MOST_WAIT_S))
