"""Takes events out of the outbox and delivers them, with patience.

Runs in the gateway and in every worker whose database role may read the secrets. A row is locked
while its event is delivered: nobody else delivers it at the same time, and if this process dies the
lock goes with it. An event may arrive twice (an answer that was lost), with the same id.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from ifcbase import __version__
from ifcbase.errors import IfcbaseError
from ifcbase.files.addresses import Policy
from ifcbase.files.fetch import Fetcher, Limits
from ifcbase.ledger.connect import connect, translated
from ifcbase.settings import Settings
from ifcbase.sqlfiles import queries
from ifcbase.webhooks import signing

_SQL = queries("ifcbase.webhooks", "deliver.sql")
_LOG = logging.getLogger(__name__)
Connection = psycopg.Connection[Any]

#: Seconds before the second, third, … attempt, as Standard Webhooks recommends; then it is given up.
WAITS_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
#: How often the outbox is looked into when there was nothing, and old events are forgotten.
_LOOK_S = 1.0
_FORGET_S = 600.0
_GONE = 410


@dataclass
class Deliverer:
    """Delivers what is due. ``busy``: endpoints its threads are talking to, one at a time each."""

    dsn: str
    fetcher: Fetcher
    answer_s: float = 15.0
    disable_s: float = 432_000.0
    waits_s: tuple[float, ...] = WAITS_S
    _busy: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, settings: Settings, dsn: str) -> Deliverer:
        """As the settings have it. Raises ConfigError."""
        policy = Policy.of(settings.fetch_private, settings.fetch_hosts)
        return cls(dsn, Fetcher(policy), settings.webhook_s, settings.webhook_disable_s)

    def start(self, stop: threading.Event, threads: int = 1) -> list[threading.Thread]:
        """Deliver in the background until told to stop."""
        made = [
            threading.Thread(target=self.run, args=[stop], name=f"webhooks {n}", daemon=True)
            for n in range(threads)
        ]
        for each in made:
            each.start()
        return made

    def run(self, stop: threading.Event) -> None:
        """Deliver until told to stop; what fails is logged and tried again."""
        pause = _LOOK_S
        while not stop.is_set():
            try:
                with connect(self.dsn) as connection:
                    if not self.may(connection):
                        _LOG.info("webhooks: this role may not read their secrets; others deliver")
                        return
                    pause = _LOOK_S
                    self._deliver_until(connection, stop)
            except IfcbaseError as error:
                _LOG.warning("webhooks: %s; trying again in %.0f s", error.message, pause)
            except Exception:  # noqa: BLE001 (logged; without this thread nothing is delivered)
                _LOG.exception("webhooks: trying again in %.0f s", pause)
            stop.wait(pause)
            pause = min(pause * 2, 30.0)

    def may(self, connection: Connection) -> bool:
        """Whether the connection's role may deliver."""
        with translated():
            row = connection.execute(_SQL["may_deliver"]).fetchone()
        return bool(row and row[0])

    def _deliver_until(self, connection: Connection, stop: threading.Event) -> None:
        forgotten = 0.0
        while not stop.is_set():
            if time.monotonic() - forgotten > _FORGET_S:
                with translated():
                    connection.execute(_SQL["forget"])
                forgotten = time.monotonic()
            if not self.deliver_one(connection):
                stop.wait(_LOOK_S)

    def deliver_one(self, connection: Connection) -> bool:
        """Deliver one event that is due; False if there is none."""
        with (
            translated(),
            connection.transaction(),
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            # Looked for and claimed as one step, or two threads would choose the same endpoint.
            with self._lock:
                row = cursor.execute(_SQL["next"], {"busy": sorted(self._busy)}).fetchone()
                if row is None:
                    return False
                webhook = str(row["webhook_id"])
                self._busy.add(webhook)
            try:
                self._deliver(cursor, row)
            finally:
                with self._lock:
                    self._busy.discard(webhook)
        return True

    def _deliver(self, cursor: psycopg.Cursor[dict[str, Any]], row: dict[str, Any]) -> None:
        outbox, webhook = row["id"], row["webhook_id"]
        secrets = [
            str(each["secret"]) for each in cursor.execute(_SQL["secrets"], {"webhook": webhook})
        ]
        body = message(row)
        headers = signing.headers(f"msg_{outbox}", int(time.time()), body, secrets)
        headers |= {"Content-Type": "application/json", "User-Agent": f"ifcbase/{__version__}"}
        began = time.monotonic()
        status, failure = self._post(row["url"], body, headers)
        said = {"project": row["project_id"], "outbox": outbox, "status": status, "error": failure}
        cursor.execute(_SQL["log"], {**said, "seconds": time.monotonic() - began})
        if failure is None:
            cursor.execute(_SQL["delivered"], {"outbox": outbox})
            cursor.execute(_SQL["works"], {"webhook": webhook})
            return
        if row["attempts"] < len(self.waits_s):
            # Spread, so that an endpoint that comes back is not met by everything at once.
            wait = self.waits_s[row["attempts"]] * random.uniform(1.0, 1.2)  # noqa: S311
            cursor.execute(_SQL["later"], {"outbox": outbox, "wait_s": wait})
        else:
            cursor.execute(_SQL["given_up"], {"outbox": outbox})
        self._note_failure(cursor, webhook, status)

    def _note_failure(
        self, cursor: psycopg.Cursor[dict[str, Any]], webhook: Any, status: int | None
    ) -> None:
        cursor.execute(_SQL["fails"], {"webhook": webhook})
        asked = {"webhook": webhook, "after_s": self.disable_s}
        overdue = cursor.execute(_SQL["overdue"], asked).fetchone()
        reason = None
        if status == _GONE:
            reason = "the endpoint answered that it is gone (410)"
        elif overdue and next(iter(overdue.values())):
            reason = "no event could be delivered for a long time"
        if reason is not None:
            cursor.execute(_SQL["disable"], {"webhook": webhook, "reason": reason})
            _LOG.warning("webhooks: %s was switched off: %s", webhook, reason)

    def _post(
        self, url: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int | None, str | None]:
        """The status of the answer, and what went wrong, if anything did."""
        limits = Limits(max_bytes=1, total_s=self.answer_s, wait_s=self.answer_s)
        try:
            answer = self.fetcher.post(url, body, headers, limits)
        except IfcbaseError as error:
            return None, error.message
        if 200 <= answer.status < 300:
            return answer.status, None
        return answer.status, f"the endpoint answered with status {answer.status}"


def message(row: dict[str, Any]) -> bytes:
    """The body: the same document that listeners to events get."""
    return json.dumps(
        {
            "id": row["event_id"],
            "type": row["type"],
            "timestamp": row["at"].isoformat(),
            "data": {"project": row["project"], **row["data"]},
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
