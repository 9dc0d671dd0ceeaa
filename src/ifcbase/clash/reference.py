"""Detection by IfcOpenShell's own tree, as ifcclash does it, guarded where it crashes or loses.

Two calls of the library crash the process or raise nonsense and are never made: an iterator over
nothing, and a clash of an empty group.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import ifcopenshell
import ifcopenshell.geom
import numpy as np

from ifcbase.clash.engine import Contacts, LoadedModel, Members, ModelFile, nothing_read
from ifcbase.clash.report import IntArray, Kind, LeftOut, Measured
from ifcbase.clash.request import ClashSet, Mode
from ifcbase.errors import ComputeError, IfcbaseError
from ifcbase.ifc.reading import ReadModel, read_model
from ifcbase.ifc.traits import read_signatures
from ifcbase.progress import Progress

KERNEL = "opencascade"
TREE = "opencascade.trianglebvh"
#: Metres; triangles of round things are at most a millimetre off. The tree places the shapes in
#: the world itself: rounding them there twice moved borderline pairs (3 of 70 in a real model).
SETTINGS = {
    "use-world-coords": False,
    "weld-vertices": True,
    "mesher-linear-deflection": 0.001,
    "mesher-angular-deflection": 0.5,
}
MEASURE_VERSION = "ifcopenshell-tree-1"

#: The tree's numbers for kinds of contact.
_KINDS = (Kind.PROTRUSION, Kind.PIERCE, Kind.COLLISION, Kind.CLEARANCE)


class ReferenceEngine:
    """One tree holds the shapes of all models; it tells equal ids of two files apart."""

    def __init__(self, *, sign: bool = False) -> None:
        self._sign = sign
        self._tree = ifcopenshell.geom.tree(backend=TREE)
        self._models: list[LoadedModel] = []
        self._files: list[ifcopenshell.file | None] = []
        # The tree refers to the elements it was given; they must outlive it.
        self._alive: list[Any] = []
        self._at: dict[int, tuple[int, int]] = {}

    @property
    def repeatable(self) -> bool:
        """Nothing of it is kept: it is there to compare with."""
        return False

    def load(self, files: Sequence[ModelFile], progress: Progress) -> list[LoadedModel]:
        for number, each in enumerate(files):
            progress("reading", number / (10 * len(files)), each.name)
            file: ifcopenshell.file | None = None
            try:
                model, file = read_model(each.path, each.sha256, each.selections)
                signed = read_signatures(file, model.inventory, each.path) if self._sign else None
                self._models.append(LoadedModel(model, signatures=signed))
            except IfcbaseError as error:
                self._models.append(LoadedModel(nothing_read(each.selections), failure=error))
            self._files.append(file)
        total = max(1, sum(len(one.model.union()) for one in self._models))
        done = 0
        for number, (one, file) in enumerate(zip(self._models, self._files, strict=True)):
            if file is None:
                continue
            indexes = one.model.union()
            shaped: set[int] = set()
            for index, element in _shapes(file, one.model, indexes):
                shaped.add(index)
                self._tree.add_element(element)
                self._alive.append(element)
                self._at[file.by_id(element.id).identity()] = (number, index)
                progress("meshing", 0.1 + 0.9 * (done + len(shaped)) / total, files[number].name)
            done += len(indexes)
            missing = np.setdiff1d(indexes, np.fromiter(shaped, np.int64, len(shaped)))
            one.left_out = _reasons(file, one.model, missing.astype(np.int32))
        return self._models

    def find(self, clash_set: ClashSet, a: Members, b: Members) -> Contacts:
        group_a, group_b = self._instances(a), self._instances(b)
        if not group_a or not group_b:
            raise ComputeError("a clash of nothing was asked for", detail=clash_set.name)
        touching = 0
        if clash_set.mode is Mode.INTERSECTION:
            found = self._tree.clash_intersection_many(
                group_a, group_b, tolerance=clash_set.tolerance, check_all=clash_set.check_all
            )
        elif clash_set.mode is Mode.CLEARANCE:
            found = self._tree.clash_clearance_many(
                group_a, group_b, clearance=clash_set.clearance, check_all=clash_set.check_all
            )
        else:
            crossing = self._tree.clash_collision_many(group_a, group_b, allow_touching=False)
            with_touch = self._tree.clash_collision_many(group_a, group_b, allow_touching=True)
            touching = len(self._pairs(with_touch) - self._pairs(crossing))
            found = with_touch if clash_set.allow_touching else crossing
        return self._contacts(found, touching)

    def describe(self) -> dict[str, Any]:
        return {
            "name": "reference",
            "mesher": "ifcopenshell",
            "kernel": KERNEL,
            "tree": TREE,
            "versions": {"ifcopenshell": version("ifcopenshell"), "numpy": version("numpy")},
            "settings": dict(SETTINGS),
            "measure_version": MEASURE_VERSION,
        }

    def _instances(self, members: Members) -> list[Any]:
        pairs = zip(members.model.tolist(), members.element.tolist(), strict=True)
        instances = []
        for m, e in pairs:
            file = self._files[m]
            if file is None:
                raise ComputeError("an element without a shape was to be tested")
            instances.append(file.by_id(self._models[m].model.inventory.elements[e].step_id))
        return instances

    def _pairs(self, found: Sequence[Any]) -> set[frozenset[int]]:
        return {frozenset((each.a.identity(), each.b.identity())) for each in found}

    def _contacts(self, found: Sequence[Any], touching: int) -> Contacts:
        at = [(self._at[each.a.identity()], self._at[each.b.identity()]) for each in found]
        where = np.array(at, np.int32).reshape(-1, 4)
        size = len(found)
        distance = np.fromiter((each.distance for each in found), np.float64, size)
        kind = np.fromiter((_KINDS[each.clash_type] for each in found), np.uint8, size)
        # The tree says 0.0 for collisions, in every mode: that is no depth.
        measured = np.where(kind == Kind.COLLISION, Measured.NONE, Measured.REFERENCE)
        return Contacts(
            x_model=where[:, 0],
            x=where[:, 1],
            y_model=where[:, 2],
            y=where[:, 3],
            kind=kind,
            distance=distance,
            measured=measured.astype(np.uint8),
            p_x=np.array([list(each.p1) for each in found], np.float64).reshape(-1, 3),
            p_y=np.array([list(each.p2) for each in found], np.float64).reshape(-1, 3),
            touching=touching,
        )


def _shapes(file: ifcopenshell.file, model: ReadModel, indexes: IntArray, **settings: bool) -> Any:
    """(inventory index, shape) for each of the elements of which triangles can be made."""
    elements = [file.by_id(model.inventory.elements[i].step_id) for i in indexes.tolist()]
    if not elements:
        return
    options = ifcopenshell.geom.settings()
    for name, value in SETTINGS.items():
        options.set(name, value)
    for name, value in settings.items():
        options.set(name.replace("_", "-"), value)
    # What the kernel says goes to memory, not to the terminal of whoever runs the check.
    log = ifcopenshell.ifcopenshell_wrapper.logger()
    log.output_format(log.FMT_INMEMORY)
    log.verbosity(log.LOG_ERROR)
    iterator = ifcopenshell.geom.iterator(
        options, file, 1, include=elements, geometry_library=KERNEL, logger=log
    )
    if not iterator.initialize():
        return
    while True:
        element = iterator.get()
        if len(element.geometry.faces):
            yield model.inventory.index_of(element.id), element
        if not iterator.next():
            return


def _reasons(file: ifcopenshell.file, model: ReadModel, missing: IntArray) -> dict[int, LeftOut]:
    """Why elements have no shape: nothing to mesh, consumed by their openings, or a failure."""
    reasons: dict[int, LeftOut] = {}
    cut = set(model.relations.host.tolist())
    suspects = []
    for index in missing.tolist():
        if not model.inventory.elements[index].has_representation:
            reasons[index] = LeftOut.NO_REPRESENTATION
            continue
        reasons[index] = LeftOut.NO_GEOMETRY
        if index in cut:
            suspects.append(index)
    uncut = _shapes(file, model, np.array(suspects, np.int32), disable_opening_subtractions=True)
    for index, _ in uncut:
        reasons[index] = LeftOut.EMPTY
    return reasons
