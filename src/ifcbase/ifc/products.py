"""Reading the products of an open model: the part of the inventory that touches native code."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import ifcopenshell.util.unit

if TYPE_CHECKING:
    import ifcopenshell

#: Identifiers and types of representations that no solid or surface can be made of.
FLAT_IDENTIFIERS = frozenset(
    {"annotation", "axis", "box", "cog", "footprint", "lighting", "plan", "profile", "note"}
)
FLAT_TYPES = frozenset(
    {
        "annotation2d",
        "boundingbox",
        "curve",
        "curve2d",
        "curve3d",
        "geometriccurveset",
        "lightsource",
        "point",
        "pointcloud",
        "segment",
        "text",
    }
)
#: No sane model nests things deeper.
DEEPEST = 100


class ProductRow(NamedTuple):
    """What a file says about one product, unchecked."""

    step_id: int
    global_id: str | None
    ifc_class: str
    name: str | None
    tag: str | None
    storey: str | None
    has_representation: bool
    physical: bool


def read_products(file: ifcopenshell.file) -> tuple[float, list[ProductRow]]:
    """Metres per length unit, and a row for every IfcProduct that is not a port."""
    storeys = _Storeys(file)
    rows = []
    for product in file.by_type("IfcProduct"):
        if product.is_a("IfcPort"):
            continue
        rows.append(
            ProductRow(
                step_id=product.id(),
                global_id=product.GlobalId,
                ifc_class=product.is_a(),
                name=product.Name,
                tag=getattr(product, "Tag", None),
                storey=storeys.of(product.id()),
                has_representation=has_body(product),
                physical=is_physical(product),
            )
        )
    return unit_scale(file), rows


def is_physical(product: ifcopenshell.entity_instance) -> bool:
    """True for what "all elements" means: an IfcElement that is no opening or other feature."""
    return bool(product.is_a("IfcElement") and not product.is_a("IfcFeatureElement"))


def unit_scale(file: ifcopenshell.file) -> float:
    """Metres per length unit of the model; 1.0 where the model names no unit."""
    scale = ifcopenshell.util.unit.calculate_unit_scale(file) if file.by_type("IfcProject") else 1.0
    return float(scale) if scale and scale > 0 else 1.0


def has_body(product: ifcopenshell.entity_instance) -> bool:
    """True if a solid or a surface could be made of one of the product's representations."""
    shape = product.Representation
    if shape is None:
        return False
    return any(_is_body(representation) for representation in shape.Representations or ())


def _is_body(representation: ifcopenshell.entity_instance) -> bool:
    identifier = (representation.RepresentationIdentifier or "").lower()
    if identifier in FLAT_IDENTIFIERS:
        return False
    kind = (representation.RepresentationType or "").lower()
    if kind in FLAT_TYPES or not representation.is_a("IfcShapeModel"):
        return False
    context = representation.ContextOfItems
    # Some exporters put solids into the plan's context: what is called a body is one.
    in_plan = context is not None and (context.ContextType or "").lower() == "plan"
    if in_plan and identifier != "body":
        return False
    items = representation.Items
    if kind == "geometricset":
        return any(
            not part.is_a("IfcCurve") and not part.is_a("IfcPoint")
            for item in items
            if item.is_a("IfcGeometricSet")
            for part in item.Elements
        )
    return bool(items)


class _Storeys:
    """Names of containing storeys, found once over relations instead of once per element."""

    def __init__(self, file: ifcopenshell.file) -> None:
        self._parent: dict[int, int] = {}
        # Containment first: an element says where it is more directly than its whole does.
        for relation, whole, parts in (
            ("IfcRelContainedInSpatialStructure", "RelatingStructure", "RelatedElements"),
            ("IfcRelAggregates", "RelatingObject", "RelatedObjects"),
            ("IfcRelNests", "RelatingObject", "RelatedObjects"),
            ("IfcRelFillsElement", "RelatingOpeningElement", "RelatedBuildingElement"),
            ("IfcRelVoidsElement", "RelatingBuildingElement", "RelatedOpeningElement"),
        ):
            for each in file.by_type(relation):
                above, below = getattr(each, whole), getattr(each, parts)
                if above is None or below is None:
                    continue
                for part in below if isinstance(below, tuple) else (below,):
                    self._parent.setdefault(part.id(), above.id())
        self._name: dict[int, str | None] = {
            storey.id(): storey.Name for storey in file.by_type("IfcBuildingStorey")
        }

    def of(self, step_id: int) -> str | None:
        """The name of the storey an element is, is in, or is a part of something in."""
        at: int | None = step_id
        for _ in range(DEEPEST):  # relations of a broken model can form a circle
            if at is None:
                return None
            if at in self._name:
                return self._name[at]
            at = self._parent.get(at)
        return None
