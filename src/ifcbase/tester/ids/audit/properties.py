"""Rules about the data types of properties and their values."""

from __future__ import annotations

from collections.abc import Iterator

from ifcbase.tester.ids.audit import rules
from ifcbase.tester.ids.audit.context import Context
from ifcbase.tester.ids.audit.restrictions import value_findings
from ifcbase.tester.ids.finding import Finding


def check(context: Context) -> Iterator[Finding]:
    for place, _, facet in context.facets("Property"):
        if facet.value is not None and str(facet.value) == "":
            yield context.finding(rules.VALUE_EMPTY, "", place)
        if not facet.dataType:
            continue
        bases = {s.version: s.data_type_base(facet.dataType) for s in context.schemas}
        missing = [version for version, base in bases.items() if base is None]
        if missing:
            detail = f"{facet.dataType} is not in {' and '.join(missing)}."
            yield context.finding(rules.DATA_TYPE_UNKNOWN, detail, place)
        for base in sorted({base for base in bases.values() if base}):
            if facet.value is not None:
                yield from value_findings(context, place, facet.value, base, facet.dataType)
