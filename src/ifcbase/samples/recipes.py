"""What stands in one cell of a generated federation: a host, and a service that runs past it.

In a cell's frame the service runs along x and the host's faces look along x; z is up. Sizes differ
from element to element.
"""

from __future__ import annotations

import functools
import math
import random
from dataclasses import dataclass

from ifcbase.samples.steptext import StepText, numbers

BREP_SHARE = 0.03  # of the faceted services; the others are triangulated face sets
MIDDLE = 1.4  # height of openings


@dataclass(frozen=True, slots=True)
class Spot:
    """A cell: its number, storey, position in metres and turn in radians."""

    index: int
    storey: int
    x: float
    y: float
    turn: float


@dataclass(frozen=True, slots=True)
class Host:
    """A written host and the (y, z) where a service passes freely, and where it pierces."""

    global_id: str
    free: tuple[float, float]
    hit: tuple[float, float]


def draw_host(text: StepText, spot: Spot, kind: str, rng: random.Random) -> Host:
    """Write a wall (opened, clipped or plain), a column or a beam."""
    ahead = _ahead(text, spot.turn)
    place = text.placed(spot.x, spot.y, 0.0, ahead, spot.storey)
    if kind == "column":
        return _column(text, spot, place, rng)
    if kind == "beam":
        return _beam(text, spot, place, rng)
    thick, long = rng.choice((0.1, 0.15, 0.2, 0.25, 0.3)), rng.uniform(1.9, 2.7)
    high = rng.uniform(1.0, 1.6) if kind == "plain" else rng.uniform(2.3, 2.9)
    solid = _block(text, thick, long, high)
    form = "SweptSolid"
    if kind == "clipped":
        slope = rng.uniform(0.4, 0.6)
        point = text.put("IFCCARTESIANPOINT((0.,0.,1.7))")
        up = text.direction(0.0, slope / math.hypot(slope, 1), 1 / math.hypot(slope, 1))
        axes = text.put(f"IFCAXIS2PLACEMENT3D(#{point},#{up},#{text.ahead})")
        half = text.put(f"IFCHALFSPACESOLID(#{text.put(f'IFCPLANE(#{axes})')},.F.)")
        solid = text.put(f"IFCBOOLEANCLIPPINGRESULT(.DIFFERENCE.,#{solid},#{half})")
        form = "Clipping"
        free, hit = (0.6, 1.7 - 0.6 * slope + 0.35), (-0.5, 1.2)
    elif kind == "opened":
        free, hit = (0.0, MIDDLE), (0.6, MIDDLE)
    else:
        free, hit = (0.0, high + rng.uniform(0.2, 0.4)), (0.3, high / 2)
    wall, global_id = _element(text, spot, "IFCWALL", f"Wall {thick:g}", place, f"#{solid}", form)
    if kind == "opened":
        _opening(text, spot, wall, place, thick, rng)
    return Host(global_id, free, hit)


def _opening(
    text: StepText, spot: Spot, wall: int, place: int, thick: float, rng: random.Random
) -> None:
    wide, high = rng.uniform(0.45, 0.6), rng.uniform(0.45, 0.6)
    solid = _block(text, thick + 0.1, wide, high)
    point = text.put(f"IFCCARTESIANPOINT((0.,0.,{MIDDLE - high / 2:.4f}))")
    axes = text.put(f"IFCAXIS2PLACEMENT3D(#{point},$,$)")
    inner = text.put(f"IFCLOCALPLACEMENT(#{place},#{axes})")
    shape = text.body(f"#{solid}", "SweptSolid")
    role = f"opening/{spot.index}"
    hole, _ = text.rooted(
        "IFCOPENINGELEMENT", role, f"'Opening {spot.index}',$,$,#{inner},#{shape},$,.OPENING."
    )
    text.rooted("IFCRELVOIDSELEMENT", f"{role}/voids", f"$,$,#{wall},#{hole}")


