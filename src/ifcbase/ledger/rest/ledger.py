"""The ledger as a worker has it that can only reach Supabase's gateway."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ifcbase.errors import LeaseLost, LedgerBusy
from ifcbase.ledger.interface import Attempt, Claim, JobInput
from ifcbase.ledger.rest.calls import Calls
from ifcbase.ledger.rest.chunks import CHUNK_BYTES
from ifcbase.ledger.rest.client import Access
from ifcbase.ledger.rest.writer import RestWriter


class RestLedger:
    """One per process; safe to use from several threads."""

    def __init__(self, access: Access, *, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._calls = Calls(access)
        self._chunk_bytes = chunk_bytes

    def close(self) -> None:
        """Let go of connections."""
        self._calls.close()

    def start_attempt(
        self, job_id: str, *, worker: str, host: str, lease_s: float
    ) -> Attempt | None:
        """See Ledger. The token is ours: if the answer gets lost, asking again takes the same job."""
        document = self._calls.call(
            "take_job",
            {
                "job": job_id,
                "worker": worker,
                "host": host,
                "lease_s": lease_s,
                "wanted_token": str(uuid.uuid4()),
            },
        )
        if document is None:
            return None
        inputs = tuple(JobInput(**item) for item in document.pop("inputs"))
        return Attempt(inputs=inputs, **document)

    def heartbeat(self, token: str, progress: Mapping[str, Any] | None = None) -> bool:
        """See Ledger."""
        try:
            answer = self._calls.call("heartbeat", {"lease_token": token, "progress": progress})
        except LedgerBusy:
            # Only who writes with this lease locks it, and that renews it at its end.
            return False
        return bool(answer["cancel"])

    def fail_attempt(
        self,
        token: str,
        *,
        outcome: str,
        error: Mapping[str, Any],
        may_retry: bool,
        facts: Mapping[str, Any],
    ) -> str:
        """See Ledger."""
        try:
            return str(
                self._calls.call(
                    "fail_attempt",
                    {
                        "lease_token": token,
                        "outcome": outcome,
                        "error": error,
                        "may_retry": may_retry,
                        "facts": facts,
                    },
                )
            )
        except LeaseLost:
            # A lease ends with its attempt: perhaps an earlier call ended it, unheard. If its job
            # is queued again, the next round of the reaper delivers it.
            if self._calls.call("attempt_outcome", {"lease_token": token}) != outcome:
                raise
            return "ended"

    @contextmanager
    def writing(self, token: str) -> Iterator[RestWriter]:
        """A save from its beginning: what an earlier one left half written goes."""
        yield RestWriter(self._calls, token, self._chunk_bytes)

    def hold(self, token: str, *, silence_s: float, note: str) -> None:
        """See Ledger."""
        self._calls.call(
            "hold_attempt", {"lease_token": token, "silence_s": silence_s, "note": note}
        )

    def claim(self, token: str, *, lease_s: float, refused: bool = False) -> Claim:
        """See Ledger."""
        answer = self._calls.call(
            "claim_attempt", {"lease_token": token, "lease_s": lease_s, "refused": refused}
        )
        return Claim(answer["state"], answer.get("reason", ""))
