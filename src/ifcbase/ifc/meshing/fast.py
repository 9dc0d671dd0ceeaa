"""The fast mesher: ifcfast, a whole file at once, in single precision about its own shift."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.errors import ComputeError
from ifcbase.ifc.meshing.mesher import OPENING_CLASSES, Meshed, Source, Wanted
from ifcbase.ifc.meshset import MeshSet
from ifcbase.ifc.versions import installed

#: Single precision is refused where it rounds coordinates by more than this (metres).
COARSEST = 5e-5


@lru_cache(maxsize=1)
def _native() -> Any:
    """ifcfast's extension module alone: its package imports pandas, which costs 0.7 seconds."""
    package = importlib.util.find_spec("ifcfast")
    folders = list(package.submodule_search_locations or ()) if package else []
    for folder in folders:
        for suffix in importlib.machinery.EXTENSION_SUFFIXES:
            file = Path(folder) / f"_core{suffix}"
            if file.is_file():
                name = "ifcfast._core"
                loader = importlib.machinery.ExtensionFileLoader(name, str(file))
                spec = importlib.util.spec_from_loader(name, loader)
                assert spec is not None  # noqa: S101  a loader of ours always gives one
                module = importlib.util.module_from_spec(spec)
                loader.exec_module(module)
                return module
    raise ComputeError("the fast mesher (ifcfast) is not installed")


class FastMesher:
    """Vertices are single precision about the file's shift; ``resolution`` says how coarse."""

    name = "fast"

    @property
    def version(self) -> str:
        return f"ifcfast {installed('ifcfast')}"

    def mesh(self, source: Source, wanted: Wanted) -> Meshed:
        """Mesh all of the file and keep what is wanted."""
        cut = _extract(source, cut_openings=True)
        refused = sum(
            n for key, n in cut.items() if key.startswith("cut_openings_unsupported_") and n
        )
        refused += cut["cut_openings_fallback"]
        openings = any(c in OPENING_CLASSES for c in wanted.ifc_classes)
        table = _Table(cut)
        rows = [table.only(g) for g in wanted.global_ids]
        meshed = table.meshed(rows, wanted)
        lost = any(int(wanted.step_ids[i]) in source.openings for i in meshed.failures)
        if refused or openings or lost:
            uncut = _Table(_extract(source, cut_openings=False))
            self._judge_cuts(meshed, table, uncut, rows, source, wanted)
        if cut["halfspace_clip_unapplied"]:
            for i in _with_clippings(source, wanted):
                meshed.unsure.setdefault(i, "a clipping of the file was not applied")
        if meshed.resolution > COARSEST:
            for i in range(len(wanted)):
                meshed.unsure.setdefault(i, "too far from the origin for single precision")
        return meshed

    def _judge_cuts(
        self,
        meshed: Meshed,
        table: _Table,
        plain: _Table,
        rows: list[int | None],
        source: Source,
        wanted: Wanted,
    ) -> None:
        """Doubt hosts that look the same with and without openings; openings come uncut."""
        for i, row in enumerate(rows):
            other = plain.only(wanted.global_ids[i])
            if other is None or int(wanted.step_ids[i]) not in source.openings:
                continue
            if row is None:
                meshed.consumed.add(i)
            elif table.same(row, plain, other):
                meshed.unsure[i] = "its openings were not cut"
        openings = [i for i, c in enumerate(wanted.ifc_classes) if c in OPENING_CLASSES]
        if not openings:
            return
        found = plain.meshed(
            [plain.only(wanted.global_ids[i]) for i in openings], wanted.take(openings)
        )
        place = {i: k for k, i in enumerate(openings)}
        shift = found.origin - meshed.origin
        parts = []
        for i in range(len(wanted)):
            vertices, faces = found.meshes.mesh(place[i]) if i in place else meshed.meshes.mesh(i)
            parts.append((vertices + shift if i in place else vertices, faces))
            if i in place and len(faces):
                meshed.failures.pop(i, None)
        meshed.meshes = MeshSet.from_meshes(parts, closed=False)


class _Table:
    """The columns ifcfast gives, found by GlobalId."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self.columns = columns
        self._row: dict[str, int | None] = {}
        for row, global_id in enumerate(columns["guid"]):
            # Several meshes of one GlobalId cannot be told apart: nobody gets them.
            self._row[global_id] = None if global_id in self._row else row

    def only(self, global_id: str) -> int | None:
        """The row of a GlobalId, None if there is none or if there are several."""
        return self._row.get(global_id)

    def same(self, row: int, other: _Table, other_row: int) -> bool:
        """True if both tables have the same triangles in the two rows."""
        return all(
            self.columns[c][row] == other.columns[c][other_row] for c in ("vertices", "indices")
        )

    def meshed(self, rows: list[int | None], wanted: Wanted) -> Meshed:
        """The rows as meshes in double precision about the shift."""
        repeated = _repeated(wanted.global_ids)
        chosen = [None if wanted.global_ids[i] in repeated else r for i, r in enumerate(rows)]
        vertices, indices = self.columns["vertices"], self.columns["indices"]
        points = b"".join(vertices[r] for r in chosen if r is not None)
        corners = b"".join(indices[r] for r in chosen if r is not None)
        counts = self.columns["vertex_count"], self.columns["triangle_count"]
        offsets = [
            np.cumsum([0, *(0 if r is None else c[r] for r in chosen)], dtype=np.int64)
            for c in counts
        ]
        single = np.frombuffer(points, np.float32).reshape(-1, 3)
        meshes = MeshSet(
            single.astype(np.float64),
            np.frombuffer(corners, np.uint32).reshape(-1, 3).astype(np.int32),
            offsets[0],
            offsets[1],
            np.zeros(len(rows), np.bool_),
        )
        return Meshed(
            meshes,
            np.array(self.columns["global_shift"], np.float64),
            failures={
                i: "the fast mesher gave no mesh that is certainly this element's"
                for i, r in enumerate(chosen)
                if r is None
            },
            resolution=_rounding(single),
        )


def _extract(source: Source, *, cut_openings: bool) -> dict[str, Any]:
    """The whole file, made once for all who ask for parts of it."""
    key = (FastMesher.name, cut_openings)
    if key in source.whole:
        known: dict[str, Any] = source.whole[key]
        return known
    try:
        columns: dict[str, Any] = _native().extract_meshes(str(source.path), cut_openings)
    except BaseException as error:
        # A panic of the Rust code arrives as a BaseException of its own.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise ComputeError(
                "the fast mesher could not read the model", detail=repr(error)
            ) from error
        raise
    source.whole[key] = columns
    return columns


def _rounding(single: npt.NDArray[np.float32]) -> float:
    """The largest error of a coordinate by rounding to single precision, metres."""
    if not len(single):
        return 0.0
    largest = np.nanmax(np.abs(single[np.isfinite(single).all(axis=1)]), initial=0.0)
    return float(np.spacing(np.float32(largest))) / 2


def _repeated(global_ids: tuple[str, ...]) -> set[str]:
    seen: set[str] = set()
    return {g for g in global_ids if g in seen or seen.add(g)}  # type: ignore[func-returns-value]


def _with_clippings(source: Source, wanted: Wanted) -> list[int]:
    from ifcbase.ifc.meshing.shapes import ShapeReader

    shapes = ShapeReader(source)
    return [i for i, step in enumerate(wanted.step_ids) if shapes.read(int(step)).booleans]
