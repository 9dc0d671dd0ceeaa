"""Contacts planted in bay A1 of every storey, and the edits of revision B.

Coordinates count from the crossing of grid lines A and 1 and from the storey's floor. Even storeys
(the ground floor is storey 0) get the edits that move services; see ``plant``.
"""

from __future__ import annotations

from dataclasses import replace

from ifcbase.samples.fabric import (
    BEAM_SOFFIT,
    BOARD,
    CONCRETE,
    FLOOR,
    RUN_X,
    WALL_X,
)
from ifcbase.samples.plan import (
    ARCHITECTURE,
    HEIGHT,
    SERVICES,
    STRUCTURE,
    Opening,
    Part,
    Plan,
    grid_name,
    solid,
    tube,
)

PIERCE_Z = 2.3  # height of the pipes that cross the partition


def plant(plan: Plan) -> None:
    """Plant every contact; in revision B also make its edits.

    Edits per storey: the duct goes 70 mm deeper into its beam. On even storeys the piercing pipe is
    moved away, and the run of bays A1, A2, … is moved to graze their partitions by 30 mm; on odd
    storeys the pipe below a beam is raised into it by 20 mm. Once, on the ground floor: the column
    in the wall is deleted, a drain is added that pierces the wall, a façade is renamed, the fire
    rating of a partition and of a column changes, the architect's post is reclassified.
    """
    for k in range(plan.storeys):
        wall = _cut_for_pipe(plan, k)
        _pierce(plan, k, wall)
        _column_in_wall(plan, k, wall)
        _duct_in_beam(plan, k)
        _pipe_under_beam(plan, k)
        _duct_on_slab(plan, k)
        _duplicate(plan, k)
        _flush_beam(plan, k)
        riser = plan.part(SERVICES, f"riser/{k}")
        slab = plan.part(STRUCTURE, f"slab/{k + 1}")
        plan.contact("gap", slab, riser, 0.15, "riser through the shaft opening of the slab")
    if plan.revised:
        _revise(plan)


def _cut_for_pipe(plan: Plan, k: int) -> Part:
    """The partition of bay A1 gets an opening, and a pipe goes through it without touching."""
    z, y = k * HEIGHT + PIERCE_Z, 2.6
    wall = plan.part(ARCHITECTURE, f"partition/{k}/A1")
    hole = Opening((WALL_X - 0.02, y - 0.175, z - 0.175), (WALL_X + 0.22, y + 0.175, z + 0.175))
    wall = plan.swap(replace(wall, openings=(*wall.openings, hole)))
    pipe = plan.add(
        tube(
            f"opening-pipe/{k}",
            f"Sprinkler main level {k + 1}",
            k,
            (2.0, y, PIERCE_Z),
            1.9,
            "x",
            0.05,
            segments=24,
            system="Sprinkler",
        )
    )
    plan.contact("gap", wall, pipe, 0.125, "pipe through its opening in the wall")
    return wall


def _pierce(plan: Plan, k: int, wall: Part) -> None:
    pipe = plan.add(
        tube(
            f"pierce-pipe/{k}",
            f"Sprinkler branch level {k + 1}",
            k,
            (2.6, 3.9, PIERCE_Z),
            0.8,
            "x",
            0.05,
            system="Sprinkler",
        )
    )
    if plan.revised and k % 2 == 0:
        plan.move(pipe, (-0.85, 0.0, 0.0))
    else:
        plan.contact("clash", wall, pipe, 0.5, "pipe pierces the wall, 300 mm out on both sides")


def _column_in_wall(plan: Plan, k: int, wall: Part) -> None:
    post = solid(
        STRUCTURE,
        f"wall-post/{k}",
        "IfcColumn",
        f"Steel post in partition level {k + 1}",
        k,
        ((WALL_X + 0.05, 4.35, FLOOR + 0.15), (WALL_X + 0.15, 4.45, 2.0)),
        kind="Steel post 100x100",
        material="Steel S355",
        properties={"Pset_ColumnCommon": {"LoadBearing": True}},
    )
    if plan.revised and k == 0:
        plan.edit("deleted", post)
        return
    plan.add(post)
    plan.contact("contained", wall, post, 0.15, "column inside the wall, 50 mm from both faces")


def _duct_in_beam(plan: Plan, k: int) -> None:
    beam = plan.part(STRUCTURE, f"beam-x/{k}/{grid_name(0, 1)}")
    duct = plan.add(
        solid(
            SERVICES,
            f"beam-duct/{k}",
            "IfcDuctSegment",
            f"Extract duct level {k + 1}",
            k,
            ((0.9, 3.5, 2.92), (1.2, 4.9, 3.12)),
            "y",
            kind="Duct 300x200",
            material="Sheet steel",
            properties={"Sample_Services": {"System": "Extract air"}},
        )
    )
    depth = 0.05
    if plan.revised:
        duct, depth = plan.move(duct, (0.0, 0.07, 0.0)), 0.12
    plan.contact("clash", beam, duct, depth, f"duct ends {1000 * depth:.0f} mm inside the beam")


