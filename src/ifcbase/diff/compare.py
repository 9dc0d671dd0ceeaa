"""Compare two versions of a model: files in, report out."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ifcbase.diff.content import Content
from ifcbase.diff.facets import Facet, facets_of
from ifcbase.diff.facetwork import FacetWork
from ifcbase.diff.pairing import Pairing, by_content, by_id, scope_of
from ifcbase.diff.report import Change, DiffReport, FileReport, Unjudged
from ifcbase.diff.request import DiffRequest
from ifcbase.diff.shapes import Judged, far, judge_shapes
from ifcbase.diff.values import same
from ifcbase.errors import FileMissing
from ifcbase.ifc.inventory import read_inventory
from ifcbase.ifc.mesh_cache import MeshCache
from ifcbase.ifc.meshing.build import default_meshers, engine_facts
from ifcbase.ifc.opening import check_file, open_model
from ifcbase.ifc.selectors import unknown_classes
from ifcbase.ifc.signatures import Signatures
from ifcbase.ifc.signing import kept_signatures
from ifcbase.progress import Progress, silent

#: Raised whenever the same two files may give another report than before.
DIFF_VERSION = 1
#: Shares of the whole work that are over, roughly.
_READ, _MATCHED, _VALUES = 0.35, 0.5, 0.65
#: So many elements moved alike are a moved model, not moved elements.
MANY = 10


def compare(
    request: DiffRequest,
    files: Mapping[str, Path],
    *,
    signed: bool = False,
    mesh_cache: MeshCache | None = None,
    stage: Path | None = None,
    isolated: bool = False,
    progress: Progress = silent,
) -> DiffReport:
    """The difference of the request's two files; ``files`` says where each of them lies.

    With ``signed`` the report holds both files' signatures, as the ledger keeps them. New cache
    entries lie in ``stage``; ``isolated`` as ``judge_shapes`` has it. Raises FileMissing, NotIfc, SelectorInvalid and their like.
    """
    old, new = _open_both(request, files, progress)
    work = _Work(request, old, new, signed, mesh_cache, stage, isolated, progress)
    work.pair()
    work.compare_values()
    work.compare_shapes()
    return work.report()


def _open_both(
    request: DiffRequest, files: Mapping[str, Path], progress: Progress
) -> tuple[Content, Content]:
    names = (request.old_file, request.new_file)
    facts = []
    for name in names:  # both are checked before the first is parsed: fail early
        if name not in files:
            raise FileMissing(f"{name} was not given")
        facts.append(check_file(files[name]))
    found: list[Content] = []
    for number, (name, fact) in enumerate(zip(names, facts, strict=True)):
        progress("reading", _READ * number / 2, name)
        if found and fact.sha256 == facts[0].sha256:
            found.append(found[0])
            continue
        file = open_model(fact.path, fact)
        found.append(Content(fact, file, read_inventory(file)))
    return found[0], found[1]


class _Work:
    """One comparison while it runs."""

    def __init__(
        self,
        request: DiffRequest,
        old: Content,
        new: Content,
        signed: bool,
        cache: MeshCache | None,
        stage: Path | None,
        isolated: bool,
        progress: Progress,
    ) -> None:
        self.request = request
        self.old, self.new = old, new
        self.progress = progress
        self.signed = signed
        self.cache, self.stage, self.isolated = cache, stage, isolated
        self.facets = facets_of(request.relationships)
        self.changes: list[Change] = []
        self.unjudged: list[Unjudged] = []
        self.warnings: list[str] = []
        self.moves: list[np.ndarray[Any, np.dtype[np.float64]]] = []
        self.signatures: tuple[Signatures, Signatures] | None = None

    # --- who is who ----------------------------------------------------------------------------

    def pair(self) -> None:
        """Pair the elements of both files and leave out what is not to be compared."""
        self.progress("matching", _READ)
        selector = self.request.filter_elements
        scopes = scope_of(self.old, selector), scope_of(self.new, selector)
        self.selected = tuple(map(len, scopes))
        both, gone, appeared = by_id(self.old, self.new)
        found = Pairing(both, [], [])
        if self.signed or (gone and appeared):
            self.signatures = self._sign()
        if gone and appeared and self.signatures is not None:
            found.reidentified, found.doubtful = by_content(*self.signatures, gone, appeared)
        again = [(each.old, each.new) for each in found.reidentified]
        self.new_of = dict([*both, *again])
        taken = {j for _, j in again} | {d.new for d in found.doubtful if d.new is not None}
        lost = {i for i, _ in again} | {d.old for d in found.doubtful}

        def in_scope(i: int | None, j: int | None) -> bool:
            return (i is not None and i in scopes[0]) or (j is not None and j in scopes[1])

        found.both = sorted(pair for pair in [*both, *again] if in_scope(*pair))
        found.reidentified = [r for r in found.reidentified if in_scope(r.old, r.new)]
        found.doubtful = [d for d in found.doubtful if in_scope(d.old, d.new)]
        found.deleted = [i for i in gone if i not in lost and i in scopes[0]]
        found.added = [j for j in appeared if j not in taken and j in scopes[1]]
        self.pairing = found
        self._warn_of_scope(scopes)
        for i in found.deleted:
            self.changes.append(Change(Facet.DELETED, i, None, self._told(self.old, i), {}))
        for j in found.added:
            self.changes.append(Change(Facet.ADDED, None, j, {}, self._told(self.new, j)))

    def _sign(self) -> tuple[Signatures, Signatures]:
        def of(content: Content) -> Signatures:
            return kept_signatures(
                content.file, content.inventory, content.facts, self.cache, self.stage
            )

        one = of(self.old)
        return one, one if self.new is self.old else of(self.new)

    @staticmethod
    def _told(content: Content, index: int) -> dict[str, Any]:
        element = content.inventory.elements[index]
        return {"class": element.ifc_class, "name": element.name, "storey": element.storey}

    def _warn_of_scope(self, scopes: tuple[set[int], set[int]]) -> None:
        selector = self.request.filter_elements
        for word, content, scope in zip(("old", "new"), (self.old, self.new), scopes, strict=True):
            if selector:
                for name in unknown_classes(content.inventory.schema, selector):
                    self.warnings.append(
                        f"{word} model: {name} is not a class of {content.inventory.schema}, "
                        "so that part of the selector matches nothing"
                    )
            if not scope:
                why = f"the selector {selector!r} leaves" if selector else "it has"
                self.warnings.append(f"{word} model: {why} no element to compare")
        if self.old.facts.sha256 == self.new.facts.sha256:
            self.warnings.append("both files are the same, byte for byte")
        where = self.old.georeference(), self.new.georeference()
        if None not in where and not same(*where):
            self.warnings.append(
                "the models say differently where their origin lies in the world "
                "(IfcMapConversion); places are compared in the models' own coordinates"
            )
        if self.old.inventory.schema != self.new.inventory.schema:
            self.warnings.append(
                f"the schemas differ ({self.old.inventory.schema} and "
                f"{self.new.inventory.schema}): what only one of them has is not compared"
            )

    # --- values --------------------------------------------------------------------------------

    def compare_values(self) -> None:
        """Compare everything that is not place or shape, and find out which shapes to look at."""
        self.facetwork = FacetWork(self.old, self.new, self.new_of)
        chosen = [f for f in Facet if f in self.facets and f not in _BY_SHAPE]
        self.suspects: list[tuple[int, int]] = []
        self.shaped = 0
        if self.new is self.old:
            return
        total = max(1, len(self.pairing.both))
        for number, (i, j) in enumerate(self.pairing.both):
            if number % 500 == 0:
                share = _MATCHED + (_VALUES - _MATCHED) * number / total
                self.progress("comparing values", share)
            for facet in chosen:
                difference = self.facetwork.compare(facet, i, j)
                if difference is not None:
                    self.changes.append(Change(facet, i, j, *difference))
            if Facet.GEOMETRY in self.facets:
                self._look_at_shape(i, j)

    def _look_at_shape(self, i: int, j: int) -> None:
        """Settle what placements and texts can settle of place and shape; meshes do the rest."""
        one, other = self.old.inventory.elements[i], self.new.inventory.elements[j]
        self.shaped += one.has_representation or other.has_representation
        before, after = self.old.described(one.step_id), self.new.described(other.step_id)
        alike = self.facetwork.alike
        same_place = alike and _proven(before[1], after[1])
        same_shape = alike and _proven(
            self.old.shape_digest(one.step_id), self.new.shape_digest(other.step_id)
        )
        if same_place and same_shape:
            return
        if one.has_representation and other.has_representation and not same_shape:
            self.suspects.append((i, j))
        elif one.has_representation != other.has_representation:
            words = {True: "a body", False: "none"}
            self.changes.append(
                Change(
                    Facet.GEOMETRY, i, j, {"shape": words[one.has_representation]},
                    {"shape": words[other.has_representation]},
                )
            )  # fmt: skip
            self._compare_places(i, j)
        elif not same_place:
            self._compare_places(i, j)

    def _compare_places(self, i: int, j: int) -> None:
        """Compare two placements; the shapes are the same, or there are none."""
        one, other = self.old.inventory.elements[i], self.new.inventory.elements[j]
        before, after = self.old.matrix(one.step_id), self.new.matrix(other.step_id)
        if before is not None and after is not None:
            if far(before, after, self.request.tolerance):
                self._moved(i, j, after[:3, 3] - before[:3, 3])
            return
        placed = [
            getattr(content.file.by_id(element.step_id), "ObjectPlacement", None) is not None
            for content, element in ((self.old, one), (self.new, other))
        ]
        if any(placed) and (before is None) != (after is None) and not all(placed):
            words = {True: "placed", False: "not placed"}
            self.changes.append(
                Change(Facet.PLACEMENT, i, j, {"placement": words[placed[0]]},
                       {"placement": words[placed[1]]})
            )  # fmt: skip
        elif all(placed):
            reason = "its placement is of a kind that is not read (on a grid or an alignment)"
            self.unjudged.append(Unjudged(Facet.PLACEMENT, i, j, reason))

    # --- shapes --------------------------------------------------------------------------------

    def compare_shapes(self) -> None:
        """Compare the shapes that texts could not prove to be equal."""

        def meshing(phase: str, fraction: float, note: str = "") -> None:
            self.progress(phase, _VALUES + (1 - _VALUES) * fraction, note)

        found = judge_shapes(
            self.old, self.new, self.suspects, self.request.tolerance,
            cache=self.cache, stage=self.stage, isolated=self.isolated,
            progress=meshing,
        )  # fmt: skip
        for (i, j), judged in zip(self.suspects, found, strict=True):
            self._settle(i, j, judged)
        if len(self.moves) >= MANY:
            moves = np.array(self.moves)
            if np.ptp(moves, axis=0).max() <= self.request.tolerance:
                x, y, z = moves.mean(axis=0)
                self.warnings.append(
                    f"all {len(moves)} moved elements moved alike, by ({x:g}, {y:g}, {z:g}) m: "
                    "perhaps the model was given another origin"
                )

    def _settle(self, i: int, j: int, judged: Judged) -> None:
        if judged.reason is not None:
            self.unjudged.append(Unjudged(Facet.GEOMETRY, i, j, judged.reason))
        elif judged.moved is not None:
            self._moved(i, j, judged.moved)
        elif judged.reshaped:
            after = dict(judged.after or {})
            if judged.apart:
                after["apart"] = round(judged.apart, 6)
            self.changes.append(Change(Facet.GEOMETRY, i, j, dict(judged.before or {}), after))
            self._compare_places(i, j)

    def _moved(self, i: int, j: int, by: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        one, other = self.old.inventory.elements[i], self.new.inventory.elements[j]
        before, after = self.old.matrix(one.step_id), self.new.matrix(other.step_id)
        told: list[dict[str, Any]] = [{}, {}]
        for side, matrix in zip(told, (before, after), strict=True):
            if matrix is not None:
                side["location"] = [round(float(v), 6) for v in matrix[:3, 3]]
        told[1]["moved_by"] = [round(float(v), 6) for v in by]
        if before is not None and after is not None:
            turn = before[:3, :3].T @ after[:3, :3]
            angle = float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))
            if angle > 1e-3:
                told[1]["turned"] = round(angle, 4)
        self.moves.append(by)
        self.changes.append(Change(Facet.PLACEMENT, i, j, *told))

    # --- the end -------------------------------------------------------------------------------

    def report(self) -> DiffReport:
        self.progress("comparing shapes", 1.0)
        order = list(Facet)
        self.changes.sort(key=lambda c: (order.index(c.facet) > 1, c.new is None, c.new or 0,
                                         c.old or 0, order.index(c.facet)))  # fmt: skip
        signatures = (self.signatures if self.signed else None) or (None, None)
        sides = [
            FileReport(name, content.facts.sha256, content.inventory, count, signed)
            for name, content, count, signed in zip(
                (self.request.old_file, self.request.new_file),
                (self.old, self.new), self.selected, signatures, strict=True,
            )
        ]  # fmt: skip
        return DiffReport(
            request=self.request,
            old=sides[0],
            new=sides[1],
            compared=len(self.pairing.both),
            shaped=self.shaped,
            changes=self.changes,
            reidentified=self.pairing.reidentified,
            doubtful=self.pairing.doubtful,
            unjudged=self.unjudged,
            warnings=self.warnings,
            engine={
                "diff": DIFF_VERSION,
                "ifcopenshell": version("ifcopenshell"),
                "meshing": engine_facts(default_meshers()),
                "tolerance": self.request.tolerance,
            },
        )


_BY_SHAPE = frozenset({Facet.ADDED, Facet.DELETED, Facet.PLACEMENT, Facet.GEOMETRY})


def _proven(one: bytes | None, other: bytes | None) -> bool:
    return one is not None and one == other
