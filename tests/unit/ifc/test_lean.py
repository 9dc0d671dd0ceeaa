"""IfcOpenShell loaded without what IDS checks never use, and what is used late is there then."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

PROGRAM = """
import json, sys
from ifcbase.ifc import lean
lean.prepare()
import ifcopenshell, ifcopenshell.util.element, ifcopenshell.util.classification
import ifctester.facet, ifctester.reporter
heavy = [name for name in ("numpy", "shapely", "lark") if name in sys.modules]
file = ifcopenshell.file(schema="IFC4")
point = file.create_entity("IfcCartesianPoint", (1.0, 2.0, 3.0))
place = file.create_entity("IfcLocalPlacement", None, file.create_entity("IfcAxis2Placement3D", point))
matrix = ifcopenshell.util.placement.get_local_placement(place)
again = list(sys.meta_path)
lean.prepare()
print(json.dumps({
    "heavy": heavy, "moved": [float(row[3]) for row in matrix[:3]],
    "late": "numpy" in sys.modules, "twice": again != list(sys.meta_path),
    "copied": ifcopenshell.util.element.copy(file, point).Coordinates,
    "sqlite": isinstance(file, ifcopenshell.sqlite),
}))
"""


def run() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_nothing_heavy_is_loaded_and_everything_still_works() -> None:
    assert run() == {
        "heavy": [],
        "moved": [1.0, 2.0, 3.0],
        "late": True,
        "twice": False,
        "copied": [1.0, 2.0, 3.0],
        "sqlite": False,
    }
