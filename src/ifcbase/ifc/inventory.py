"""What is in a model: every product with its key, class, name and storey; no shapes yet."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ifcbase.errors import ReportInvalid
from ifcbase.ifc.text import clean, is_clean

if TYPE_CHECKING:
    import ifcopenshell

#: Longer texts are cut: nothing a person reads is longer, and a column must end somewhere.
MAX_NAME = 1000
MAX_ID = 64


class Element(NamedTuple):
    """One product of a model; (global_id, n) is its key within the model, step_id within the file.

    ``physical`` elements are those that "all elements" means: no openings, no spaces.
    ``global_id`` starts with "~" where the file gives none; see ``synthetic_id``.
    """

    step_id: int
    global_id: str
    n: int
    ifc_class: str
    name: str | None
    storey: str | None
    has_representation: bool
    physical: bool


@dataclass(frozen=True, slots=True)
class Inventory:
    """The products of one file in the order of their step ids; ``unit_scale`` is metres per unit.

    ``repeated_ids`` counts elements whose GlobalId an earlier element has, ``synthetic_ids``
    those without a usable GlobalId, ``cleaned_names`` names that held unprintable characters.
    """

    schema: str
    unit_scale: float
    elements: tuple[Element, ...]
    repeated_ids: int = 0
    synthetic_ids: int = 0
    cleaned_names: int = 0
    _steps: npt.NDArray[np.int64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        steps = np.fromiter((e.step_id for e in self.elements), np.int64, len(self.elements))
        object.__setattr__(self, "_steps", steps)

    def __len__(self) -> int:
        return len(self.elements)

    def index_of(self, step_id: int) -> int:
        """The position of the element with this step id. Raises KeyError if there is none."""
        at = int(np.searchsorted(self._steps, step_id))
        if at == len(self._steps) or self._steps[at] != step_id:
            raise KeyError(step_id)
        return at

    def indexes_of(self, step_ids: Iterable[int]) -> npt.NDArray[np.int32]:
        """Positions of those step ids that are elements, ascending, each once."""
        wanted = np.unique(np.fromiter(step_ids, np.int64))
        return np.flatnonzero(np.isin(self._steps, wanted, assume_unique=True)).astype(np.int32)

    def physical(self) -> npt.NDArray[np.int32]:
        """Indexes of the elements that "all elements" means."""
        flags = np.fromiter((e.physical for e in self.elements), np.bool_, len(self.elements))
        return np.flatnonzero(flags).astype(np.int32)

    def to_document(self) -> dict[str, Any]:
        """Columns for JSON; what can be derived (n, the counts of repeats) is not in them."""
        classes, class_codes = _dictionary([e.ifc_class for e in self.elements])
        storeys, storey_codes = _dictionary([e.storey for e in self.elements])
        return {
            "format": 1,
            "schema": self.schema,
            "unit_scale": self.unit_scale,
            "synthetic_ids": self.synthetic_ids,
            "cleaned_names": self.cleaned_names,
            "step_id": [e.step_id for e in self.elements],
            "global_id": [e.global_id for e in self.elements],
            "classes": classes,
            "class": class_codes,
            "storeys": storeys,
            "storey": storey_codes,
            "name": [e.name for e in self.elements],
            "has_representation": [int(e.has_representation) for e in self.elements],
            "physical": [int(e.physical) for e in self.elements],
        }

    def to_json(self) -> str:
        """Compact columnar JSON."""
        return json.dumps(
            self.to_document(), ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )

    @classmethod
    def from_document(cls, document: Any) -> Inventory:
        """Read what ``to_document`` gave. Raises ReportInvalid naming what is wrong."""
        return _from_document(document)

    @classmethod
    def from_json(cls, text: str | bytes) -> Inventory:
        """Read what ``to_json`` wrote. Raises ReportInvalid naming what does not hold together."""
        try:
            document = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise ReportInvalid("an inventory is not JSON", detail=str(error)) from error
        return _from_document(document)


def synthetic_id(ifc_class: str, name: str | None, tag: str | None, raw: str | None) -> str:
    """A key for an element without a usable GlobalId, from what a next revision may still say.

    No real GlobalId begins with "~", so that nobody takes it for one; equal ones get their n.
    """
    words = json.dumps([ifc_class, name, tag, raw], ensure_ascii=True)
    digest = hashlib.sha256(words.encode("ascii")).digest()
    return "~" + base64.urlsafe_b64encode(digest).decode("ascii")[:21]


def number_repeats(global_ids: Iterable[str]) -> list[int]:
    """n for each id: how many before it have the same id."""
    seen: dict[str, int] = {}
    numbers = []
    for global_id in global_ids:
        n = seen.get(global_id, 0)
        seen[global_id] = n + 1
        numbers.append(n)
    return numbers


# --- JSON ----------------------------------------------------------------------------------------


def _dictionary(values: Sequence[str | None]) -> tuple[list[str | None], list[int]]:
    """Distinct values in order of first use, and for each value its position among them."""
    codes: dict[str | None, int] = {}
    column = [codes.setdefault(value, len(codes)) for value in values]
    return list(codes), column


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ReportInvalid(f"an inventory does not hold together: {what}")


def _count(document: dict[str, Any], key: str, most: int) -> int:
    value = document.get(key)
    _check(type(value) is int and 0 <= value <= most, key)
    return int(value)  # type: ignore[arg-type]


def _column(document: dict[str, Any], key: str, kind: type, size: int | None) -> list[Any]:
    values = document.get(key)
    _check(isinstance(values, list), f"{key} is not a list")
    assert isinstance(values, list)  # noqa: S101  narrows the type; checked above
    _check(size is None or len(values) == size, f"{key} has another length")
    _check(set(map(type, values)) <= {kind}, f"{key} holds another type")
    return values


def _coded(
    document: dict[str, Any], table: str, key: str, size: int, kinds: set[type]
) -> list[Any]:
    values = document.get(table)
    _check(isinstance(values, list) and set(map(type, values)) <= kinds, table)
    codes = _column(document, key, int, size)
    _check(not codes or (min(codes) >= 0 and max(codes) < len(values)), f"{key} out of range")  # type: ignore[arg-type]
    return [values[code] for code in codes]  # type: ignore[index]


def _from_document(document: Any) -> Inventory:
    _check(isinstance(document, dict) and document.get("format") == 1, "unknown format")
    schema, scale = document.get("schema"), document.get("unit_scale")
    _check(isinstance(schema, str) and 0 < len(schema) <= 40 and is_clean(schema), "schema")
    _check(type(scale) in {int, float} and 0 < scale < 1e9, "unit_scale")
    steps = _column(document, "step_id", int, None)
    size = len(steps)
    ascending = all(a < b for a, b in itertools.pairwise(steps))
    _check(ascending and (not steps or (steps[0] > 0 and steps[-1] < 2**62)), "step_id")
    ids = _column(document, "global_id", str, size)
    _check(all(0 < len(i) <= MAX_ID and is_clean(i) for i in ids), "global_id")
    classes = _coded(document, "classes", "class", size, {str})
    _check(all(c and len(c) <= 100 and is_clean(c) for c in set(classes)), "class")
    storeys = _coded(document, "storeys", "storey", size, {str, type(None)})
    _check(all(s is None or _is_name(s) for s in set(storeys)), "storey")
    names = document.get("name")
    _check(isinstance(names, list) and len(names) == size, "name")
    _check(all(n is None or (type(n) is str and _is_name(n)) for n in names), "name")
    flags = _flags(document, "has_representation", size)
    physical = _flags(document, "physical", size)
    numbers = number_repeats(ids)
    rows = zip(steps, ids, numbers, classes, names, storeys, flags, physical, strict=True)
    return Inventory(
        schema=schema,
        unit_scale=float(scale),
        elements=tuple(map(Element._make, rows)),
        repeated_ids=sum(map(bool, numbers)),
        synthetic_ids=_count(document, "synthetic_ids", size),
        cleaned_names=_count(document, "cleaned_names", 2 * size),
    )


def _flags(document: dict[str, Any], key: str, size: int) -> list[bool]:
    values = _column(document, key, int, size)
    _check(set(values) <= {0, 1}, key)
    return [bool(value) for value in values]


def _is_name(text: str) -> bool:
    return len(text) <= MAX_NAME and is_clean(text)


# --- reading a model -----------------------------------------------------------------------------


def read_inventory(file: ifcopenshell.file) -> Inventory:
    """Every IfcProduct of an open model but ports (which are not things one selects).

    Openings and other features are included: they are elements, and selectors can name them.
    """
    from ifcbase.ifc.products import read_products  # native code, only where a model is read

    scale, rows = read_products(file)
    rows.sort(key=lambda row: row.step_id)
    synthetic = cleaned = 0
    ids: list[str] = []
    names: list[str | None] = []
    storeys: list[str | None] = []
    for row in rows:
        if row.global_id and row.global_id.strip() and is_clean(row.global_id):
            ids.append(row.global_id.strip()[:MAX_ID])
        else:
            synthetic += 1
            ids.append(synthetic_id(row.ifc_class, row.name, row.tag, row.global_id))
        for text, column in ((row.name, names), (row.storey, storeys)):
            if text is not None and not is_clean(text):
                cleaned += 1
                text = clean(text)
            column.append(None if text is None else text[:MAX_NAME])
    numbers = number_repeats(ids)
    elements = tuple(
        Element(
            row.step_id, i, n, row.ifc_class, name, storey, row.has_representation, row.physical
        )
        for row, i, n, name, storey in zip(rows, ids, numbers, names, storeys, strict=True)
    )
    return Inventory(
        schema=str(file.schema),
        unit_scale=scale,
        elements=elements,
        repeated_ids=sum(map(bool, numbers)),
        synthetic_ids=synthetic,
        cleaned_names=cleaned,
    )
