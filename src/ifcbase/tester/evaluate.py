"""Judge the elements of one model by specifications."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any

import ifcopenshell
from ifctester.facet import Facet
from ifctester.reporter import get_requirement_label_value

from ifcbase.tester import properties
from ifcbase.tester.facets import Entity
from ifcbase.tester.facts import Instance, is_kind, predefined_type_of, type_of, value_of
from ifcbase.tester.ids.document import Specification
from ifcbase.tester.ids.usage import Usage
from ifcbase.tester.report import Element, RequirementReport, Row, SpecificationReport

_MAX_REASON = 2_000
#: Elements judged between two calls of ``tick``.
_STRIDE = 500

PROHIBITED_REASON = "The element should not be there: the specification prohibits it"


class Elements:
    """The elements of a model that were met so far, each listed once."""

    def __init__(self) -> None:
        self.rows: list[Element] = []
        self._index: dict[int, int] = {}

    def index(self, instance: Instance) -> int:
        """The element's index in ``rows``, appended at first sight."""
        step_id = int(instance.id())
        index = self._index.get(step_id)
        if index is None:
            index = self._index[step_id] = len(self.rows)
            self.rows.append(_element(instance, step_id))
        return index


def evaluate(
    specifications: Sequence[tuple[int, Specification]],
    model: ifcopenshell.file,
    tick: Callable[[float], None],
) -> tuple[list[Element], list[SpecificationReport]]:
    """All elements met, and of each specification to which of them it applies and how they fare.

    Specifications come with the index of their IDS; ``tick`` gets the fraction that is done.
    An element on which the check itself fails is listed as unjudged; the others go on. The elements
    are gone through once, in the order of the file, for all specifications: what was read of one
    serves whoever asks next.
    """
    elements = Elements()
    tasks = [_Task(specification, model, ids) for ids, specification in specifications]
    total = sum(len(task.candidates) for task in tasks)
    waiting = heapq.merge(*(zip(t.candidates, repeat(at)) for at, t in enumerate(tasks)))
    current = None
    instance: Instance = None
    for count, (step_id, at) in enumerate(waiting):
        if step_id != current:
            current, instance = step_id, model.by_id(step_id)
        tasks[at].take(instance, elements)
        if count % _STRIDE == 0:
            tick(count / total)
    return elements.rows, [task.report for task in tasks]


class _Task:
    """One specification while elements pass by."""

    def __init__(self, specification: Specification, model: ifcopenshell.file, ids: int) -> None:
        self.report = _outline(specification, model, ids)
        self._prohibited = specification.usage is Usage.PROHIBITED
        self._requirements = list(
            zip(specification.requirements, self.report.requirements, strict=True)
        )
        # The first facet finds candidates, all facets then decide.
        self._applicability = list(specification.applicability)
        found: Iterable[Instance] = ()
        if self._applicability:
            found = self._applicability[0].filter(model, None)
            if isinstance(self._applicability[0], Entity):
                del self._applicability[0]  # what it finds, it has decided upon
        #: Their numbers in the file and not they themselves: those of all specifications wait at once.
        self.candidates = array("q", sorted(int(each.id()) for each in found))

    def take(self, instance: Instance, elements: Elements) -> None:
        """Judge one candidate, if the specification applies to it."""
        try:
            applies = all(facet(instance).is_pass for facet in self._applicability)
        except Exception as error:  # noqa: BLE001 - as for requirements: listed, not lost
            self.report.unjudged.append(Row(elements.index(instance), _failure(error)))
            return
        if not applies:
            return
        index = elements.index(instance)
        self.report.elements.append(index)
        if self._prohibited:
            self.report.failures.append(Row(index, PROHIBITED_REASON))
            return
        for facet, requirement in self._requirements:
            _judge(facet, requirement, instance, index)


def _judge(facet: Facet, requirement: RequirementReport, instance: Instance, index: int) -> None:
    try:
        result = facet(instance)
        reason = "" if result.is_pass else str(result)
    except Exception as error:  # noqa: BLE001 - one odd element must not cost all others' results
        requirement.unjudged.append(Row(index, _failure(error)))
        return
    requirement.evaluated += 1
    if not result.is_pass:
        requirement.failures.append(Row(index, clean(reason)[:_MAX_REASON]))


def _failure(error: Exception) -> str:
    reason = f"The check failed on this element: {type(error).__name__}: {error}"
    return clean(reason)[:_MAX_REASON]


def _outline(
    specification: Specification, model: ifcopenshell.file, ids: int
) -> SpecificationReport:
    return SpecificationReport(
        ids=ids,
        name=specification.name,
        usage=specification.usage,
        ifc_versions=list(specification.ifcVersion),
        version_matches=version_matches(specification.ifcVersion, model.schema),
        identifier=specification.identifier,
        description=specification.description,
        instructions=specification.instructions,
        applicability=[f.to_string("applicability") for f in specification.applicability],
        content=[facet.asdict("applicability") for facet in specification.applicability],
        requirements=[_requirement(facet, specification) for facet in specification.requirements],
    )


def version_matches(declared: list[str], schema: str) -> bool:
    """True if the model's schema (IFC2X3, IFC4, IFC4X3) is one of those declared."""
    return schema in {version.partition("_")[0] for version in declared}


def _requirement(facet: Facet, specification: Specification) -> RequirementReport:
    label, value = get_requirement_label_value(facet)
    return RequirementReport(
        facet=type(facet).__name__,
        label=label or "",
        value=value,
        description=facet.to_string("requirement", specification, facet),
        cardinality=facet.cardinality,
        instructions=facet.instructions or None,
        metadata=facet.asdict("requirement"),
    )


def _element(instance: Instance, step_id: int) -> Element:
    element_type = type_of(instance)
    if is_kind(instance, "IfcObjectDefinition"):
        predefined_type = predefined_type_of(instance)
    else:
        predefined_type = value_of(instance, "PredefinedType")
    return Element(
        step_id=step_id,
        global_id=_text(value_of(instance, "GlobalId")),
        ifc_class=instance.is_a(),
        predefined_type=_text(predefined_type),
        name=_text(value_of(instance, "Name")),
        description=_text(value_of(instance, "Description")),
        tag=_text(value_of(instance, "Tag")),
        text=clean(str(instance)),
        type_text=None if element_type is None else _type_text(element_type),
    )


@lru_cache(maxsize=256)
def _type_text(element_type: Instance) -> str:
    return clean(str(element_type))


def _text(value: Any) -> str | None:
    """A value as text; some classes use these names for other things than texts."""
    return None if value is None else clean(str(value))


def forget() -> None:
    """Let go of the model; instances of the next one may look the same as its."""
    _type_text.cache_clear()
    properties.forget()


def clean(text: str) -> str:
    """A text that JSON and Postgres can hold: no NUL, no halves of surrogate pairs."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
