"""The write API over REST: one save of one attempt, its chunks numbered."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np

from ifcbase.errors import LeaseLost, LedgerSlow
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.signatures import Signatures
from ifcbase.ledger.interface import Candidates, Columns, MatchingDue, Unmatched
from ifcbase.ledger.rest.calls import Calls
from ifcbase.ledger.rest.chunks import CHUNK_BYTES, Row, chunked, sighting_chunks
from ifcbase.ledger.signing import composites, unmatched_of

_LOG = logging.getLogger(__name__)
#: Kinds of rows that the database takes all at once.
_WHOLE = {"specifications"}
#: Rows in a page of elements to be matched, of about 300 bytes each.
_PAGE_ROWS = 4000


class RestWriter:
    """See Writer. Each call stands by itself: what a result holds is seen when it is finished."""

    def __init__(self, calls: Calls, token: str, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._calls = calls
        self._chunk_bytes = chunk_bytes
        self._save = {"lease_token": token, "session": str(uuid.uuid4())}
        self._token = token
        self._numbers = count()
        self._call("begin_save", long=True)

    def inventory(
        self, model_version_id: int, inventory: Inventory, signatures: Signatures | None = None
    ) -> None:
        for rows in chunked(_elements(inventory, signatures), self._chunk_bytes):
            self._send("save_inventory", rows, model_version=model_version_id)
        facts = {
            "elements": len(inventory.elements),
            "schema": inventory.schema,
            "repeated_ids": inventory.repeated_ids,
        }
        self._call("conclude_inventory", long=True, model_version=model_version_id, facts=facts)

    def matching_due(self) -> list[MatchingDue]:
        return [MatchingDue(**each) for each in self._plain("matching_due")]

    def unmatched(self, model_version_id: int) -> Unmatched:
        return unmatched_of(self._pages("keep_unmatched", model_version=model_version_id))

    def moved_candidates(
        self, *, earlier: bool, classes: Sequence[str] | None = None
    ) -> Candidates:
        chosen = None if classes is None else list(classes)
        rows = self._pages("keep_moved", earlier=earlier, classes=chosen)
        found = unmatched_of([row[2:] for row in rows])
        places = np.array([row[:2] for row in rows], np.int64).reshape(-1, 2)
        ids, look = (found.old_ids, found.old) if earlier else (found.new_ids, found.new)
        return Candidates(places[:, 0], places[:, 1], ids, look)

    def store_links(self, due: MatchingDue, links: Sequence[Mapping[str, Any]]) -> None:
        name, parts = self._keep(links)
        self._call(
            "save_links",
            long=True,
            name=name,
            parts=parts,
            model_version=due.version,
            previous=due.previous,
        )

    def add_output(self, sha256: str, size: int, name: str) -> None:
        self._plain("add_output", sha256=sha256, size=size, name=name)

    def open_result(self, header: Mapping[str, Any]) -> int:
        return int(self._plain("open_result", header=header))

    def append_rows(self, result: int, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        if kind in _WHOLE:
            name, parts = self._keep(rows)
            self._call(
                "save_kept_rows", long=True, name=name, parts=parts, result=result, kind=kind
            )
            return
        for chunk in chunked(rows, self._chunk_bytes):
            self._send("save_rows", chunk, result=result, kind=kind)

    def append_sightings(self, result: int, columns: Columns) -> None:
        for chunk in sighting_chunks(columns, self._chunk_bytes):
            self._send("save_rows", chunk, result=result, kind="sightings")

    def finish_result(self, result: int, footer: Mapping[str, Any]) -> int:
        return int(self._call("conclude_result", long=True, result=result, footer=footer))

    def finish_job(self, outcome: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        try:
            self._plain("finish_job", outcome=outcome, facts=facts)
        except LeaseLost:
            # A lease ends with its attempt: perhaps an earlier call finished it, unheard.
            if self._plain("attempt_outcome") != "finished":
                raise

    def _keep(self, rows: Iterable[Row]) -> tuple[str, int]:
        """Send rows that are to be taken together; the name they are kept by and their parts."""
        name, parts = f"rows {next(self._numbers)}", 0

        def keep(some: Sequence[Row], number: int) -> None:
            nonlocal parts
            self._call("keep_part", shrinkable=len(some) > 1, name=name, number=number, rows=some)
            parts += 1

        for chunk in chunked(rows, self._chunk_bytes):
            self._halved(keep, chunk)
        return name, parts

    def _send(self, function: str, chunk: Sequence[Row], **more: Any) -> None:
        """Send rows under a number: however often that happens, they are taken once."""

        def send(some: Sequence[Row], number: int) -> None:
            self._call(function, shrinkable=len(some) > 1, number=number, rows=some, **more)

        self._halved(send, chunk)

    def _halved(self, send: Callable[[Sequence[Row], int], None], rows: Sequence[Row]) -> None:
        """Send rows, in halves if they take the database longer than it may."""
        try:
            send(rows, next(self._numbers))
        except LedgerSlow:
            if len(rows) < 2:
                raise
            _LOG.info("%d rows took too long: sent in halves", len(rows))
            middle = len(rows) // 2
            self._halved(send, rows[:middle])
            self._halved(send, rows[middle:])

    def _pages(self, function: str, **parameters: Any) -> list[Any]:
        """Rows that the database keeps in pages for us: an answer of rows is cut at a thousand."""
        name = f"rows {next(self._numbers)}"
        pages = int(self._call(function, long=True, name=name, page_rows=_PAGE_ROWS, **parameters))
        return [
            row for page in range(pages) for row in self._call("kept_page", name=name, number=page)
        ]

    def _call(
        self, function: str, *, long: bool = False, shrinkable: bool = False, **parameters: Any
    ) -> Any:
        """A function that knows this save."""
        return self._calls.call(function, self._save | parameters, long=long, shrinkable=shrinkable)

    def _plain(self, function: str, **parameters: Any) -> Any:
        """A function that knows the lease alone."""
        return self._calls.call(function, {"lease_token": self._token, **parameters})


def _elements(inventory: Inventory, signatures: Signatures | None) -> Iterator[Row]:
    signed = composites(signatures, len(inventory))
    for element, signature in zip(inventory.elements, signed, strict=True):
        yield {
            "global_id": element.global_id,
            "n": element.n,
            "ifc_class": element.ifc_class,
            "name": element.name,
            "storey": element.storey,
            "physical": element.physical,
            "has_representation": element.has_representation,
            "signature": signature,
        }
