"""The third stage: does an IDS make sense against the IFC schemas it declares?"""

from __future__ import annotations

from ifcbase.tester.ids.audit import (
    attributes,
    entities,
    partof,
    properties,
    restrictions,
    structure,
)
from ifcbase.tester.ids.audit.context import Context
from ifcbase.tester.ids.document import IdsDocument
from ifcbase.tester.ids.finding import Finding

__all__ = ["audit"]

CHECKS = (
    structure.check,
    entities.check,
    attributes.check,
    properties.check,
    partof.check,
)


def audit(document: IdsDocument) -> list[Finding]:
    """All findings of all rules, in the order of the file; empty for a sound IDS."""
    findings: list[Finding] = []
    for index, specification in enumerate(document.specifications):
        context = Context(document.name, index, specification)
        broken = list(restrictions.check(context))
        findings.extend(broken)
        if any(finding.code in restrictions.UNMATCHABLE for finding in broken):
            continue  # the other rules would have to match with these patterns
        for check in CHECKS:
            findings.extend(check(context))
    return list(dict.fromkeys(findings))
