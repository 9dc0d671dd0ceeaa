"""Arrays through a real binary COPY come out as they went in."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ifcbase.ledger.copying import binary_rows
from tests.integration.world import World

TYPES = {"a": ">i4", "b": ">i2", "x": ">f8", "y": ">f8"}
ROW = st.tuples(
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**15), 2**15 - 1),
    st.floats(),
    st.floats(allow_subnormal=True),
)


def same(left: tuple[Any, ...], right: tuple[Any, ...]) -> bool:
    return all(
        (a == b and math.copysign(1, a) == math.copysign(1, b)) or (a != a and b != b)
        for a, b in zip(left, right, strict=True)
    )


@given(st.lists(ROW, max_size=50))
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_numbers_come_back_exactly(world: World, rows: list[tuple[Any, ...]]) -> None:
    world.sql("create temp table if not exists t (i serial, a int, b smallint, x float8, y float8)")
    world.sql("truncate pg_temp.t")
    columns: dict[str, np.ndarray[Any, Any]] = {
        "a": np.array([r[0] for r in rows], np.int64),
        "b": np.array([r[1] for r in rows], np.int32),
        "x": np.array([r[2] for r in rows], np.float64),
        "y": np.array([r[3] for r in rows], np.float64),
    }
    copy_in = "copy pg_temp.t (a, b, x, y) from stdin (format binary)"
    with world.connection.cursor().copy(copy_in) as copy:
        copy.write(binary_rows(columns, TYPES))
    found = world.sql("select a, b, x, y from pg_temp.t order by i")
    assert len(found) == len(rows)
    assert all(same(a, b) for a, b in zip(found, rows, strict=True))


def test_the_columns_of_sightings_are_those_of_their_table(world: World) -> None:
    """A column added on one side only would shift all that follow."""
    from ifcbase.ledger.copying import SIGHTING_COLUMNS

    world.sql("select core.make_copy_target('sightings', current_user::text)")
    rows = world.sql(
        """select attname::text, format_type(atttypid, null) from pg_attribute
            where attrelid = 'pg_temp.incoming_sightings'::regclass and attnum > 0 order by attnum"""
    )
    words = {">i4": "integer", ">i2": "smallint", ">f8": "double precision"}
    assert rows == [(name, words[kind]) for name, kind in SIGHTING_COLUMNS.items()]
