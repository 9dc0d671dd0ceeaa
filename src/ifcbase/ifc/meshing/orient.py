"""Turning faces around so that every shell of an element looks outwards."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ifcbase.ifc.meshing.topology import Edges, components, weld

Floats = npt.NDArray[np.float64]
Faces = npt.NDArray[np.int32]
#: Solid angles are added up for this many triangles at a time.
_CHUNK = 200_000


def orient(vertices: Floats, faces: Faces) -> Faces | None:
    """The faces, consistently oriented and outwards; None if the mesh encloses nothing.

    A shell inside another one that looked the other way before is a cavity and stays one.
    """
    corners = faces.astype(np.int64)
    welded = weld(vertices, np.array([0, len(vertices)]))[corners]
    whole = np.flatnonzero(
        (welded[:, 0] != welded[:, 1])
        & (welded[:, 1] != welded[:, 2])
        & (welded[:, 2] != welded[:, 0])
    )
    if not len(whole):
        return None
    welded = welded[whole]
    edges = Edges.of(welded, len(vertices))
    if (edges.count % 2).any():
        return None
    turned, shell = _agree(welded, edges)
    straight = np.where(turned[:, None], welded[:, ::-1], welded)
    if (Edges.of(straight, len(vertices)).balance != 0).any():
        return None
    outwards = _outwards(vertices, straight, turned, shell)
    flip = turned ^ ~outwards[shell]
    result = faces.copy()
    result[whole[flip]] = faces[whole[flip]][:, ::-1]
    return result


def _agree(
    welded: npt.NDArray[np.int64], edges: Edges
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Which faces to turn so that neighbours agree, and the shell of each face.

    Neighbours are found over edges of two triangles: three or more say nothing about who is whose.
    """
    n = len(welded)
    pair = edges.start[edges.count == 2]
    left, right = edges.order[pair] // 3, edges.order[pair + 1] // 3
    agree = edges.balance[edges.count == 2] == 0
    # Double cover: node f is "face f as it is", node n + f is "face f turned".
    a = np.concatenate([left, left + n])
    b = np.concatenate([np.where(agree, right, right + n), np.where(agree, right + n, right)])
    label = components(2 * n, a, b)
    shell = np.minimum(label[:n], label[n:])
    turned = label[:n] > label[n:]
    # A one-sided surface meets its own turned copy; it cannot be oriented and is left as it is.
    _, numbered = np.unique(shell, return_inverse=True)
    numbered = numbered.reshape(-1).astype(np.int64)
    return turned, numbered


def _outwards(
    vertices: Floats,
    faces: npt.NDArray[np.int64],
    turned: npt.NDArray[np.bool_],
    shell: npt.NDArray[np.int64],
) -> npt.NDArray[np.bool_]:
    """For each shell, whether its agreed faces already look the way they should."""
    count = int(shell.max()) + 1
    p, q, r = (vertices[faces[:, k]] - vertices[faces[0, 0]] for k in range(3))
    normal = np.cross(q - p, r - p)
    share = np.einsum("ij,ij->i", p, normal) / 6
    volume = np.bincount(shell, weights=share, minlength=count)
    area = np.sqrt(np.einsum("ij,ij->i", normal, normal)) / 2
    kept = np.bincount(shell, weights=np.where(turned, -area, area), minlength=count) >= 0
    positive = volume >= 0
    looked_out = positive == kept
    if count == 1 or looked_out.all():
        return np.asarray(positive)
    # From the biggest shell to the smallest: each keeps its relation to the one right around it.
    sizes = np.abs(volume)
    order = np.argsort(-sizes, kind="stable")
    outside = np.ones(count, np.bool_)
    by_shell = faces[np.argsort(shell, kind="stable")]
    ends = np.cumsum(np.bincount(shell, minlength=count))
    starts = np.concatenate([[0], ends[:-1]])
    low = np.minimum.reduceat(vertices[by_shell].min(axis=1), starts, axis=0)
    high = np.maximum.reduceat(vertices[by_shell].max(axis=1), starts, axis=0)
    for rank, i in enumerate(order):
        point = vertices[by_shell[starts[i], 0]]
        bigger = order[:rank][::-1]
        around = ((low[bigger] < point) & (point < high[bigger])).all(axis=1)
        for j in bigger[around]:
            if sizes[j] > sizes[i] and _winds(point, vertices, by_shell[starts[j] : ends[j]]):
                outside[i] = outside[j] == (looked_out[i] == looked_out[j])
                break
    return np.asarray(positive == outside)


def _winds(point: Floats, vertices: Floats, faces: npt.NDArray[np.int64]) -> bool:
    """True if the closed surface winds around the point (Van Oosterom and Strackee, 1983)."""
    total = 0.0
    for start in range(0, len(faces), _CHUNK):
        a, b, c = (vertices[faces[start : start + _CHUNK, k]] - point for k in range(3))
        la, lb, lc = (np.sqrt(np.einsum("ij,ij->i", x, x)) for x in (a, b, c))
        top = np.einsum("ij,ij->i", a, np.cross(b, c))
        dots = [np.einsum("ij,ij->i", x, y) for x, y in ((a, b), (b, c), (c, a))]
        below = la * lb * lc + dots[0] * lc + dots[1] * la + dots[2] * lb
        total += float(np.arctan2(top, below).sum()) * 2
    return abs(total) > 2 * np.pi
