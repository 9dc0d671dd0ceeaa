"""Storing later what waits in the spool: at its place in the chain, once in effect."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from ifcbase.errors import IfcbaseError, LeaseLost, LedgerUnavailable
from ifcbase.files.store import FileStore
from ifcbase.jobs.registry import check_named
from ifcbase.ledger.interface import Ledger
from ifcbase.ledger.spool import Entry, Spool

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE_S = 1.0


@dataclass(slots=True)
class Flusher:
    """Durations in seconds. ``silence_s``: how long an entry may be silent before its job is
    computed again elsewhere; every try that reaches the database renews that. ``documents``: stores
    what scripts left, and gives how many of those still wait."""

    ledger: Ledger
    files: FileStore
    spool: Spool
    lease_s: float
    silence_s: float
    documents: Callable[[], int] = int  # none: zero

    def flush_until(self, stop: threading.Event, *, every_s: float) -> None:
        """Rounds until told to stop: at first quickly, then as often as was asked for."""
        pause = min(_FIRST_PAUSE_S, every_s)
        while not stop.wait(pause):
            try:
                waiting = self.flush_once() + self.documents()
            except Exception:  # noqa: BLE001 (logged; see below)
                # Without this thread nothing that waits would ever be stored.
                _LOG.exception("looking into the spool failed")
                waiting = 1
            pause = min(pause * 2, every_s) if waiting else min(_FIRST_PAUSE_S, every_s)

    def flush_once(self) -> int:
        """Try every entry that waits; how many still wait."""
        left = 0
        for entry in self.spool.entries():
            if entry.refused:
                continue
            try:
                left += self.flush(entry) in {"waiting", "elsewhere"}
            except Exception:  # noqa: BLE001 (logged: one entry must not keep back those behind it)
                _LOG.exception("spool: %s waits: an unexpected failure", entry.name)
                left += 1
        return left

    def flush(self, entry: Entry, *, refused: bool = False) -> str:
        """Store one: "stored", "dropped" (nobody wants it), "elsewhere" (it is being computed
        again, and waits for how that ends), "waiting", "refused", or "busy": another does it.

        ``refused``: also what was refused before."""
        if not entry.known and not entry.refused:
            _LOG.warning("spool: %s waits: %s", entry.name, entry.reason)
            return "waiting"
        with entry.locked() as ours:
            if not ours:
                return "busy"
            try:
                return self._flush(entry, refused)
            except (LedgerUnavailable, LeaseLost) as error:
                entry.note(error.message)
                _LOG.warning("spool: %s waits: %s", entry.name, error.message)
                self._hold(entry, error)
                return "waiting"
            except OSError as error:
                # Of this disk: what cannot be read just now is no damage.
                _LOG.warning("spool: %s waits: %s", entry.name, error)
                return "waiting"
            except IfcbaseError as error:
                entry.note(error.message, refused=True)
                _LOG.error("spool: %s is refused: %s", entry.name, error.message)
                self._fail(entry, error)
                return "refused"

    def _flush(self, entry: Entry, refused: bool) -> str:
        entry.verify()
        attempt = entry.attempt
        claim = self.ledger.claim(attempt.token, lease_s=self.lease_s, refused=refused)
        if claim.state == "elsewhere":
            entry.note(claim.reason)
            return "elsewhere"
        if claim.state in {"stored", "over"}:
            _LOG.warning(
                "spool: the late result of job %s is dropped: %s",
                attempt.job_id,
                claim.reason or "it is stored already",
            )
            entry.remove()
            return "stored" if claim.state == "stored" else "dropped"
        check = check_named(attempt.check)
        with (
            _Renewed(self.ledger, attempt.token, self.lease_s),
            self.ledger.writing(attempt.token) as writer,
        ):
            outcome = check.record(writer, attempt, entry.output, self.files)
            writer.finish_job(outcome, entry.facts)
        _LOG.info("spool: job %s is stored", attempt.job_id)
        entry.remove()
        return "stored"

    def _hold(self, entry: Entry, error: IfcbaseError) -> None:
        try:
            self.ledger.hold(entry.attempt.token, silence_s=self.silence_s, note=error.message)
        except IfcbaseError as away:
            _LOG.info("spool: nobody could be told that %s waits: %s", entry.name, away.message)

    def _fail(self, entry: Entry, error: IfcbaseError) -> None:
        try:
            self.ledger.fail_attempt(
                entry.attempt.token,
                outcome="failed",
                error=error.to_dict(),
                may_retry=error.retryable,
                facts=entry.facts,
            )
        except IfcbaseError as away:
            _LOG.info("spool: the job of %s does not say so: %s", entry.name, away.message)


class _Renewed:
    """Renews a lease for the time of a block; what cannot be stored any more shows by itself."""

    def __init__(self, ledger: Ledger, token: str, lease_s: float) -> None:
        self._ledger, self._token, self._every_s = ledger, token, lease_s / 4
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="spool lease", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _renew(self) -> None:
        while not self._done.wait(self._every_s):
            try:
                self._ledger.heartbeat(self._token)
            except IfcbaseError as error:
                _LOG.info("spool: no heartbeat: %s", error.message)
