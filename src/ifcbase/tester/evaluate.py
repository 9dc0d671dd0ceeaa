"""Judge the elements of one model by one specification."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ifcopenshell
import ifcopenshell.util.element
from ifctester.facet import Facet
from ifctester.reporter import get_requirement_label_value

from ifcbase.tester.facets import Entity, Instance
from ifcbase.tester.ids.document import Specification
from ifcbase.tester.ids.usage import Usage
from ifcbase.tester.properties import type_of, value_of
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
        if step_id not in self._index:
            self._index[step_id] = len(self.rows)
            self.rows.append(_element(instance, step_id))
        return self._index[step_id]


def evaluate(
    specification: Specification,
    model: ifcopenshell.file,
    elements: Elements,
    ids: int,
    tick: Callable[[float], None],
) -> SpecificationReport:
    """Which elements the specification applies to, and how they fare; ``tick`` gets the fraction.

    An element on which the check itself fails is listed as unjudged; the others go on.
    """
    report = _outline(specification, model, ids)
    applicable = _applicable(specification, model, elements, report)
    if specification.usage is Usage.PROHIBITED:
        for instance in applicable:
            index = elements.index(instance)
            report.elements.append(index)
            report.failures.append(Row(index, PROHIBITED_REASON))
        return report
    for count, instance in enumerate(applicable):
        index = elements.index(instance)
        report.elements.append(index)
        for facet, requirement in zip(specification.requirements, report.requirements, strict=True):
            _judge(facet, requirement, instance, index)
        if count % _STRIDE == 0:
            tick(count / len(applicable))
    return report


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


def _applicable(
    specification: Specification,
    model: ifcopenshell.file,
    elements: Elements,
    report: SpecificationReport,
) -> list[Instance]:
    """In the order of the file. The first facet finds candidates, all facets then decide."""
    facets = list(specification.applicability)
    if not facets:
        return []
    candidates = sorted(facets[0].filter(model, None), key=lambda e: int(e.id()))
    if isinstance(facets[0], Entity):
        del facets[0]  # what it finds, it has decided upon; the others find candidates only
    found = []
    for instance in candidates:
        try:
            if all(facet(instance).is_pass for facet in facets):
                found.append(instance)
        except Exception as error:  # noqa: BLE001 - as for requirements: listed, not lost
            report.unjudged.append(Row(elements.index(instance), _failure(error)))
    return found


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
    if instance.is_a("IfcObjectDefinition"):
        predefined_type = ifcopenshell.util.element.get_predefined_type(instance)
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
        type_text=_text(element_type),
    )


def _text(value: Any) -> str | None:
    """A value as text; some classes use these names for other things than texts."""
    return None if value is None else clean(str(value))


def clean(text: str) -> str:
    """A text that JSON and Postgres can hold: no NUL, no halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
