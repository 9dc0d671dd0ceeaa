"""Arrays as Postgres' binary COPY format.

The format (Postgres manual, COPY, "Binary Format"): a signature and two zero words; per row the
number of fields, then each field's length in bytes and its value, all big-endian; at the end -1.
Fixed-size columns make every row equally long, so that numpy writes all rows at once.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"

#: Column of pg_temp.incoming_sightings: its type on the wire, in the table's order.
SIGHTING_COLUMNS: dict[str, str] = {
    "a": ">i4",
    "b": ">i4",
    "a_position": ">i2",
    "b_position": ">i2",
    "kind": ">i2",
    "measured": ">i2",
    "distance": ">f8",
    "p1x": ">f8",
    "p1y": ">f8",
    "p1z": ">f8",
    "p2x": ">f8",
    "p2y": ">f8",
    "p2z": ">f8",
    "smart_group": ">i4",
}


def binary_rows(columns: Mapping[str, npt.NDArray[np.generic]], types: Mapping[str, str]) -> bytes:
    """The columns as one binary COPY stream. Raises ValueError for arrays of different
    lengths and for values that an integer column cannot hold."""
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in types.items():
        layout += [(f"{name} length", ">i4"), (name, kind)]
    count = len(columns[next(iter(types))])
    rows = np.zeros(count, dtype=np.dtype(layout))
    rows["fields"] = len(types)
    for name, kind in types.items():
        if len(columns[name]) != count:
            raise ValueError(f"column {name} has {len(columns[name])} values, not {count}")
        rows[f"{name} length"] = np.dtype(kind).itemsize
        rows[name] = columns[name]
        if np.dtype(kind).kind == "i" and not np.array_equal(rows[name], columns[name]):
            raise ValueError(f"column {name} holds values that its type cannot")
    return _SIGNATURE + rows.tobytes() + _TRAILER