def _column(text: StepText, spot: Spot, place: int, rng: random.Random) -> Host:
    wide, high = rng.uniform(0.25, 0.5), rng.uniform(2.4, 3.0)
    if rng.random() < 0.3:
        profile = text.put(f"IFCCIRCLEPROFILEDEF(.AREA.,$,$,{wide / 2:.4f})")
        solid = text.put(f"IFCEXTRUDEDAREASOLID(#{profile},#{text.axes},#{text.up},{high:.4f})")
        name = "Round column"
    else:
        solid, name = _block(text, wide, wide, high), "Column"
    _, global_id = _element(text, spot, "IFCCOLUMN", name, place, f"#{solid}", "SweptSolid")
    return Host(global_id, (wide / 2 + rng.uniform(0.25, 0.4), 1.2), (0.0, 1.2))


def _beam(text: StepText, spot: Spot, place: int, rng: random.Random) -> Host:
    """An I beam along y, its axis 1.5 m up."""
    wide, deep, long = rng.uniform(0.15, 0.3), rng.uniform(0.3, 0.5), rng.uniform(1.8, 2.8)
    point = text.put(f"IFCCARTESIANPOINT((0.,{-long / 2:.4f},1.5))")
    axes = text.put(f"IFCAXIS2PLACEMENT3D(#{point},#{text.aside},#{text.ahead})")
    web, flange = rng.uniform(0.025, 0.04), rng.uniform(0.025, 0.04)
    profile = text.put(
        f"IFCISHAPEPROFILEDEF(.AREA.,$,$,{wide:.4f},{deep:.4f},{web:.4f},{flange:.4f},$,$,$)"
    )
    solid = text.put(f"IFCEXTRUDEDAREASOLID(#{profile},#{axes},#{text.up},{long:.4f})")
    _, global_id = _element(text, spot, "IFCBEAM", "I beam", place, f"#{solid}", "SweptSolid")
    return Host(global_id, (0.0, 1.5 - deep / 2 - rng.uniform(0.2, 0.35)), (0.3, 1.5))


def draw_service(
    text: StepText, spot: Spot, kind: str, y: float, z: float, rng: random.Random
) -> str:
    """Write a pipe, hollow pipe, duct or faceted fitting along x at (y, z); its GlobalId."""
    back = rng.uniform(0.5, 1.2)
    length = back + rng.uniform(0.5, 1.2)
    cos, sin = math.cos(spot.turn), math.sin(spot.turn)
    x0, y0 = spot.x - back * cos - y * sin, spot.y - back * sin + y * cos
    place = text.placed(x0, y0, z, _ahead(text, spot.turn), spot.storey)
    if kind == "faceted":
        item, form = _fitting(text, length, rng)
        return _element(text, spot, "IFCPIPEFITTING", "Formed pipe", place, f"#{item}", form)[1]
    if kind == "duct":
        wide, high = rng.uniform(0.1, 0.2), rng.uniform(0.1, 0.2)
        profile = text.put(f"IFCRECTANGLEPROFILEDEF(.AREA.,$,$,{wide:.4f},{high:.4f})")
        name = ("IFCDUCTSEGMENT", "Duct")
    elif kind == "hollow":
        radius = rng.uniform(0.06, 0.1)
        profile = text.put(f"IFCCIRCLEHOLLOWPROFILEDEF(.AREA.,$,$,{radius:.4f},{radius / 4:.4f})")
        name = ("IFCPIPESEGMENT", "Hollow pipe")
    else:
        profile = text.put(f"IFCCIRCLEPROFILEDEF(.AREA.,$,$,{rng.uniform(0.03, 0.1):.4f})")
        name = ("IFCPIPESEGMENT", "Pipe")
    solid = text.put(f"IFCEXTRUDEDAREASOLID(#{profile},#{text.along_x},#{text.up},{length:.4f})")
    return _element(text, spot, *name, place, f"#{solid}", "SweptSolid")[1]


