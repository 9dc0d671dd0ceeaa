"""The thorough meshers: IfcOpenShell's iterator with its hybrid or its OpenCASCADE kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.ifc.meshing.mesher import Meshed, Source, Wanted, assemble
from ifcbase.ifc.versions import installed

#: Settings that decide the result; they are part of the cache key.
SETTINGS: dict[str, Any] = {"use-world-coords": True, "no-normals": True}


class GeometryLibraryMesher:
    """One kernel of IfcOpenShell; double precision, only the wanted elements."""

    def __init__(self, name: str, kernel: str, *, openings: bool = True) -> None:
        self.name = name
        self.kernel = kernel
        self._openings = openings

    def without_openings(self) -> GeometryLibraryMesher:
        """The same, leaving openings uncut."""
        return GeometryLibraryMesher(self.name, self.kernel, openings=False)

    @property
    def version(self) -> str:
        return f"ifcopenshell {installed('ifcopenshell')} {self.kernel}"

    def mesh(self, source: Source, wanted: Wanted) -> Meshed:
        """Mesh the wanted elements; what the iterator leaves out is a failure with its log line."""
        import ifcopenshell
        import ifcopenshell.geom

        ifcopenshell.get_log()  # what others left there is not about these elements
        settings = ifcopenshell.geom.settings()
        for key, value in SETTINGS.items():
            settings.set(key, value)
        if not self._openings:
            settings.set("disable-opening-subtractions", True)
        row = {int(step): i for i, step in enumerate(wanted.step_ids)}
        found: list[list[tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]]]
        found = [[] for _ in range(len(wanted))]
        if row:  # an empty include list would mesh the whole file
            iterator = ifcopenshell.geom.iterator(
                settings,
                source.model,
                1,
                include=[source.model.by_id(step) for step in row],
                geometry_library=self.kernel,
            )
            more = iterator.initialize()
            while more:
                shape = iterator.get()
                if shape.id in row:
                    found[row[shape.id]].append(_arrays(shape.geometry))
                more = bool(iterator.next())
        log = ifcopenshell.get_log()
        meshes = assemble([_join(parts) for parts in found])
        origin = _corner(meshes.vertices)
        meshes.vertices -= origin
        return Meshed(
            meshes,
            origin,
            failures={
                i: self._reason(log, wanted, i)
                for i in np.flatnonzero(np.diff(meshes.face_offset) == 0).tolist()
            },
        )

    def _reason(self, log: str, wanted: Wanted, i: int) -> str:
        """What the library's log says about an element, in one line."""
        marks = (wanted.global_ids[i], f"#{wanted.step_ids[i]}=", f'"#{wanted.step_ids[i]}"')
        for line in reversed(log.splitlines()):
            if any(mark in line for mark in marks):
                return f"{self.name}: {line.strip()[:300]}"
        return f"{self.name}: no triangles and no reason given"


def hybrid() -> GeometryLibraryMesher:
    """CGAL's simple kernel where it can, else OpenCASCADE."""
    return GeometryLibraryMesher("hybrid", "hybrid-cgal-simple-opencascade")


def opencascade() -> GeometryLibraryMesher:
    """The kernel whose result is taken when all meshers disagree."""
    return GeometryLibraryMesher("opencascade", "opencascade")


def _arrays(geometry: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    return (
        np.frombuffer(geometry.verts_buffer, np.float64).reshape(-1, 3).copy(),
        np.frombuffer(geometry.faces_buffer, np.int32).reshape(-1, 3).copy(),
    )


def _join(
    parts: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]] | None:
    """An element of several representations comes as several shapes."""
    if not parts:
        return None
    shift = np.cumsum([0, *(len(v) for v, _ in parts[:-1])])
    return (
        np.concatenate([v for v, _ in parts]),
        np.concatenate([f + np.int32(s) for (_, f), s in zip(parts, shift, strict=True)]),
    )


def _corner(vertices: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A whole-metre point near the meshes, so that subtracting it loses nothing."""
    finite = vertices[np.isfinite(vertices).all(axis=1)]
    if not len(finite):
        return np.zeros(3)
    return np.asarray(np.rint(np.median(finite, axis=0)) + 0.0)
