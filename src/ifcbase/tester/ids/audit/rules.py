"""Every audit rule: its code (lasting), its sentence, and whether it refuses the IDS."""

from __future__ import annotations

from dataclasses import dataclass

from ifcbase.tester.ids.finding import Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the audit."""

    code: str
    sentence: str
    severity: Severity = Severity.ERROR


# --- the specification as a whole ---
VERSION_MISSING = Rule("version-missing", "A specification names at least one IFC version.")
OCCURS = Rule(
    "occurs",
    "A specification is required (occurs 1 to unbounded), optional (0 to unbounded) "
    "or prohibited (0 to 0), nothing else.",
)
PROHIBITED_WITH_REQUIREMENTS = Rule(
    "prohibited-with-requirements", "A prohibited specification has no requirements."
)
APPLICABILITY_EMPTY = Rule(
    "applicability-empty", "A specification says to which elements it applies."
)
NOTHING_REQUIRED = Rule(
    "nothing-required",
    "An optional specification without requirements cannot fail.",
    Severity.WARNING,
)

# --- entities ---
ENTITY_CASE = Rule("entity-case", "Names of IFC entities are written in capitals.")
ENTITY_UNKNOWN = Rule("entity-unknown", "The IFC schema has no entity of this name.")
ENTITY_NO_MATCH = Rule(
    "entity-no-match", "No entity of the IFC schema has a name that meets the restriction."
)
ENTITY_ABSTRACT = Rule(
    "entity-abstract",
    "The entity is abstract: as IDS does not count subtypes, no element is of it.",
)
ENTITY_CONTRADICTION = Rule(
    "entity-contradiction",
    "The required entity contradicts the applicability: no element can be both.",
)
PREDEFINED_TYPE_MISSING = Rule(
    "predefined-type-missing", "The entity has no predefined type in this IFC version."
)
PREDEFINED_TYPE_BY_TYPE = Rule(
    "predefined-type-by-type",
    "In this IFC version only the type of the element has a predefined type.",
    Severity.WARNING,
)
PREDEFINED_TYPE_UNKNOWN = Rule(
    "predefined-type-unknown",
    "The predefined type is not in the entity's list, which has no user-defined types.",
)

# --- attributes ---
ATTRIBUTE_UNKNOWN = Rule("attribute-unknown", "The entity has no attribute of this name.")
ATTRIBUTE_DERIVED = Rule(
    "attribute-derived", "The attribute is derived: it is computed and never in a file."
)
ATTRIBUTE_INVERSE = Rule(
    "attribute-inverse", "The attribute is inverse: it is another entity's and not checked by IDS."
)
ATTRIBUTE_OBJECT = Rule(
    "attribute-object", "The attribute refers to another object, whose value cannot be checked."
)
ATTRIBUTE_SELECT = Rule(
    "attribute-select", "The attribute is a select of several types; its value cannot be checked."
)
ATTRIBUTE_LIST = Rule("attribute-list", "The attribute is a list; its value cannot be checked.")
ATTRIBUTE_BINARY = Rule(
    "attribute-binary", "The attribute is binary data; its value cannot be checked."
)

# --- properties ---
DATA_TYPE_UNKNOWN = Rule(
    "data-type-unknown", "The IFC schema has no data type of this name for the value of a property."
)

# --- values and restrictions ---
VALUE_EMPTY = Rule("value-empty", "An empty value is never met, since empty means no value.")
VALUE_FORM = Rule("value-form", "The value is not written as its data type demands.")
RESTRICTION_BASE = Rule(
    "restriction-base", "The base of the restriction does not fit the data type."
)
RESTRICTION_BASE_UNUSUAL = Rule(
    "restriction-base-unusual",
    "The base of the restriction can be compared with the data type, but is not its own.",
    Severity.WARNING,
)
RESTRICTION_BASE_UNKNOWN = Rule("restriction-base-unknown", "IDS does not know this base type.")
RESTRICTION_FACET = Rule(
    "restriction-facet", "This kind of restriction does not exist for this base type."
)
RESTRICTION_CONTRADICTION = Rule(
    "restriction-contradiction", "The restriction contradicts itself: no value can meet it."
)
PATTERN_INVALID = Rule("pattern-invalid", "The pattern is not a regular expression of XML Schema.")
PATTERN_COSTLY = Rule("pattern-costly", "The pattern is too large to be matched in bounded time.")
PATTERN_ON_NUMBER = Rule("pattern-on-number", "Patterns are for texts, not for other values.")

# --- part of ---
PART_OF_RELATION = Rule(
    "part-of-relation", "No entity of this name can be the whole of this relation."
)

ALL: tuple[Rule, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Rule)
)