def _fitting(text: StepText, length: float, rng: random.Random) -> tuple[int, str]:
    """A closed, gently bent tube of changing width: rings of flat faces along x."""
    around, rings = rng.choice((12, 14, 16)), rng.choice((5, 6))
    radius, bend, phase = rng.uniform(0.04, 0.09), rng.uniform(0.0, 0.04), rng.uniform(0, math.tau)
    circle = [
        (math.cos(math.tau * i / around), math.sin(math.tau * i / around)) for i in range(around)
    ]
    points: list[str] = []
    for ring in range(rings):
        share = ring / (rings - 1)
        x, off = share * length, bend * math.sin(math.pi * share)
        y, z = off * math.cos(phase), off * math.sin(phase)
        size = radius * rng.uniform(0.8, 1.1)
        points += [f"({x:.4f},{y + size * c:.4f},{z + size * s:.4f})" for c, s in circle]
    if rng.random() < BREP_SHARE:
        corners = [text.put(f"IFCCARTESIANPOINT({point})") for point in points]
        faces = []
        for triangle in _triangles(around, rings):
            loop = text.put(f"IFCPOLYLOOP({numbers([corners[i - 1] for i in triangle])})")
            bound = text.put(f"IFCFACEOUTERBOUND(#{loop},.T.)")
            faces.append(text.put(f"IFCFACE((#{bound}))"))
        shell = text.put(f"IFCCLOSEDSHELL({numbers(faces)})")
        return text.put(f"IFCFACETEDBREP(#{shell})"), "Brep"
    listed = text.put(f"IFCCARTESIANPOINTLIST3D(({','.join(points)}))")
    indexes = _indexes(around, rings)
    return text.put(f"IFCTRIANGULATEDFACESET(#{listed},$,.T.,{indexes},$)"), "Tessellation"


@functools.cache
def _triangles(around: int, rings: int) -> list[tuple[int, int, int]]:
    """Faces of a tube of rings, outwards, counted from 1 as IFC does."""
    found: list[tuple[int, int, int]] = []
    for ring in range(rings - 1):
        for i in range(around):
            a = ring * around + i + 1
            b = ring * around + (i + 1) % around + 1
            found += [(a, b, b + around), (a, b + around, a + around)]
    last = (rings - 1) * around
    for i in range(2, around):
        found += [(1, i + 1, i), (last + 1, last + i, last + i + 1)]
    return found


@functools.cache
def _indexes(around: int, rings: int) -> str:
    return "(" + ",".join(f"({a},{b},{c})" for a, b, c in _triangles(around, rings)) + ")"


def _element(
    text: StepText, spot: Spot, ifc_class: str, kind: str, place: int, items: str, form: str
) -> tuple[int, str]:
    """Write an element in its storey with its type and, for every second cell, properties."""
    word = "service" if ifc_class.startswith(("IFCPIPE", "IFCDUCT")) else "host"
    role = f"{word}/{spot.index}"
    shape = text.body(items, form)
    element, global_id = text.rooted(
        ifc_class, role, f"'{kind} {spot.index}',$,$,#{place},#{shape},$,$"
    )
    text.contained[spot.storey].append(element)
    text.typed.setdefault((ifc_class, kind), []).append(element)
    if spot.index % 2 == 0:
        mark = text.put(f"IFCPROPERTYSINGLEVALUE('Mark',$,IFCLABEL('{spot.index:06d}'),$)")
        zone = text.put(f"IFCPROPERTYSINGLEVALUE('Zone',$,IFCLABEL('Zone {spot.storey + 1}'),$)")
        pset, _ = text.rooted(
            "IFCPROPERTYSET", f"{role}/pset", f"'Sample_Marking',$,(#{mark},#{zone})"
        )
        text.rooted("IFCRELDEFINESBYPROPERTIES", f"{role}/defines", f"$,$,(#{element}),#{pset}")
    return element, global_id


def _block(text: StepText, x: float, y: float, z: float) -> int:
    """Write a box centred on the origin in plan, standing on z = 0."""
    profile = text.put(f"IFCRECTANGLEPROFILEDEF(.AREA.,$,$,{x:.4f},{y:.4f})")
    return text.put(f"IFCEXTRUDEDAREASOLID(#{profile},#{text.axes},#{text.up},{z:.4f})")


def _ahead(text: StepText, turn: float) -> int:
    """The x direction of a turned cell; the unturned one is shared."""
    return text.direction(math.cos(turn), math.sin(turn), 0.0) if turn else text.ahead
