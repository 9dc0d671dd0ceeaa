"""Rules about partOf facets: can the named entity be the whole of the named relation?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ifcbase.tester.ids.audit import rules
from ifcbase.tester.ids.audit.context import Context
from ifcbase.tester.ids.finding import Finding

#: What the relating attribute of each relation accepts, newest name first.
_WHOLES: Final = {
    "IFCRELASSIGNSTOGROUP": ("IFCGROUP",),
    "IFCRELCONTAINEDINSPATIALSTRUCTURE": ("IFCSPATIALELEMENT", "IFCSPATIALSTRUCTUREELEMENT"),
    "IFCRELAGGREGATES": ("IFCOBJECTDEFINITION",),
    "IFCRELNESTS": ("IFCOBJECTDEFINITION",),
    "IFCRELVOIDSELEMENT IFCRELFILLSELEMENT": ("IFCELEMENT",),
}


def check(context: Context) -> Iterator[Finding]:
    for place, _, facet in context.facets("PartOf"):
        wholes = _WHOLES.get(facet.relation or "")
        if wholes is None:
            continue
        for schema in context.schemas:
            classes = schema.classes(facet.name)
            occurrences = {o for name in classes for o in schema.occurrences(name)}
            if classes and not any(schema.is_a(o, w) for o in occurrences for w in wholes):
                detail = f"{', '.join(classes[:5])} and {facet.relation} in {schema.version}."
                yield context.finding(rules.PART_OF_RELATION, detail, place)
