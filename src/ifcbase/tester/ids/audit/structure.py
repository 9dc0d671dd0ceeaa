"""Rules about a specification as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from ifcbase.tester.ids.audit import rules
from ifcbase.tester.ids.audit.context import Context
from ifcbase.tester.ids.document import UNBOUNDED
from ifcbase.tester.ids.finding import Finding
from ifcbase.tester.ids.usage import Usage

_OCCURS = {(1, UNBOUNDED), (0, UNBOUNDED), (0, 0)}


def check(context: Context) -> Iterator[Finding]:
    specification = context.specification
    if not specification.ifcVersion:
        yield context.finding(rules.VERSION_MISSING, "")
    occurs = (specification.minOccurs, specification.maxOccurs)
    if occurs not in _OCCURS:
        yield context.finding(rules.OCCURS, f"Found: {occurs[0]}, {occurs[1]}.", "applicability")
    if not specification.applicability:
        yield context.finding(rules.APPLICABILITY_EMPTY, "", "applicability")
    if specification.usage is Usage.PROHIBITED and specification.requirements:
        count = len(specification.requirements)
        yield context.finding(rules.PROHIBITED_WITH_REQUIREMENTS, f"Found: {count}.")
    if specification.usage is Usage.OPTIONAL and not specification.requirements:
        yield context.finding(rules.NOTHING_REQUIRED, "")
