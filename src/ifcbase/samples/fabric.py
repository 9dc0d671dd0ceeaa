"""The regular structure and services of the sample building, and its measures.

The models keep clear of each other by more than ``APART_M``: a raised floor above the structural
slab, walls between the beams, services below the beams and beside the walls. Inside one model,
joints of ten to twenty millimetres keep parts from touching.
"""

from __future__ import annotations

from ifcbase.samples.plan import (
    BAY_X,
    BAY_Y,
    HEIGHT,
    SERVICES,
    STRUCTURE,
    Opening,
    Plan,
    grid_name,
    solid,
    tube,
)

JOINT = 0.01
COLUMN = 0.4  # side of a column
BEAM = 0.3  # width of a beam
EDGE = 0.3  # slab edge beyond the grid
SLAB = 0.25  # thickness of a structural slab
BEAM_TOP = HEIGHT - SLAB - JOINT  # above its storey's floor
BEAM_SOFFIT = BEAM_TOP - 0.4
FLOOR = 0.2  # top of the raised floor
WALL_X = 2.9  # near face of a bay's partition, 0.2 thick
WALL_TOP = 3.1
SHAFT = (5.3, 3.5)  # centre of the riser in bay A1
RUN_X = 2.2  # pipes run north here, in every bay
RUN_Z = 2.65
CONCRETE = "Concrete C30/37"
BOARD = "Plasterboard on studs"


def structure(plan: Plan) -> None:
    """Footings, columns, beams and slabs."""
    nx, ny = plan.bays
    for i in range(nx + 1):
        for j in range(ny + 1):
            x, y, spot = i * BAY_X, j * BAY_Y, grid_name(i, j)
            plan.add(
                solid(
                    STRUCTURE,
                    f"footing/{spot}",
                    "IfcFooting",
                    f"Pad footing {spot}",
                    0,
                    ((x - 0.6, y - 0.6, -0.76), (x + 0.6, y + 0.6, -SLAB - JOINT)),
                    kind="Pad footing 1200x1200x500",
                    material=CONCRETE,
                )
            )
    for k in range(plan.storeys):
        for i in range(nx + 1):
            for j in range(ny + 1):
                _column(plan, k, i, j)
        for i in range(nx):
            for j in range(ny + 1):
                _beam(plan, k, i, j, "x")
        for i in range(nx + 1):
            for j in range(ny):
                _beam(plan, k, i, j, "y")
    for k in range(plan.storeys + 1):
        _slab(plan, k)


def _column(plan: Plan, k: int, i: int, j: int) -> None:
    x, y, half = i * BAY_X, j * BAY_Y, COLUMN / 2
    plan.add(
        solid(
            STRUCTURE,
            f"column/{k}/{grid_name(i, j)}",
            "IfcColumn",
            f"Column {grid_name(i, j)} level {k + 1}",
            k,
            ((x - half, y - half, JOINT), (x + half, y + half, BEAM_TOP)),
            kind="Column 400x400",
            material=CONCRETE,
            properties={"Pset_ColumnCommon": {"LoadBearing": True, "FireRating": "R90"}},
        )
    )


def _beam(plan: Plan, k: int, i: int, j: int, along: str) -> None:
    x, y, half = i * BAY_X, j * BAY_Y, BEAM / 2
    inset = COLUMN / 2 + JOINT
    if along == "x":
        corners = (x + inset, y - half, BEAM_SOFFIT), (x + BAY_X - inset, y + half, BEAM_TOP)
    else:
        corners = (x - half, y + inset, BEAM_SOFFIT), (x + half, y + BAY_Y - inset, BEAM_TOP)
    plan.add(
        solid(
            STRUCTURE,
            f"beam-{along}/{k}/{grid_name(i, j)}",
            "IfcBeam",
            f"Beam {grid_name(i, j)}-{grid_name(*((i + 1, j) if along == 'x' else (i, j + 1)))} "
            f"level {k + 1}",
            k,
            corners,
            "x" if along == "x" else "y",
            kind="Beam 300x400",
            material=CONCRETE,
            properties={"Pset_BeamCommon": {"LoadBearing": True, "FireRating": "R60"}},
        )
    )


def _slab(plan: Plan, k: int) -> None:
    nx, ny = plan.bays
    z, (sx, sy) = k * HEIGHT, SHAFT
    hole = Opening((sx - 0.2, sy - 0.2, z - SLAB - 0.05), (sx + 0.2, sy + 0.2, z + 0.05))
    name = f"Slab level {k + 1}" if k < plan.storeys else "Roof slab"
    plan.add(
        solid(
            STRUCTURE,
            f"slab/{k}",
            "IfcSlab",
            name,
            k,
            ((-EDGE, -EDGE, -SLAB), (nx * BAY_X + EDGE, ny * BAY_Y + EDGE, 0.0)),
            kind="Flat slab 250",
            material=CONCRETE,
            properties={"Pset_SlabCommon": {"LoadBearing": True, "FireRating": "REI90"}},
            openings=(hole,) if k else (),
        )
    )


def services(plan: Plan) -> None:
    """Ducts and pipes running north below the beams, with their couplings, and the riser."""
    nx, ny = plan.bays
    for k in range(plan.storeys):
        for i in range(nx):
            for j in range(ny):
                _runs(plan, k, i, j)
        plan.add(
            tube(
                f"riser/{k}",
                f"Riser level {k + 1}",
                k,
                (SHAFT[0], SHAFT[1], 0.25),
                HEIGHT - 0.01,
                "z",
                0.05,
                segments=24,
            )
        )


def _runs(plan: Plan, k: int, i: int, j: int) -> None:
    x, y, spot = i * BAY_X, j * BAY_Y, grid_name(i, j)
    plan.add(
        solid(
            SERVICES,
            f"duct/{k}/{spot}",
            "IfcDuctSegment",
            f"Supply duct {spot} level {k + 1}",
            k,
            ((x + 1.3, y + 0.16, 2.45), (x + 1.7, y + 4.84, 2.7)),
            "y",
            kind="Duct 400x250",
            material="Sheet steel",
            properties={"Sample_Services": {"System": "Supply air"}},
        )
    )
    # Flat-faced in the first column of bays, where revision B makes a run graze the partitions.
    segments = 32 if i == 0 else 0
    plan.add(
        tube(
            f"pipe/{k}/{spot}",
            f"Pipe {spot} level {k + 1}",
            k,
            (x + RUN_X, y + 0.16, RUN_Z),
            4.68,
            "y",
            0.04,
            segments=segments,
        )
    )
    if j + 1 == plan.bays[1]:
        return
    plan.add(
        tube(
            f"coupling/{k}/{spot}",
            f"Coupling {spot} level {k + 1}",
            k,
            (x + RUN_X, y + 4.85, RUN_Z),
            0.3,
            "y",
            0.055,
            segments=36,
            ifc_class="IfcPipeFitting",
            tessellated=True,
        )
    )
    plan.add(
        solid(
            SERVICES,
            f"duct-coupling/{k}/{spot}",
            "IfcDuctFitting",
            f"Duct coupling {spot} level {k + 1}",
            k,
            ((x + 1.28, y + 4.85, 2.43), (x + 1.72, y + 5.15, 2.72)),
            "y",
            kind="Duct coupling 440x290",
            material="Sheet steel",
            properties={"Sample_Services": {"System": "Supply air"}},
        )
    )