def _pipe_under_beam(plan: Plan, k: int) -> None:
    beam = plan.part(STRUCTURE, f"beam-y/{k}/A1")
    pipe = plan.add(
        tube(
            f"beam-pipe/{k}",
            f"Heating flow level {k + 1}",
            k,
            (0.0, 1.0, BEAM_SOFFIT - 0.08),
            3.0,
            "y",
            0.05,
            segments=24,
            system="Heating",
        )
    )
    if plan.revised and k % 2:
        pipe = plan.move(pipe, (0.0, 0.0, 0.05))
        plan.contact("clash", beam, pipe, 0.02, "pipe 20 mm inside the beam from below")
    else:
        plan.contact("gap", beam, pipe, 0.03, "pipe 30 mm below the beam")


def _duct_on_slab(plan: Plan, k: int) -> None:
    duct = plan.add(
        solid(
            SERVICES,
            f"slab-duct/{k}",
            "IfcDuctSegment",
            f"Plenum level {k + 1}",
            k,
            ((5.05, 1.0, 0.0), (5.35, 1.3, 1.5)),
            kind="Duct 300x300",
            material="Sheet steel",
            properties={"Sample_Services": {"System": "Supply air"}},
        )
    )
    plan.contact(
        "touching", plan.part(STRUCTURE, f"slab/{k}"), duct, 0.0, "duct stands on the slab"
    )


def _duplicate(plan: Plan, k: int) -> None:
    corners = (0.9, 0.9, 0.35), (1.1, 1.1, 2.3)
    drawn = solid(
        ARCHITECTURE,
        f"post/{k}",
        "IfcBuildingElementProxy",
        f"Post as seen by the architect level {k + 1}",
        k,
        corners,
        kind="Post 200x200",
        material=CONCRETE,
    )
    if plan.revised and k == 0:
        drawn = replace(drawn, ifc_class="IfcColumn")
        plan.edit("reclassified", drawn, "class", "IfcBuildingElementProxy", "IfcColumn")
    built = solid(
        STRUCTURE,
        f"post/{k}",
        "IfcColumn",
        f"Hanging post level {k + 1}",
        k,
        corners,
        kind="Post 200x200",
        material=CONCRETE,
        properties={"Pset_ColumnCommon": {"LoadBearing": True}},
    )
    plan.contact("duplicate", plan.add(drawn), plan.add(built), 0.2, "the same post in both models")


def _flush_beam(plan: Plan, k: int) -> None:
    wall = solid(
        ARCHITECTURE,
        f"bulkhead/{k}",
        "IfcWall",
        f"Bulkhead level {k + 1}",
        k,
        ((4.4, 3.0, PIERCE_Z), (4.6, 4.2, PIERCE_Z + 0.4)),
        "y",
        kind="Bulkhead 200x400",
        material=BOARD,
    )
    beam = solid(
        STRUCTURE,
        f"flush-beam/{k}",
        "IfcBeam",
        f"Trimmer level {k + 1}",
        k,
        ((4.4, 2.0, PIERCE_Z), (4.6, 3.05, PIERCE_Z + 0.4)),
        "y",
        kind="Trimmer 200x400",
        material=CONCRETE,
        properties={"Pset_BeamCommon": {"LoadBearing": True}},
    )
    plan.contact(
        "clash",
        plan.add(wall),
        plan.add(beam),
        0.05,
        "beam and wall of equal section overlap by 50 mm end to end",
    )


def _revise(plan: Plan) -> None:
    """The edits of revision B that are not part of a planted contact of revision A."""
    graze = 0.03
    shift = (WALL_X + graze - 0.04 - RUN_X, 0.0, 0.0)
    for k in range(0, plan.storeys, 2):
        for j in range(plan.bays[1]):
            spot = grid_name(0, j)
            run = plan.move(plan.part(SERVICES, f"pipe/{k}/{spot}"), shift)
            wall = plan.part(ARCHITECTURE, f"partition/{k}/{spot}")
            plan.contact("clash", wall, run, graze, "moved pipe runs along and 30 mm into the wall")
            if j + 1 < plan.bays[1]:
                plan.move(plan.part(SERVICES, f"coupling/{k}/{spot}"), shift)
    drain = plan.add(
        tube(
            "drain/0",
            "Condensate drain level 1",
            0,
            (2.6, 3.3, 1.2),
            0.8,
            "x",
            0.04,
            segments=24,
            system="Drainage",
        )
    )
    plan.edit("added", drain)
    wall = plan.part(ARCHITECTURE, "partition/0/A1")
    plan.contact("clash", wall, drain, 0.5, "added drain pierces the wall")

    facade = plan.part(ARCHITECTURE, "facade/0/south/0")
    new_name = "Façade south, entrance"
    facade = plan.swap(replace(facade, name=new_name))
    plan.edit("renamed", facade, "Name", "Façade south 1 level 1", new_name)
    _rate(plan, ARCHITECTURE, "partition/0/A1", "Pset_WallCommon", "EI60")
    _rate(plan, STRUCTURE, "column/0/A1", "Pset_ColumnCommon", "R120")


def _rate(plan: Plan, model: str, role: str, name: str, rating: str) -> None:
    """Change a fire rating."""
    part = plan.part(model, role)
    before = str(part.properties[name]["FireRating"])
    properties = {**part.properties, name: {**part.properties[name], "FireRating": rating}}
    part = plan.swap(replace(part, properties=properties))
    plan.edit("property", part, f"{name}.FireRating", before, rating)
