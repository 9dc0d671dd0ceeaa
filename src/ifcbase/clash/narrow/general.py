"""Solids that are neither convex nor swept: split along their reflex faces until they are.

Most are cut by ``dividing.py``. Where that is not certain the splits are manifold3d's; parts go
back through ``_pieces.prepare``. A part that resists is replaced by its hull and the element named
approximate; a mesh that is no manifold is treated as a surface.
"""

from __future__ import annotations

import manifold3d
import numpy as np
import numpy.typing as npt

from ifcbase.clash.narrow.cutting import component_volumes, orient, planes, prepare, states, tidy
from ifcbase.clash.narrow.dividing import divided
from ifcbase.clash.narrow.layout import GENERAL, OPEN, SOLID, WELD, Pieces
from ifcbase.ifc.meshset import MeshSet

#: Rounds of splitting; every round splits each unfinished part once.
ROUNDS = 24
#: Parts of one element after which the rest is taken as hulls.
PARTS = 48
#: Parts smaller than this (cubic metres) are crumbs of the splitting.
CRUMB = 1e-12

#: A hollow of this rise (metres) across an edge is worth a cut.
REFLEX = 1e-6

NO_MANIFOLD = "its mesh is no manifold: treated as a surface"
HULLS = "too intricate: some parts taken as their convex hulls"

Mesh = tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]
#: Element, part of it, and whether that is only the hull of one.
Part = tuple[int, Mesh, bool]


def fill(
    pieces: Pieces, meshes: MeshSet, waiting: npt.NDArray[np.int64]
) -> tuple[Pieces, dict[int, str], npt.NDArray[np.int64]]:
    """Add the pieces of the waiting elements.

    Returns the new pieces, reasons by element, and which pieces are only hulls.
    """
    parts: list[Mesh] = []
    owner: list[int] = []
    done: list[Part] = []
    approximate: dict[int, str] = {}
    origins: dict[int, npt.NDArray[np.float64]] = {}
    twin_of: dict[int, int] = {}
    seen: dict[bytes, int] = {}
    for e in waiting.tolist():
        v, f = meshes.mesh(e)
        origins[e] = v[0].copy()
        # The same shape at another place is cut once.
        shape = np.round((v - v[0]) * 1e6).astype(np.int64).tobytes() + f.tobytes()
        if seen.setdefault(shape, e) != e:
            twin_of[e] = seen[shape]
            continue
        cut = divided(v - v[0], f)
        if cut is not None:
            done += [(e, *p) for p in cut]
            if any(p.is_hull for p in cut):
                approximate[e] = HULLS
            continue
        solid = manifold_of(v - v[0], f)
        if solid is None:
            approximate[e] = NO_MANIFOLD
            continue
        for part in _bodies(solid):
            parts.append(part)
            owner.append(e)
    made = dict.fromkeys(waiting.tolist(), 0)
    for level in range(ROUNDS):
        if not parts:
            break
        state = states(parts)
        fresh: list[Mesh] = []
        fresh_owner: list[int] = []
        for part, e, s in zip(parts, owner, state, strict=True):
            split: list[Mesh] | None = None
            if s == SOLID:
                made[e] += 1
                done.append((e, part, False))
                continue
            if made[e] + fresh_owner.count(e) < PARTS and level < ROUNDS - 1:
                split = _split(part)
            if split is None:
                hull = _hull(part)
                if hull is not None:
                    approximate.setdefault(e, HULLS)
                    done.append((e, hull, True))
                    made[e] += 1
                continue
            fresh += split
            fresh_owner += [e] * len(split)
        parts, owner = fresh, fresh_owner
    for e, like in twin_of.items():
        done += [(e, part, is_hull) for owner_, part, is_hull in done if owner_ == like]
        if like in approximate:
            approximate[e] = approximate[like]
    merged, hulls = _merge(pieces, meshes, waiting, done, approximate, origins)
    return merged, approximate, hulls


def manifold_of(v: npt.NDArray[np.float64], f: npt.NDArray[np.int32]) -> manifold3d.Manifold | None:
    """The welded mesh as a manifold facing outward, or None if it is not one."""
    kept, faces, twin, paired = tidy(np.ascontiguousarray(v), f)
    if not paired:
        return None
    orient(faces, twin)
    solid = _manifold(kept, faces)
    if solid is None:
        return None
    if solid.volume() < 0:
        solid = _manifold(kept, faces[:, ::-1])
    return solid


def _manifold(v: npt.NDArray[np.float64], f: npt.NDArray[np.int64]) -> manifold3d.Manifold | None:
    mesh = manifold3d.Mesh64(
        np.ascontiguousarray(v, dtype=np.float64), np.ascontiguousarray(f, dtype=np.uint64)
    )
    solid = manifold3d.Manifold(mesh)
    return solid if solid.status() == manifold3d.Error.NoError else None


def _bodies(solid: manifold3d.Manifold) -> list[Mesh]:
    """Its connected parts; one with cavities stays whole, because a cavity counts as a part."""
    out = []
    bodies = solid.decompose()
    if any(body.volume() < -CRUMB for body in bodies):
        bodies = [solid]
    for body in bodies:
        if body.volume() < CRUMB:
            continue
        mesh = body.to_mesh64()
        out.append(
            (
                np.ascontiguousarray(mesh.vert_properties[:, :3], dtype=np.float64),
                np.ascontiguousarray(mesh.tri_verts, dtype=np.int32),
            )
        )
    return out


