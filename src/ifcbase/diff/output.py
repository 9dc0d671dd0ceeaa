"""The report clients download: ifcdiff's JSON shape, extra keys after its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ifcbase.diff.facets import CLIENT_KEYS, Facet
from ifcbase.diff.report import Change, DiffReport, FileReport
from ifcbase.ifc.inventory import Element


def write(report: DiffReport, path: Path) -> None:
    """Write the document as JSON (UTF-8)."""
    with path.open("w", encoding="utf-8") as stream:
        json.dump(document(report), stream, ensure_ascii=False, allow_nan=False, indent=1)
        stream.write("\n")


def document(report: DiffReport) -> dict[str, Any]:
    """``added``, ``deleted`` and ``changed`` as existing clients read them, then everything."""
    return {
        "added": [client_key(report.new.element(i)) for i in report.added],
        "deleted": [client_key(report.old.element(i)) for i in report.deleted],
        "changed": _changed(report),
        "diff_count": report.diff_count,
        "verdict": report.verdict,
        "coverage": report.coverage,
        "summary": report.summary,
        "facets": report.by_facet,
        "old": _file(report.old),
        "new": _file(report.new),
        "changes": [row(report, change) for change in report.changes],
        "reidentified": [
            {
                "old": client_key(report.old.element(each.old)),
                "new": client_key(report.new.element(each.new)),
                **_told(report.new.element(each.new)),
                "method": each.method.name.lower(),
                "confidence": round(each.confidence, 3),
            }
            for each in report.reidentified
        ],
        "doubtful": [
            {
                "old": client_key(report.old.element(each.old)),
                "new": None if each.new is None else client_key(report.new.element(each.new)),
                **_told(report.old.element(each.old)),
                "confidence": round(each.confidence, 3),
            }
            for each in report.doubtful
        ],
        "not_compared": [
            {
                "global_id": client_key(report.new.element(each.new)),
                **_told(report.new.element(each.new)),
                "facet": each.facet,
                "reason": each.reason,
            }
            for each in report.unjudged
        ],
        "relationships": list(report.request.relationships),
        "filter_elements": report.request.filter_elements,
        "tolerance": report.request.tolerance,
        "warnings": report.warnings,
        "engine": report.engine,
    }


def row(report: DiffReport, change: Change) -> dict[str, Any]:
    """One change with its values, as lists for people and machines show it."""
    return {
        "global_id": client_key(element_of(report, change)),
        **_told(element_of(report, change)),
        "facet": change.facet,
        "before": change.before,
        "after": change.after,
    }


def element_of(report: DiffReport, change: Change) -> Element:
    """The element a change is of, as the newer file that has it says it."""
    if change.new is not None:
        return report.new.element(change.new)
    assert change.old is not None  # noqa: S101  a change is of an element of either file
    return report.old.element(change.old)


def client_key(element: Element) -> str:
    """A GlobalId; the second element of the same one in a file is called ``<GlobalId>#2``."""
    return element.global_id if element.n == 0 else f"{element.global_id}#{element.n + 1}"


def _changed(report: DiffReport) -> Mapping[str, dict[str, Any]]:
    """Per element the facets that changed; with values where the request is not shallow."""
    found: dict[str, dict[str, Any]] = {}
    for change in report.changes:
        if change.old is None or change.new is None:
            continue
        said: Any = True
        if not report.request.is_shallow:
            said = {"before": change.before, "after": change.after}
        into = found.setdefault(client_key(report.new.element(change.new)), {})
        into[CLIENT_KEYS[change.facet]] = said
        if change.facet is Facet.PLACEMENT:
            # Existing clients look here for what moved; which of both it is, the other keys say.
            into.setdefault("geometry_changed", True)
    return found


def _told(element: Element) -> dict[str, Any]:
    return {"class": element.ifc_class, "name": element.name, "storey": element.storey}


def _file(file: FileReport) -> dict[str, Any]:
    return {
        "name": file.name,
        "sha256": file.sha256,
        "schema": file.inventory.schema,
        "elements": len(file.inventory),
        "selected": file.selected,
    }
