"""Floor plans as SVG: each storey cut at a height, one path per element, stacked top storey first.

One unit of the drawing is a metre; y runs downwards, so that north stays up. Every path carries
the element's class as its CSS class, its key as data and its name as the title.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from ifcbase.conversion.request import ConversionRequest
from ifcbase.conversion.scene import Scene
from ifcbase.conversion.section import Points, Section, cut
from ifcbase.ifc.inventory import Element
from ifcbase.ifc.text import clean

#: Above a storey's floor, where plans are cut (metres): through windows, below lintels.
CUT = 1.2
#: Between plans and around them, and the letters of their titles (metres).
GAP, MARGIN, LETTER = 3.0, 1.0, 0.5
STYLE = (
    "path{fill:#d8d8d8;stroke:#222;stroke-width:.02;fill-rule:nonzero}"
    "path.open{fill:none}"
    ".IfcSlab,.IfcCovering{fill:#eee}.IfcWindow,.IfcPlate,.IfcCurtainWall{fill:#cfe8f5}"
    ".IfcDoor{fill:#e8d3b0}.IfcColumn,.IfcBeam,.IfcMember{fill:#9a9a9a}"
    "text{font:.5px sans-serif;fill:#222}"
)


@dataclass(slots=True)
class Plan:
    """One storey cut at a height (metres of the world); sections by row of the scene."""

    name: str
    global_id: str
    height: float
    sections: dict[int, Section]


def plans(scene: Scene, request: ConversionRequest) -> list[Plan]:
    """The cuts a request asks for, lowest first; a model without storeys is cut once."""
    places = scene.structure.places
    boxes = scene.meshes.aabb()
    offset = CUT
    if request.section_height is not None:
        if not request.section_height_from_storeys:
            height = request.section_height
            return [Plan(f"at {height:g} m", "", height, _sections(scene, boxes, height))]
        offset = request.section_height
    found = []
    for number in scene.structure.storeys():
        place = places[number]
        height = (place.elevation or 0.0) + offset
        sections = _sections(scene, boxes, height)
        found.append(Plan(place.name or "storey", place.global_id, height, sections))
    if not found and len(scene):
        height = float(boxes[:, 2].min() + scene.origin[2]) + offset
        found.append(Plan("model", "", height, _sections(scene, boxes, height)))
    return found


def _sections(scene: Scene, boxes: Points, height: float) -> dict[int, Section]:
    local = height - float(scene.origin[2])
    reached = np.flatnonzero((boxes[:, 2] <= local) & (boxes[:, 5] >= local))
    cuts = {i: cut(*scene.meshes.mesh(i), local) for i in reached.tolist()}
    return {i: each for i, each in cuts.items() if each}


def write(scene: Scene, request: ConversionRequest, drawn: list[Plan], path: Path) -> None:
    """Write the plans, each in a group of its own with its height and the origin as data."""
    least, most = _extents(drawn)
    width = float(most[0] - least[0]) + 2 * MARGIN
    depth = float(most[1] - least[1])
    step = depth + GAP + LETTER
    total = max(len(drawn), 1) * step - GAP + 2 * MARGIN
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write('<?xml version="1.0" encoding="utf-8"?>\n')
        stream.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" version="1.1" {_size(request, width, total)}'
            f'viewBox="0 0 {_number(width)} {_number(total)}" '
            f'data-origin="{" ".join(f"{v:g}" for v in scene.origin)}">\n'
            f"<title>{_text(scene.name)}</title>\n<style>{STYLE}</style>\n"
        )
        for position, plan in enumerate(reversed(drawn)):
            top = MARGIN + position * step + LETTER
            shift = (MARGIN - float(least[0]), top + float(most[1]))
            stream.write(
                f'<g class="IfcBuildingStorey" data-global-id="{_text(plan.global_id)}" '
                f'data-name="{_text(plan.name)}" data-height="{_number(plan.height)}">\n'
                f'<text x="{_number(MARGIN)}" y="{_number(top - LETTER / 4)}">'
                f"{_text(plan.name)}</text>\n"
                f'<g transform="translate({_number(shift[0])} {_number(shift[1])})">\n'
            )
            for i, section in sorted(plan.sections.items()):
                stream.writelines(_paths(scene.elements[i], section))
            stream.write("</g>\n</g>\n")
        stream.write("</svg>\n")


def _paths(element: Element, section: Section) -> Iterable[str]:
    for extra, chains, end in (("", section.loops, "Z"), (" open", section.lines, "")):
        if not chains:
            continue
        data = "".join(f"M{_points(chain)}{end}" for chain in chains)
        yield (
            f'<path class="{_text(element.ifc_class)}{extra}" '
            f'data-global-id="{_text(element.global_id)}" d="{data}">'
            f"<title>{_text(element.name or element.ifc_class)}</title></path>\n"
        )


def _points(chain: Points) -> str:
    return "L".join(f"{_number(x)} {_number(-y)}" for x, y in chain.tolist())


def _extents(drawn: list[Plan]) -> tuple[Points, Points]:
    chains = [c for plan in drawn for s in plan.sections.values() for c in (*s.loops, *s.lines)]
    if not chains:
        return np.zeros(2), np.zeros(2)
    points = np.concatenate(chains)
    return points.min(axis=0), points.max(axis=0)


def _size(request: ConversionRequest, width: float, height: float) -> str:
    if request.bounds:
        across, down = request.bounds.split("x")
        return f'width="{across}" height="{down}" '
    if request.scale:
        millimetres = 1000.0 / int(request.scale[2:])
        across, down = _number(width * millimetres), _number(height * millimetres)
        return f'width="{across}mm" height="{down}mm" '
    return ""


def _number(value: float) -> str:
    """To a tenth of a millimetre, without zeros at the end."""
    return f"{round(value, 4) + 0.0:.4f}".rstrip("0").rstrip(".")


def _text(value: str) -> str:
    return escape(clean(value), quote=True)
