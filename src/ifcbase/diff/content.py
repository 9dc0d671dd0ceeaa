"""What one model says of its elements, facet by facet, each shared thing read once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ifcbase.diff.facets import Facet
from ifcbase.diff.steptext import Digest, StepText
from ifcbase.diff.values import Plain, Values
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.opening import FileFacts
from ifcbase.ifc.text import clean
from ifcbase.ifc.traits import Places

if TYPE_CHECKING:
    import ifcopenshell
    from ifcopenshell import entity_instance as Entity  # noqa: N812  a type's short name

#: No sane model nests things deeper; a broken one may go in circles.
DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Reference:
    """Something an element belongs to: its step id and id, and what a person calls it."""

    step_id: int
    global_id: str | None
    ifc_class: str
    name: str | None

    def document(self) -> dict[str, Plain]:
        return {"class": self.ifc_class, "name": self.name, "global_id": self.global_id}


class Content:
    """One open model; elements are named by their step ids."""

    def __init__(self, facts: FileFacts, file: ifcopenshell.file, inventory: Inventory) -> None:
        self.facts = facts
        self.file = file
        self.inventory = inventory
        self.values = Values(file)
        self.text = StepText(Path(facts.path).read_bytes(), self.values.is_rooted)
        self._places = Places()
        self._sets: dict[int, dict[str, Plain]] = {}
        self._described: dict[int, tuple[Digest, Digest, Digest]] = {}
        self._read_relations()

    # --- digests: equal ones prove that nothing changed ---------------------------------------

    def digest(self, step_id: int, facet: Facet) -> Digest:
        """A digest of what a facet says; None where there is none to be had."""
        if facet is Facet.ATTRIBUTES:
            return self.described(step_id)[0]
        if facet in {Facet.PROPERTY, Facet.QUANTITY}:
            return self._joined(self._definitions(step_id, facet))
        if facet is Facet.CLASSIFICATION:
            return self._joined(self._classifications(step_id))
        if facet is Facet.MATERIAL:
            return self._joined(self._materials(step_id))
        return None

    def described(self, step_id: int) -> tuple[Digest, Digest, Digest]:
        """Digests of an element's attributes, placement and shape (its own, before openings)."""
        if step_id not in self._described:
            self._described[step_id] = self.text.of_element(step_id)
        return self._described[step_id]

    def shape_digest(self, step_id: int) -> Digest:
        """The digest of a shape with what is cut out of it."""
        own = self.described(step_id)[2]
        if own is None:
            return None
        parts = [own]
        for opening in self._openings_of(step_id):
            shape = self.described(opening)[2]
            place = self.text.placed_within(opening, step_id)
            if shape is None or place is None:
                return None
            parts.append(b"cut" + shape + place)
        return b"".join(sorted(parts[1:])) + own

    def _joined(self, entities: Iterable[Entity]) -> Digest:
        digests = [self.text.of(each.id()) for each in entities]
        return None if None in digests else b"".join(sorted(d for d in digests if d is not None))

    # --- facets in plain values ---------------------------------------------------------------

    def attributes(self, step_id: int) -> dict[str, Plain]:
        return self.values.attributes(self.file.by_id(step_id))

    def named(self, step_id: int, facet: Facet) -> dict[str, Plain]:
        """``Set.Name`` and value of properties or quantities; the type's where it has none."""
        kind = self._type.get(step_id)
        found: dict[str, Plain] = {}
        of_type = () if kind is None else self._chosen(kind.HasPropertySets or (), facet)
        for group in (of_type, self._chosen(self._own_sets.get(step_id, ()), facet)):
            level: dict[str, Plain] = {}
            for definition in group:
                for name, value in self._set(definition).items():
                    known = level.get(name)
                    # The same name twice: both values, in an order that no file decides.
                    level[name] = value if name not in level else _both(known, value)
            found |= level
        return found

    def type_of(self, step_id: int) -> Reference | None:
        return self._reference(self._type.get(step_id))

    def container_of(self, step_id: int) -> Reference | None:
        return self._reference(self._container.get(step_id))

    def whole_of(self, step_id: int) -> Reference | None:
        return self._reference(self._whole.get(step_id))

    def classification(self, step_id: int) -> list[Plain]:
        rows = [self._classified(each) for each in self._classifications(step_id)]
        return sorted(rows, key=repr)

    def material(self, step_id: int) -> list[Plain]:
        rows = [self.values.whole(each) for each in self._materials(step_id)]
        return sorted(rows, key=repr)

    def matrix(self, step_id: int) -> npt.NDArray[np.float64] | None:
        """The placement in world metres; None for none and for kinds that are not read."""
        matrix = self._places.of(getattr(self.file.by_id(step_id), "ObjectPlacement", None))
        if matrix is None or not np.isfinite(matrix).all():
            return None
        placed = matrix.copy()
        placed[:3, 3] *= self.inventory.unit_scale
        return placed

    def types(self) -> set[str]:
        """GlobalIds of all types."""
        return {each.GlobalId for each in self.file.by_type("IfcTypeObject")}

    def georeference(self) -> Plain:
        """Where the model says its origin is in the world, if it does."""
        if self.inventory.schema == "IFC2X3":
            return None
        found: list[Plain] = [self.values.whole(e) for e in self.file.by_type("IfcMapConversion")]
        return found

    # --- inside --------------------------------------------------------------------------------

    def _read_relations(self) -> None:
        file = self.file
        self._type = _of_each(file, "IfcRelDefinesByType", "RelatedObjects", "RelatingType")
        self._container = _of_each(
            file, "IfcRelContainedInSpatialStructure", "RelatedElements", "RelatingStructure"
        )
        self._whole = _of_each(file, "IfcRelNests", "RelatedObjects", "RelatingObject")
        self._whole |= _of_each(file, "IfcRelAggregates", "RelatedObjects", "RelatingObject")
        self._own_sets: dict[int, list[Entity]] = {}
        for relation in file.by_type("IfcRelDefinesByProperties"):
            definition = relation.RelatingPropertyDefinition
            group = definition if isinstance(definition, tuple) else (definition,)
            for thing in relation.RelatedObjects or ():
                self._own_sets.setdefault(thing.id(), []).extend(d for d in group if d is not None)
        self._associated: dict[str, dict[int, list[Entity]]] = {}
        for name in ("Material", "Classification"):
            into = self._associated.setdefault(name, {})
            for relation in file.by_type(f"IfcRelAssociates{name}"):
                related = getattr(relation, f"Relating{name}")
                for thing in relation.RelatedObjects or ():
                    if related is not None:
                        into.setdefault(thing.id(), []).append(related)
        self._openings: dict[int, list[int]] = {}
        for relation in file.by_type("IfcRelVoidsElement"):
            host, opening = relation.RelatingBuildingElement, relation.RelatedOpeningElement
            if host is not None and opening is not None:
                self._openings.setdefault(host.id(), []).append(opening.id())

    def _openings_of(self, step_id: int) -> list[int]:
        """Openings of an element and of the wholes it is a part of: both are cut from it."""
        found = list(self._openings.get(step_id, ()))
        above = self._whole.get(step_id)
        for _ in range(DEEPEST):
            if above is None or not self._openings:
                break
            found += self._openings.get(above.id(), ())
            above = self._whole.get(above.id())
        return found

    def _definitions(self, step_id: int, facet: Facet) -> list[Entity]:
        kind = self._type.get(step_id)
        of_type = () if kind is None else kind.HasPropertySets or ()
        return self._chosen((*of_type, *self._own_sets.get(step_id, ())), facet)

    @staticmethod
    def _chosen(definitions: Iterable[Entity], facet: Facet) -> list[Entity]:
        """Sets of quantities, or all others."""
        quantities = facet is Facet.QUANTITY
        return [d for d in definitions if bool(d.is_a("IfcElementQuantity")) is quantities]

    def _set(self, definition: Entity) -> dict[str, Plain]:
        key = definition.id()
        if key not in self._sets:
            title = clean(definition.Name or definition.is_a())
            found: dict[str, Plain] = {}
            for name, value in self.values.named(definition):
                full = f"{title}.{name}"
                found[full] = value if full not in found else _both(found[full], value)
            self._sets[key] = found
        return self._sets[key]

    def _classifications(self, step_id: int) -> list[Entity]:
        return self._with_type("Classification", step_id, beside=True)

    def _materials(self, step_id: int) -> list[Entity]:
        return self._with_type("Material", step_id, beside=False)

    def _with_type(self, name: str, step_id: int, *, beside: bool) -> list[Entity]:
        """What is associated with an element; with its type ``beside`` that, or instead of none."""
        own = self._associated[name].get(step_id, [])
        kind = self._type.get(step_id)
        if kind is None or (own and not beside):
            return own
        return [*own, *self._associated[name].get(kind.id(), [])]

    def _classified(self, entity: Entity) -> Plain:
        if not entity.is_a("IfcClassificationReference"):
            return self.values.whole(entity)
        source = entity.ReferencedSource
        for _ in range(DEEPEST):
            if source is None or not source.is_a("IfcClassificationReference"):
                break
            source = source.ReferencedSource
        code = getattr(entity, "Identification", None) or getattr(entity, "ItemReference", None)
        said = {"system": source.Name if source else None, "code": code, "name": entity.Name}
        return {key: clean(value) for key, value in said.items() if value}

    @staticmethod
    def _reference(entity: Entity | None) -> Reference | None:
        if entity is None:
            return None
        name = clean(entity.Name) if entity.Name else None
        return Reference(entity.id(), entity.GlobalId, entity.is_a(), name)


def _of_each(file: Any, relation: str, parts: str, whole: str) -> dict[int, Entity]:
    """For each related thing what it is related to."""
    found: dict[int, Entity] = {}
    for each in file.by_type(relation):
        above = getattr(each, whole)
        if above is not None:
            for part in getattr(each, parts) or ():
                found[part.id()] = above
    return found


def _both(one: Plain, other: Plain) -> Plain:
    many = [*(one if isinstance(one, list) else [one]), other]
    return sorted(many, key=repr)
