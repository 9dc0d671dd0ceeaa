"""An IDS about the sample building's architecture, whose answers are known by construction."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ifcbase.samples.truth import Revision

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<ids xmlns="http://standards.buildingsmart.org/IDS" xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <info><title>Sample rules</title></info>
  <specifications>
"""
_FOOT = "  </specifications>\n</ids>\n"


@dataclass(frozen=True, slots=True)
class RuleTruth:
    """To how many elements of the default building a specification applies, and how many fail."""

    name: str
    applicable: int
    failed: int


def write_rules(folder: Path) -> Path:
    """Write ``Sample_Rules.ids`` (IDS 1.0) into a folder and give its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "Sample_Rules.ids"
    inside = _property("Pset_WallCommon", "IsExternal", "IFCBOOLEAN", "false")
    rated = _property("Pset_WallCommon", "FireRating", "IFCLABEL", "EI60")
    doors = _property("Pset_DoorCommon", "FireRating", "IFCLABEL", "EI30")
    named = "<attribute><name><simpleValue>Name</simpleValue></name></attribute>"
    text = (
        _specification("Partitions resist fire for 60 minutes", "IFCWALL", inside, rated)
        + _specification("Doors resist fire for 30 minutes", "IFCDOOR", "", doors)
        + _specification("Nothing is left unclassified", "IFCBUILDINGELEMENTPROXY", "", "", 0, 0)
        + _specification("There are stairs, and they have names", "IFCSTAIRFLIGHT", "", named, 1)
        + _specification("Roofs have names", "IFCROOF", "", named)
    )
    path.write_text(_HEAD + text + _FOOT, encoding="utf-8")
    return path


def rules_truth(revision: Revision = "A") -> list[RuleTruth]:
    """What a right check of a revision of the default building says of each specification.

    In revision B one partition has become EI60 and one proxy a column.
    """
    better = 1 if revision == "B" else 0
    return [
        RuleTruth("Partitions resist fire for 60 minutes", 12, 12 - better),
        RuleTruth("Doors resist fire for 30 minutes", 12, 0),
        RuleTruth("Nothing is left unclassified", 2 - better, 2 - better),
        RuleTruth("There are stairs, and they have names", 2, 0),
        RuleTruth("Roofs have names", 0, 0),
    ]


def _specification(
    name: str, ifc_class: str, where: str, asked: str, least: int = 0, most: int | None = None
) -> str:
    requirements = f"<requirements>{asked}</requirements>" if asked else ""
    entity = f"<entity><name><simpleValue>{ifc_class}</simpleValue></name></entity>"
    return (
        f'    <specification name="{name}" ifcVersion="IFC2X3 IFC4 IFC4X3_ADD2">\n'
        f'      <applicability minOccurs="{least}" maxOccurs="{"unbounded" if most is None else most}">'
        f"{entity}{where}</applicability>\n      {requirements}\n    </specification>\n"
    )


def _property(group: str, name: str, data_type: str, value: str) -> str:
    return (
        f'<property dataType="{data_type}">'
        f"<propertySet><simpleValue>{group}</simpleValue></propertySet>"
        f"<baseName><simpleValue>{name}</simpleValue></baseName>"
        f"<value><simpleValue>{value}</simpleValue></value></property>"
    )
