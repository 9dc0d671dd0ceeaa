"""Elements and their properties as rows: what the CSV and XLSX writers write.

Values are as the model has them, in its own units; a text that a spreadsheet would run as a
formula is given an apostrophe in front.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ifcbase.ifc.inventory import Element
from ifcbase.ifc.text import clean

if TYPE_CHECKING:
    import ifcopenshell

Cell = str | int | float | bool | None
#: Spreadsheets hold no longer texts.
LONGEST = 32_767
CUT_MARK = "… (cut)"

COLUMNS = (
    "GlobalId", "Class", "Name", "Storey", "Description", "ObjectType", "Tag", "PredefinedType",
    "Type", "Material", "StepId",
)  # fmt: skip


class Property(NamedTuple):
    """One value of a property or quantity; ``source`` is "element" or "type"."""

    group: str
    name: str
    value: Cell
    source: str


@dataclass(frozen=True, slots=True)
class Row:
    """An element's own columns, as in ``COLUMNS``, and its properties by group and name."""

    cells: tuple[Cell, ...]
    properties: tuple[Property, ...]


def safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula, without what breaks cells, cut if too long.

    See OWASP, "CSV Injection": cells that begin with = + - @, tab or carriage return (also their
    full-width forms) are run or hide what is.
    """
    found = clean(text)
    if found.lstrip(" ")[:1] in {"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"}:
        found = "'" + found
    if len(found) > LONGEST:
        found = found[: LONGEST - len(CUT_MARK)] + CUT_MARK
    return found


def read_rows(
    file: ifcopenshell.file,
    elements: Iterable[Element],
    tick: Callable[[int], None],
) -> list[Row]:
    """A row for each element, in the order given; what types say counts where elements do not."""
    import ifcopenshell.util.element as util

    of_types: dict[int, dict[str, dict[str, Any]]] = {}
    rows = []
    for done, element in enumerate(elements):
        entity = file.by_id(element.step_id)
        kind = util.get_type(entity)
        inherited: dict[str, dict[str, Any]] = {}
        if kind is not None:
            if kind.id() not in of_types:
                of_types[kind.id()] = util.get_psets(kind)
            inherited = of_types[kind.id()]
        own = util.get_psets(entity, should_inherit=False)
        rows.append(Row(_cells(util, element, entity, kind), tuple(_properties(own, inherited))))
        tick(done)
    return rows


def _cells(util: Any, element: Element, entity: Any, kind: Any) -> tuple[Cell, ...]:
    material = util.get_material(entity, should_skip_usage=True)
    named = getattr(material, "Name", None) or getattr(material, "LayerSetName", None)
    if material is not None and named is None:
        parts = util.get_materials(entity)
        named = ", ".join(dict.fromkeys(part.Name for part in parts if part.Name)) or None
    return (
        safe(element.global_id),
        element.ifc_class,
        _text(element.name),
        _text(element.storey),
        _text(entity.Description),
        _text(getattr(entity, "ObjectType", None)),
        _text(getattr(entity, "Tag", None)),
        _text(util.get_predefined_type(entity)),
        _text(None if kind is None else kind.Name),
        _text(named),
        element.step_id,
    )


def _properties(
    own: dict[str, dict[str, Any]], inherited: dict[str, dict[str, Any]]
) -> Iterable[Property]:
    for group in sorted({*own, *inherited}):
        mine, theirs = own.get(group, {}), inherited.get(group, {})
        for name in sorted({*mine, *theirs} - {"id"}):
            source = "element" if name in mine else "type"
            value = mine.get(name) if name in mine else theirs.get(name)
            yield Property(safe(group), safe(name), cell(value), source)


def cell(value: Any) -> Cell:
    """A property's value as a cell holds it: numbers stay numbers, lists become a text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        # Spreadsheets count in double precision: a longer number would lose its end.
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return safe(", ".join(_word(each) for each in value))
    if isinstance(value, dict):
        inner = (f"{key}={_word(each)}" for key, each in sorted(value.items()) if key != "id")
        return safe("; ".join(inner))
    return safe(str(value))


def _word(value: Any) -> str:
    if isinstance(value, dict | list | tuple):
        found = cell(value)
        return f"({found})"
    return "" if value is None else str(value)


def _text(value: Any) -> str | None:
    return None if value is None else safe(str(value))
