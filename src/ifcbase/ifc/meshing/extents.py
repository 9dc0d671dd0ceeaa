"""Extents that a file states cheaply, compared with meshes: a check that no mesher can fool."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ifcbase.ifc.meshing.mesher import Meshed, Source, Wanted

#: Elements of a file that are compared, spread evenly over those that have such extents.
SAMPLE = 24
#: Boxes may differ by this (metres); round profiles by this share of their size more.
TOLERANCE = 1e-3
ROUND_SHARE = 0.02

Floats = npt.NDArray[np.float64]


def disagreements(
    source: Source, wanted: Wanted, meshed: Meshed, trusted: npt.NDArray[np.bool_]
) -> dict[int, str]:
    """Rows whose box is not what their extrusion or faceted body in the file spans.

    Openings and clippings only take away, so that elements with them must lie inside.
    """
    candidates = np.flatnonzero(trusted)
    if not len(candidates):
        return {}
    step = max(1, len(candidates) // SAMPLE)
    boxes = meshed.meshes.take(candidates[::step]).aabb()
    scale = _unit_scale(source)
    wrong = {}
    for row, box in zip(candidates[::step].tolist(), boxes, strict=True):
        product = source.model.by_id(int(wanted.step_ids[row]))
        stated = _stated(product, scale)
        if stated is None:
            continue
        expected, slack, exact = stated
        got = box + np.tile(meshed.origin, 2)
        excess = max(float((expected[:3] - got[:3]).max()), float((got[3:] - expected[3:]).max()))
        lack = float(np.abs(expected - got).max())
        exact = exact and product.id() not in source.openings
        if (lack if exact else excess) > slack:
            wrong[row] = f"its box is off by {(lack if exact else excess):.3f} m"
    return wrong


def _unit_scale(source: Source) -> float:
    import ifcopenshell.util.unit

    if not source.model.by_type("IfcProject"):
        return 1.0
    return float(ifcopenshell.util.unit.calculate_unit_scale(source.model)) or 1.0


def _stated(product: Any, scale: float) -> tuple[Floats, float, bool] | None:
    """Box in world metres, slack in metres, and whether the mesh fills it; None if not cheap."""
    import ifcopenshell.util.placement

    shape = product.Representation
    bodies = [
        r
        for r in (shape.Representations if shape else ())
        if (r.RepresentationIdentifier or "").lower() == "body"
    ]
    if len(bodies) != 1 or not 1 <= len(bodies[0].Items) <= 4:
        return None
    points, rounding, exact = [], 0.0, True
    for item in bodies[0].Items:
        while item.is_a("IfcBooleanResult") and item.Operator == "DIFFERENCE":
            item, exact = item.FirstOperand, False
        if not item.is_a("IfcExtrudedAreaSolid"):
            return None
        outline = _outline(item.SweptArea)
        if outline is None:
            return None
        corners, round_size = outline
        rounding = max(rounding, round_size)
        points.append(_swept(item, corners))
    placement = np.eye(4)
    if product.ObjectPlacement is not None:
        placement = ifcopenshell.util.placement.get_local_placement(product.ObjectPlacement)
    local = np.concatenate(points)
    world = (local @ placement[:3, :3].T + placement[:3, 3]) * scale
    box = np.concatenate([world.min(axis=0), world.max(axis=0)])
    return box, TOLERANCE + ROUND_SHARE * rounding * scale, exact


def _outline(profile: Any) -> tuple[Floats, float] | None:
    """Points spanning the profile in its plane, and the size of its round parts."""
    if profile.is_a("IfcArbitraryClosedProfileDef") and profile.OuterCurve.is_a("IfcPolyline"):
        return np.array([p.Coordinates[:2] for p in profile.OuterCurve.Points], float), 0.0
    if profile.is_a() == "IfcRectangleProfileDef":
        x, y = profile.XDim / 2, profile.YDim / 2
        return _placed(profile, np.array([[-x, -y], [x, -y], [x, y], [-x, y]])), 0.0
    if profile.is_a("IfcCircleProfileDef"):
        r = profile.Radius
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        return _placed(profile, r * np.column_stack([np.cos(angle), np.sin(angle)])), r
    return None


def _placed(profile: Any, points: Floats) -> Floats:
    """Points of a parametric profile after its own position."""
    position = profile.Position
    if position is None:
        return points
    x = np.array([1.0, 0.0])
    if position.RefDirection is not None:
        x = np.array(position.RefDirection.DirectionRatios[:2], float)
        x /= np.hypot(*x)
    turned = points[:, :1] * x + points[:, 1:] * np.array([-x[1], x[0]])
    return np.asarray(turned + np.array(position.Location.Coordinates[:2], float))


def _swept(solid: Any, outline: Floats) -> Floats:
    """Both ends of an extrusion in the element's coordinates."""
    import ifcopenshell.util.placement

    direction = np.array(solid.ExtrudedDirection.DirectionRatios, float)
    direction *= solid.Depth / np.linalg.norm(direction)
    low = np.column_stack([outline, np.zeros(len(outline))])
    both = np.concatenate([low, low + direction])
    if solid.Position is None:
        return both
    matrix = ifcopenshell.util.placement.get_axis2placement(solid.Position)
    return np.asarray(both @ matrix[:3, :3].T + matrix[:3, 3])
