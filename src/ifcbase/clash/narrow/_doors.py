# Kernels are typed by numba from the arrays they get.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Compiled: the functions Python calls. They return nothing and write to arrays they are given.

``DOORS`` names what is compiled, in groups that are compiled and loaded apart from each other.
A signature lists the arguments: element type and dimensions of an array, ``f8`` and ``i8`` for
single numbers, ``S`` for ``Pieces``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ifcbase.clash.narrow import _boxes, _contact, _distance, _divide, _mesh, _pieces
from ifcbase.clash.narrow._kernel import kernel
from ifcbase.clash.narrow._small import put


@kernel
def walk(a, b, order, boxes, lo, hi, left, margin, same, out, count):
    count[0] = _boxes.walk(a, b, order, boxes, lo, hi, left, margin, same != 0, out)


@kernel
def to_surface(s, element, point):
    _distance.to_surface(s, element, point)


@kernel
def winding(point, v, f, out):
    out[0] = _mesh.winding(point, v, f, np.empty(0, np.int64), -1)


@kernel
def prepare(vertices, faces, vo, fo, chosen, flat, state, ends, pends, pv, pp, pe, ev, ee):
    _pieces.prepare(
        vertices, faces, vo, fo, chosen, flat != 0, state, ends, pends, pv, pp, pe, ev, ee
    )


@kernel
def tidy(v0, f0, v, f, twin, counts):
    """Counts: vertices, faces, 1 if the mesh closed."""
    w, g, t, paired = _mesh.tidy(v0, f0)
    for i in range(len(w)):
        put(v[i], w[i], 3)
    for i in range(len(g)):
        put(f[i], g[i], 3)
    put(twin, t, len(t))
    counts[0], counts[1] = len(w), len(g)
    counts[2] = 1 if paired else 0


@kernel
def orient(f, twin, comp, counts):
    """Counts: components, 1 if neighbours agree."""
    c, n, agree = _mesh.orient(f, twin)
    put(comp, c, len(c))
    counts[0] = n
    counts[1] = 1 if agree else 0


@kernel
def planes(v, f, comp, tol, of, pl, area, counts):
    o, p, _, a = _mesh.planes(v, f, comp, tol)
    put(of, o, len(o))
    for i in range(len(p)):
        put(pl[i], p[i], 4)
    put(area, a, len(a))
    counts[0] = len(p)


@kernel
def component_volumes(v, f, comp, vol):
    put(vol, _mesh.component_volumes(v, f, comp, len(vol)), len(vol))


DOORS: dict[str, dict[str, tuple[Any, str]]] = {
    "pairs": {
        "walk": (walk, "f8:2 f8:2 i8:1 f8:2 i8:1 i8:1 i8:1 f8 i8 i4:2 i8:1"),
        "overlaps": (_contact.overlaps, "S i4:2 i8:1 f8 f8:2"),
        "gaps": (_contact.gaps, "S i4:2 i8:1 f8 f8 f8:2"),
        "depths": (_contact.depths, "S i4:2 i8:1 f8 f8:2"),
        "kinds": (_contact.kinds, "S i4:2 i8:1 f8 f8:2"),
        "points": (_contact.points, "S i4:2 i8:1 f8:2"),
        "to_surface": (to_surface, "S i8 f8:1"),
        "winding": (winding, "f8:1 f8:2 i4:2 f8:1"),
    },
    "meshes": {
        "prepare": (
            prepare,
            "f8:2 i4:2 i8:1 i8:1 i8:1 i8 u1:1 i8:2 i8:2 f8:2 f8:2 i4:2 f8:2 i4:2",
        ),
        "tidy": (tidy, "f8:2 i4:2 f8:2 i8:2 i8:1 i8:1"),
        "orient": (orient, "i8:2 i8:1 i8:1 i8:1"),
        "planes": (planes, "f8:2 i8:2 i8:1 f8 i8:1 f8:2 f8:1 i8:1"),
        "adopt_slivers": (_mesh.adopt_slivers, "f8:2 i8:2 i8:1 i8:1"),
        "component_volumes": (component_volumes, "f8:2 i8:2 i8:1 f8:1"),
        "divide": (_divide.divide, "f8:2 i8:2 f8:2 i8 f8:2 i8:2 f8:1 i8:1"),
    },
}
