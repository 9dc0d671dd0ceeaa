"""Signatures as rows of the database and back: NaN is null there, hashes are signed numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.ifc.signatures import Signatures
from ifcbase.ledger.interface import Unmatched

#: The measures in the order of core.signature: column of Signatures and its width.
_MEASURES = (("placement", 3), ("centroid", 3), ("extents", 3), ("volume", 1), ("area", 1))


def composites(signatures: Signatures | None, size: int) -> Iterable[str | None]:
    """Each element's core.signature as the text of a composite value; null without signatures."""
    if signatures is None:
        return repeat(None, size)
    return _texts(signatures)


def _texts(signatures: Signatures) -> Iterator[str]:
    measures = np.column_stack([getattr(signatures, name) for name, _ in _MEASURES])
    hashes = zip(
        signatures.vertices.tolist(),
        signatures.properties.tolist(),
        signatures.content.tolist(),
        strict=True,
    )
    for row, more in zip(measures.tolist(), hashes, strict=True):
        # NaN is the one number that differs from itself.
        numbers = ["" if value != value else repr(value) for value in row]
        yield f"({','.join(numbers)},{more[0]},{more[1]},{more[2]})"


def unmatched_of(rows: Sequence[Sequence[Any]]) -> Unmatched:
    """Rows of public.unmatched_content: element_id, earlier, then key, class and signature.

    Where an element came without a signature it has nothing but its class.
    """
    columns = list(zip(*rows, strict=True)) if rows else [()] * 19
    ids = np.array(columns[0], np.int64)
    earlier = np.array(columns[1], np.bool_)
    floats = np.array(columns[5:16], np.float64).T.reshape(len(rows), 11)  # None becomes NaN
    signatures = Signatures(
        global_id=np.array(columns[2], np.str_),
        n=np.array(columns[3], np.int64),
        ifc_class=np.array(columns[4], np.str_),
        placement=floats[:, 0:3],
        centroid=floats[:, 3:6],
        extents=floats[:, 6:9],
        volume=floats[:, 9],
        area=floats[:, 10],
        vertices=_whole(columns[16]),
        properties=_whole(columns[17]),
        # Nothing known is equal to nothing: each gets a hash of its own.
        content=np.array(
            [i if c is None else c for i, c in zip(columns[0], columns[18], strict=True)], np.int64
        ),
    )
    old, new = np.flatnonzero(earlier), np.flatnonzero(~earlier)
    return Unmatched(ids[old], signatures.take(old), ids[new], signatures.take(new))


def _whole(values: Sequence[int | None]) -> npt.NDArray[np.int64]:
    return np.array([0 if value is None else value for value in values], np.int64)