def _split(part: Mesh) -> list[Mesh] | None:
    """Two or more parts, cut along the plane that the longest reflex edges lie on."""
    v, f0 = part
    kept, f, twin, paired = tidy(v, f0)
    if not paired:
        return None
    of, pl, area = planes(kept, f, twin, WELD)
    h = np.arange(3 * len(f))
    first = (twin > h) & (of[h // 3] >= 0) & (of[np.maximum(twin, 0) // 3] >= 0)
    first &= of[h // 3] != of[np.maximum(twin, 0) // 3]
    h = h[first]
    t = twin[h]
    p, q = of[h // 3], of[t // 3]
    tip_t = kept[f[t // 3, (t % 3 + 2) % 3]]
    tip_h = kept[f[h // 3, (h % 3 + 2) % 3]]
    larger = area[p] >= area[q]
    rise = np.where(
        larger,
        np.einsum("ij,ij->i", pl[p, :3], tip_t) - pl[p, 3],
        np.einsum("ij,ij->i", pl[q, :3], tip_h) - pl[q, 3],
    )
    reflex = rise > REFLEX
    if not reflex.any():
        return None
    h, p, q = h[reflex], p[reflex], q[reflex]
    start = kept[f[h // 3, h % 3]]
    length = np.linalg.norm(kept[f[h // 3, (h % 3 + 1) % 3]] - start, axis=1)
    score = np.bincount(p, length, len(pl)) + np.bincount(q, length, len(pl))
    best = np.argsort(-score)[:6]
    cuts = [(pl[k, :3], float(pl[k, 3])) for k in best.tolist() if score[k] > 0]
    parts, ncomp = orient(f, twin)
    if ncomp > 1:
        # A cavity is cut through its middle: a cut along its faces leaves films.
        inner = int(np.argmin(np.abs(component_volumes(kept, f, parts, ncomp))))
        middle = kept[f[parts == inner].ravel()].mean(axis=0)
        cuts.insert(0, (pl[0, :3], float(pl[0, :3] @ middle)))
    # Where the faces themselves only shave: between them, through the edge.
    for k in np.argsort(-length)[:6].tolist():
        between = pl[p[k], :3] - pl[q[k], :3]
        between = between / np.linalg.norm(between)
        cuts.append((between, float(between @ start[k])))
    solid = _manifold(kept, f)
    if solid is None:
        return None
    for normal, offset in cuts:
        halves = solid.split_by_plane(tuple(normal), offset)
        bodies = [b for half in halves for b in _bodies(half)]
        if len(bodies) >= 2:
            return bodies
    return None


def _hull(part: Mesh) -> Mesh | None:
    hull = manifold3d.Manifold.hull_points(part[0])
    bodies = _bodies(hull)
    return bodies[0] if bodies else None


def _merge(
    pieces: Pieces,
    meshes: MeshSet,
    waiting: npt.NDArray[np.int64],
    done: list[Part],
    approximate: dict[int, str],
    origins: dict[int, npt.NDArray[np.float64]],
) -> tuple[Pieces, npt.NDArray[np.int64]]:
    """Put the rows of the finished parts at their elements' places; also which are hulls."""
    done.sort(key=lambda item: item[0])
    state = pieces.state.copy()
    n = len(state)
    parts = MeshSet.from_meshes([(v + origins[e], f) for e, (v, f), _ in done])
    rows = prepare(
        parts.vertices,
        parts.faces,
        parts.vertex_offset,
        parts.face_offset,
        np.arange(len(done), dtype=np.int64),
        False,
    )
    surfaces = np.array(sorted(e for e in approximate if approximate[e] == NO_MANIFOLD), np.int64)
    flat = prepare(
        meshes.vertices, meshes.faces, meshes.vertex_offset, meshes.face_offset, surfaces, True
    )
    # Three sources of pieces: what was there, the parts, the surfaces. Owner of every piece:
    made = np.diff(rows[1][:, 0], prepend=0)
    owners = [
        np.repeat(np.arange(n), np.diff(pieces.piece)),
        np.repeat([e for e, _, _ in done] or np.zeros(0, np.int64), made),
        np.repeat(surfaces, np.diff(flat[1][:, 0], prepend=0)),
    ]
    state[waiting] = SOLID
    state[surfaces] = OPEN
    lost = np.setdiff1d(waiting, np.concatenate(owners))
    state[lost] = GENERAL
    for e in lost.tolist():
        approximate[e] = "no part of it could be used"
    owner = np.concatenate(owners).astype(np.int64)
    order = np.argsort(owner, kind="stable")
    is_hull = np.zeros(len(owner), np.bool_)
    begin_parts = len(owners[0])
    is_hull[begin_parts : begin_parts + len(owners[1])] = np.repeat([h for _, _, h in done], made)
    ends = [
        np.stack([pieces.pv_at[1:], pieces.pp_at[1:], pieces.pe_at[1:]], axis=1),
        rows[2],
        flat[2],
    ]
    sources = [(pieces.pv, pieces.pp, pieces.pe), rows[3:6], flat[3:6]]
    at = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(owner, minlength=n), out=at[1:])
    offsets, columns = [], []
    for k in range(3):
        lengths = np.concatenate([np.diff(e[:, k], prepend=0) for e in ends])
        begin = np.concatenate([[0], np.cumsum(lengths)])[:-1][order]
        fresh = np.concatenate([[0], np.cumsum(lengths[order])]).astype(np.int64)
        data = np.concatenate([s[k] for s in sources])
        index = np.repeat(begin - fresh[:-1], lengths[order]) + np.arange(fresh[-1])
        offsets.append(fresh)
        columns.append(data[index])
    merged = pieces._replace(
        state=state,
        piece=at,
        pv_at=offsets[0],
        pp_at=offsets[1],
        pe_at=offsets[2],
        pv=columns[0],
        pp=columns[1],
        pe=columns[2],
    )
    return merged, np.flatnonzero(is_hull[order])
