"""Viewpoints: a camera that looks at the finding, its elements selected and coloured."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from ifcbase.exchange.bcf.xml import Node
from ifcbase.exchange.report import Element, Finding, Point

#: Colours of the elements of a finding: side a, side b, and any further ones.
COLOURS = ("E4572E", "2E86AB", "F3A712")
#: Where the camera stands as seen from the finding: to the south-east and above.
_FROM = (0.58, -0.62, 0.53)
_NEAREST = 4.0
_FARTHEST = 60.0
_FIELD_OF_VIEW = 60.0  # both versions and their tools take it
_ASPECT = 4 / 3
_IFC_GUID = re.compile(r"[0-9A-Za-z_$]{22}")
#: A viewpoint of more elements than these shows nothing any more, and tools become slow.
MAX_COMPONENTS = 500


def viewpoint(finding: Finding, identity: str, version: str) -> Node | None:
    """The VisualizationInfo of a finding, or None if nothing of it can be shown.

    BCF 3.0 wants a camera in every viewpoint: without a point there is none.
    """
    parts = _components(finding.elements, version)
    if version == "3.0" and finding.point is None:
        return None
    if parts is None and finding.point is None:
        return None
    node = Node("VisualizationInfo", Guid=identity)
    if parts is not None:
        node.append(parts)
    if finding.point is not None:
        node.append(_camera(finding.point, finding.distance or 0.0, version))
    return node


def findable(element: Element) -> bool:
    """Whether the element has an id that other programs know it by."""
    return _IFC_GUID.fullmatch(element.global_id) is not None


def _components(elements: Sequence[Element], version: str) -> Node | None:
    shown = [each for each in elements if findable(each)][:MAX_COMPONENTS]
    if not shown:
        return None
    node = Node("Components")
    hints = {
        "SpacesVisible": "false",
        "SpaceBoundariesVisible": "false",
        "OpeningsVisible": "false",
    }
    if version == "2.1":
        node.add("ViewSetupHints", **hints)
    selection = node.add("Selection")
    for global_id in dict.fromkeys(each.global_id for each in shown):
        selection.add("Component", IfcGuid=global_id)
    visibility = node.add("Visibility", DefaultVisibility="true")
    if version == "3.0":
        visibility.add("ViewSetupHints", **hints)
    coloring = node.add("Coloring")
    for colour, global_ids in _coloured(elements, shown).items():
        holder = coloring.add("Color", Color=colour)
        if version == "3.0":
            holder = holder.add("Components")
        for global_id in global_ids:
            holder.add("Component", IfcGuid=global_id)
    return node


def _coloured(elements: Sequence[Element], shown: Sequence[Element]) -> dict[str, list[str]]:
    """Ids by colour: the side decides. Two elements may share an id; it gets one colour."""
    taken: set[str] = set()
    found: dict[str, list[str]] = {}
    wanted = set(shown)
    for at, element in enumerate(elements):
        if element in wanted and element.global_id not in taken:
            taken.add(element.global_id)
            found.setdefault(COLOURS[min(at, len(COLOURS) - 1)], []).append(element.global_id)
    return found


def _camera(target: Point, distance: float, version: str) -> Node:
    """A perspective camera; farther away from larger contacts, always looking at the target."""
    away = min(max(_NEAREST, 6 * distance), _FARTHEST)
    length = math.hypot(*_FROM)
    back = [part / length for part in _FROM]
    eye = [t + away * part for t, part in zip(target, back, strict=True)]
    forward = [-part for part in back]
    # Up is the vertical less its share along the line of sight.
    along = forward[2]
    up = [-along * forward[0], -along * forward[1], 1 - along * forward[2]]
    scale = math.hypot(*up)
    node = Node("PerspectiveCamera")
    node.append(_triple("CameraViewPoint", eye))
    node.append(_triple("CameraDirection", forward))
    node.append(_triple("CameraUpVector", [part / scale for part in up]))
    node.add("FieldOfView", repr(_FIELD_OF_VIEW))
    if version == "3.0":
        node.add("AspectRatio", repr(_ASPECT))
    return node


def _triple(name: str, values: Sequence[float]) -> Node:
    node = Node(name)
    for axis, value in zip("XYZ", values, strict=True):
        # Nanometres: more digits are noise, fewer would move georeferenced points.
        node.add(axis, repr(round(value, 9)))
    return node
