"""Facets of one element in both files, compared: digests first, values where those differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ifcbase.diff.content import Content, Reference
from ifcbase.diff.facets import Facet
from ifcbase.diff.values import Plain, same

#: Before and after by name; None where nothing changed.
Difference = tuple[dict[str, Any], dict[str, Any]] | None


class FacetWork:
    """Two open models; ``new_of`` maps inventory indexes of the old one to the new one's.

    ``alike`` says that equal texts of both files mean the same: one schema, one set of units.
    """

    def __init__(self, old: Content, new: Content, new_of: Mapping[int, int]) -> None:
        self.old, self.new, self.new_of = old, new, new_of
        one, other = old, new
        self.same_schema = one.inventory.schema == other.inventory.schema
        self.alike = self.same_schema and one.values.scales == other.values.scales
        self._types_in_both = one.types() & other.types()
        self._taken = frozenset(self.new_of.values())

    def compare(self, facet: Facet, i: int, j: int) -> Difference:
        """The difference of a facet that is neither placement nor geometry."""
        if self._proven_equal(facet, i, j):
            return None
        match facet:
            case Facet.CLASS:
                return self._class(i, j)
            case Facet.ATTRIBUTES:
                return self._attributes(i, j)
            case Facet.PROPERTY | Facet.QUANTITY:
                return self._named(facet, i, j)
            case Facet.TYPE:
                return self._type(i, j)
            case Facet.CONTAINER:
                return self._container(i, j)
            case Facet.AGGREGATE:
                return self._aggregate(i, j)
            case Facet.CLASSIFICATION:
                return self._classification(i, j)
            case Facet.MATERIAL:
                return self._material(i, j)
        raise ValueError(f"{facet} is not compared by values")

    def _proven_equal(self, facet: Facet, i: int, j: int) -> bool:
        """Whether the texts of both files prove that nothing changed."""
        if not self.alike:
            return False
        before = self.old.digest(self._old_step(i), facet)
        return before is not None and before == self.new.digest(self._new_step(j), facet)

    # --- one by one ----------------------------------------------------------------------------

    def _class(self, i: int, j: int) -> Difference:
        one = self.old.inventory.elements[i].ifc_class
        other = self.new.inventory.elements[j].ifc_class
        return None if self._same_class(one, other) else ({"class": one}, {"class": other})

    def _same_class(self, one: str, other: str) -> bool:
        """Equal, or a name that only the other schema has for what this one calls more generally."""
        if one == other:
            return True
        if self.same_schema:
            return False
        old, new = self.old.values, self.new.values
        finer_now = not old.has_class(other) and new.is_kind_of(other, one)
        finer_then = not new.has_class(one) and old.is_kind_of(one, other)
        return finer_now or finer_then

    def _attributes(self, i: int, j: int) -> Difference:
        before = self.old.attributes(self._old_step(i))
        after = self.new.attributes(self._new_step(j))
        # What one class has no place for is not a change of value.
        names = before.keys() & after.keys()
        if not self.same_schema:
            names = {n for n in names if not self._forced(n, i, before, j, after)}
        return _named(
            {n: v for n, v in before.items() if n in names},
            {n: v for n, v in after.items() if n in names},
        )

    def _forced(
        self, name: str, i: int, before: Mapping[str, Plain], j: int, after: Mapping[str, Plain]
    ) -> bool:
        """Whether one schema demands a value that the other lets a model leave out."""
        if before[name] is None:
            needed = self.new.values.needed(self.new.inventory.elements[j].ifc_class)
        elif after[name] is None:
            needed = self.old.values.needed(self.old.inventory.elements[i].ifc_class)
        else:
            return False
        return name in needed

    def _named(self, facet: Facet, i: int, j: int) -> Difference:
        return _named(
            self.old.named(self._old_step(i), facet), self.new.named(self._new_step(j), facet)
        )

    def _type(self, i: int, j: int) -> Difference:
        one, other = self.old.type_of(self._old_step(i)), self.new.type_of(self._new_step(j))
        if one is None or other is None:
            equal = one is other
        else:
            # Ids may have been issued anew; two types that both files have are two types.
            known = {one.global_id, other.global_id} <= self._types_in_both
            # With another class an element has another class of type, and says nothing more by it.
            relabelled = one.name == other.name and self._class(i, j) is not None
            equal = relabelled or (
                self._same_label(one, other) and not (known and one.global_id != other.global_id)
            )
        return None if equal else _references("type", one, other)

    def _container(self, i: int, j: int) -> Difference:
        return self._belonging(
            "container",
            self.old.container_of(self._old_step(i)),
            self.new.container_of(self._new_step(j)),
        )

    def _aggregate(self, i: int, j: int) -> Difference:
        return self._belonging(
            "aggregate",
            self.old.whole_of(self._old_step(i)),
            self.new.whole_of(self._new_step(j)),
        )

    def _belonging(self, word: str, one: Reference | None, other: Reference | None) -> Difference:
        """Belonging to the same element is the same, also if that was renamed or got another id."""
        if one is None or other is None:
            return None if one is other else _references(word, one, other)
        before, after = _index(self.old, one), _index(self.new, other)
        if before is None or after is None:  # a project is no element, and there is one
            equal = before is after and one.ifc_class == other.ifc_class
        elif before in self.new_of:
            equal = self.new_of[before] == after
        else:
            equal = after not in self._taken and self._same_label(one, other)
        return None if equal else _references(word, one, other)

    def _classification(self, i: int, j: int) -> Difference:
        return _listed(
            "classification",
            self.old.classification(self._old_step(i)),
            self.new.classification(self._new_step(j)),
        )

    def _material(self, i: int, j: int) -> Difference:
        return _listed(
            "material",
            self.old.material(self._old_step(i)),
            self.new.material(self._new_step(j)),
        )

    def _same_label(self, one: Reference, other: Reference) -> bool:
        if (one.name or None) != (other.name or None):
            return False
        # IfcDoorStyle became IfcDoorType: across schemas the name must do.
        return one.ifc_class == other.ifc_class or not self.same_schema

    def _old_step(self, i: int) -> int:
        return self.old.inventory.elements[i].step_id

    def _new_step(self, j: int) -> int:
        return self.new.inventory.elements[j].step_id


def _index(content: Content, reference: Reference) -> int | None:
    try:
        return content.inventory.index_of(reference.step_id)
    except KeyError:  # a container or type: it is named, but no element of the inventory
        return None


def _named(before: dict[str, Plain], after: dict[str, Plain]) -> Difference:
    """What differs of two sets of named values."""
    names = [n for n in (*before, *(n for n in after if n not in before))
             if not same(before.get(n), after.get(n))]  # fmt: skip
    if not names:
        return None
    return (
        {n: before[n] for n in names if before.get(n) is not None},
        {n: after[n] for n in names if after.get(n) is not None},
    )


def _references(word: str, one: Reference | None, other: Reference | None) -> Difference:
    return (
        {} if one is None else {word: one.document()},
        {} if other is None else {word: other.document()},
    )


def _listed(word: str, before: list[Plain], after: list[Plain]) -> Difference:
    if same(before, after):
        return None
    return {word: before} if before else {}, {word: after} if after else {}
