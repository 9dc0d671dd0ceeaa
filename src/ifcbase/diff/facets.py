"""What can change of an element, and the names by which clients ask for it."""

from __future__ import annotations

from enum import StrEnum


class Facet(StrEnum):
    """One side of an element; ADDED and DELETED are the whole of it."""

    ADDED = "added"
    DELETED = "deleted"
    CLASS = "class"
    ATTRIBUTES = "attributes"
    PLACEMENT = "placement"
    GEOMETRY = "geometry"
    TYPE = "type"
    PROPERTY = "property"
    QUANTITY = "quantity"
    CONTAINER = "container"
    AGGREGATE = "aggregate"
    CLASSIFICATION = "classification"
    MATERIAL = "material"


class Relationship(StrEnum):
    """What a request can select: the names existing clients send, and material."""

    ATTRIBUTES = "attributes"
    GEOMETRY = "geometry"
    TYPE = "type"
    PROPERTY = "property"
    CONTAINER = "container"
    AGGREGATE = "aggregate"
    CLASSIFICATION = "classification"
    MATERIAL = "material"


#: A class is what an element is: whoever compares anything compares it. A moved element is a
#: changed geometry to those who ask for geometry; quantities are properties to those who ask.
FACETS_OF: dict[Relationship, tuple[Facet, ...]] = {
    Relationship.ATTRIBUTES: (Facet.ATTRIBUTES,),
    Relationship.GEOMETRY: (Facet.PLACEMENT, Facet.GEOMETRY),
    Relationship.TYPE: (Facet.TYPE,),
    Relationship.PROPERTY: (Facet.PROPERTY, Facet.QUANTITY),
    Relationship.CONTAINER: (Facet.CONTAINER,),
    Relationship.AGGREGATE: (Facet.AGGREGATE,),
    Relationship.CLASSIFICATION: (Facet.CLASSIFICATION,),
    Relationship.MATERIAL: (Facet.MATERIAL,),
}

#: The key that a changed facet has in the report for clients.
CLIENT_KEYS: dict[Facet, str] = {
    Facet.CLASS: "class_changed",
    Facet.ATTRIBUTES: "attributes_changed",
    Facet.PLACEMENT: "placement_changed",
    Facet.GEOMETRY: "geometry_changed",
    Facet.TYPE: "type_changed",
    Facet.PROPERTY: "properties_changed",
    Facet.QUANTITY: "quantities_changed",
    Facet.CONTAINER: "container_changed",
    Facet.AGGREGATE: "aggregate_changed",
    Facet.CLASSIFICATION: "classification_changed",
    Facet.MATERIAL: "material_changed",
}


def facets_of(relationships: tuple[Relationship, ...]) -> frozenset[Facet]:
    """The facets that the relationships select; the class is always among them."""
    chosen = {facet for each in relationships for facet in FACETS_OF[each]}
    return frozenset({Facet.CLASS, *chosen})
