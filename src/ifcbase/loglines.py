"""Lines of a log that say which request and which job they are about, as words or as JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

#: Extra fields of a record that are shown.
FIELDS = ("request_id", "job_id", "method", "path", "status", "seconds", "caller", "bytes")
_ABOUT: ContextVar[dict[str, str] | None] = ContextVar("ifcbase_log_about", default=None)


@contextmanager
def about(**known: str | None) -> Iterator[None]:
    """What is logged in this block, in this thread, is about these (``request_id``, ``job_id``)."""
    token = _ABOUT.set({name: value for name, value in known.items() if value is not None})
    try:
        yield
    finally:
        _ABOUT.reset(token)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What is known of a record beside its words."""
    own = {name: record.__dict__.get(name) for name in FIELDS}
    return {**(_ABOUT.get() or {}), **{n: value for n, value in own.items() if value is not None}}


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """See Formatter."""
        moment = datetime.fromtimestamp(record.created, UTC)
        document: dict[str, Any] = {
            "at": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            document["trace"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False, default=str)


class Words(logging.Formatter):
    """A record in words, with the request it is about at its end."""

    def format(self, record: logging.LogRecord) -> str:
        """See Formatter."""
        line, request = super().format(record), fields_of(record).get("request_id")
        return f"{line} [request {request}]" if request else line
