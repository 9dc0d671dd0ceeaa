"""Requests as the description shows them."""

from __future__ import annotations

from typing import Any

REQUESTS: dict[str, dict[str, Any]] = {
    "clash": {
        "clash_sets": [
            {
                "name": "Architecture x Structure",
                "a": [{"file": "architecture.ifc", "selector": "IfcWall", "mode": "i"}],
                "b": [{"file": "structure.ifc"}],
            }
        ],
        "output_filename": "architecture-structure.json",
        "mode": "intersection",
        "tolerance": 0.01,
        "smart_grouping": True,
    },
    "conversion": {"input_filename": "architecture.ifc", "output_filename": "architecture.glb"},
    "tester": {
        "ifc_filename": "architecture.ifc",
        "ids_filename": "rules.ids",
        "output_filename": "rules.html",
        "report_type": "html",
    },
    "diff": {
        "old_file": "architecture-week-1.ifc",
        "new_file": "architecture-week-2.ifc",
        "output_file": "changes.json",
    },
}
