"""How elements lie in memory, and the numbers compiled and plain code share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

#: States of an element: no mesh, union of its pieces, still to be cut, a surface.
EMPTY, SOLID, GENERAL, OPEN = 0, 1, 2, 3

#: Vertices nearer than this (metres) are one vertex; faces off their plane by less are in it.
WELD = 1e-5

#: Columns of the rows the stages fill: kind, measured, distance, p1, p2, lower bound of the depth,
#: way out, the two pieces that overlap deepest.
KIND, MEASURED, DISTANCE, P1, P2, AT_LEAST, WAY, PIECES = 0, 1, 2, 3, 6, 9, 10, 13
COLUMNS = 15


class Pieces(NamedTuple):
    """Elements as unions of convex pieces, all counted from offsets; see ``_pieces.prepare``."""

    state: npt.NDArray[np.uint8]  # per element
    box: npt.NDArray[np.float64]  # (n, 6)
    piece: npt.NDArray[np.int64]  # (n + 1) pieces of elements
    pbox: npt.NDArray[np.float64]  # (p, 6)
    pv_at: npt.NDArray[np.int64]  # (p + 1)
    pp_at: npt.NDArray[np.int64]
    pe_at: npt.NDArray[np.int64]
    pv: npt.NDArray[np.float64]  # vertices
    pp: npt.NDArray[np.float64]  # planes: normal, offset, 1 if a real face
    pe: npt.NDArray[np.int32]  # edges: two vertices, two planes
    ev_at: npt.NDArray[np.int64]  # (n + 1) feature vertices
    ee_at: npt.NDArray[np.int64]
    ev: npt.NDArray[np.float64]
    ee: npt.NDArray[np.int32]
    vertices: npt.NDArray[np.float64]  # the meshes themselves
    faces: npt.NDArray[np.int32]
    v_at: npt.NDArray[np.int64]
    f_at: npt.NDArray[np.int64]


#: dtype and dimensions of the fields, in their order.
COLUMN_TYPES = (
    ("u1", 1), ("f8", 2), ("i8", 1), ("f8", 2), ("i8", 1), ("i8", 1), ("i8", 1), ("f8", 2),
    ("f8", 2), ("i4", 2), ("i8", 1), ("i8", 1), ("f8", 2), ("i4", 2), ("f8", 2), ("i4", 2),
    ("i8", 1), ("i8", 1),
)  # fmt: skip
