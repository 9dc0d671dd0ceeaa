"""Binary COPY streams as the server's manual describes them."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from ifcbase.ledger.copying import SIGHTING_COLUMNS, binary_rows

TYPES = {"n": ">i4", "small": ">i2", "x": ">f8"}


def test_the_bytes_of_one_row() -> None:
    columns = {"n": np.array([-2]), "small": np.array([7]), "x": np.array([0.5])}
    assert binary_rows(columns, TYPES) == (
        b"PGCOPY\n\xff\r\n\x00"
        + struct.pack(">ii", 0, 0)
        + struct.pack(">h", 3)
        + struct.pack(">ii", 4, -2)
        + struct.pack(">ih", 2, 7)
        + struct.pack(">id", 8, 0.5)
        + struct.pack(">h", -1)
    )


def test_no_rows_are_a_header_and_an_end() -> None:
    stream = binary_rows({name: np.zeros(0) for name in SIGHTING_COLUMNS}, SIGHTING_COLUMNS)
    assert stream == b"PGCOPY\n\xff\r\n\x00" + bytes(8) + b"\xff\xff"


def test_the_order_is_that_of_the_types_not_of_the_columns() -> None:
    columns = {"x": np.array([1.0]), "small": np.array([2]), "n": np.array([3])}
    ordered = {name: columns[name] for name in TYPES}
    assert binary_rows(columns, TYPES) == binary_rows(ordered, TYPES)


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="small has 1 values, not 2"):
        binary_rows({"n": np.zeros(2), "small": np.zeros(1), "x": np.zeros(2)}, TYPES)


def test_a_missing_column_is_refused() -> None:
    with pytest.raises(KeyError, match="small"):
        binary_rows({"n": np.zeros(2), "x": np.zeros(2)}, TYPES)


@pytest.mark.parametrize("value", [2**15, -(2**15) - 1, 2**40, 0.5])
def test_a_number_that_does_not_fit_is_refused_not_wrapped(value: float) -> None:
    with pytest.raises(ValueError, match="small holds values"):
        binary_rows({"n": np.zeros(1), "small": np.array([value]), "x": np.zeros(1)}, TYPES)
