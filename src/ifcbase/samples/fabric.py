"""The regular parts of the sample building: what every storey and bay repeats.

The models keep clear of each other by more than ``APART_M``: a raised floor above the structural
slab, walls between the beams, services below the beams and beside the walls. Inside one model,
joints of ten to twenty millimetres keep parts from touching.
"""

from __future__ import annotations

from ifcbase.samples.plan import (
    ARCHITECTURE,
    BAY_X,
    BAY_Y,
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
from ifcbase.samples.shapes import Clip, Extrusion, Rectangle, bar, stair

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


def architecture(plan: Plan) -> None:
    """Raised floors, partitions with doors, façades with windows, rooms, stairs, gables."""
    nx, ny = plan.bays
    for k in range(plan.storeys):
        for i in range(nx):
            for j in range(ny):
                _bay(plan, k, i, j)
        for i in range(nx):
            _facade(plan, k, i, "south")
            _facade(plan, k, i, "north")
        for j in range(ny):
            _facade(plan, k, j, "west")
            _facade(plan, k, j, "east")
        at = (nx * BAY_X + 1.2, 0.5, k * HEIGHT + FLOOR)
        flight = stair(1.2, 14, 0.28, (HEIGHT - 0.35) / 14, 0.15)
        plan.add(
            Part(
                ARCHITECTURE,
                f"stair/{k}",
                "IfcStairFlight",
                f"Outside stair, flight {k + 1}",
                k,
                at,
                flight,
                "Steel flight 14 steps",
                "Steel, galvanised",
            )
        )
    _gables(plan)


def _bay(plan: Plan, k: int, i: int, j: int) -> None:
    x, y, spot, z = i * BAY_X, j * BAY_Y, grid_name(i, j), k * HEIGHT
    plan.add(
        solid(
            ARCHITECTURE,
            f"floor/{k}/{spot}",
            "IfcSlab",
            f"Raised floor {spot} level {k + 1}",
            k,
            ((x + 0.35, y + 0.35, 0.15), (x + 4.9, y + BAY_Y - 0.35, FLOOR)),
            kind="Raised floor 50",
            material="Calcium sulphate panel",
            properties={"Pset_SlabCommon": {"LoadBearing": False}},
        )
    )
    gap = 0.005  # between a door and its opening
    foot = z + FLOOR + 0.02
    lo, hi = (x + WALL_X - 0.02, y + 0.6, foot), (x + WALL_X + 0.22, y + 1.5, foot + 2.1)
    door_at, door_shape = bar(
        (x + WALL_X + 0.05, lo[1] + gap, foot + gap),
        (x + WALL_X + 0.11, hi[1] - gap, hi[2] - gap),
    )
    door = Part(
        ARCHITECTURE,
        f"door/{k}/{spot}",
        "IfcDoor",
        f"Door {k + 1}.{spot}",
        k,
        door_at,
        door_shape,
        "Single door 900x2100",
        "Oak",
        {"Pset_DoorCommon": {"FireRating": "EI30", "IsExternal": False}},
    )
    plan.add(
        solid(
            ARCHITECTURE,
            f"partition/{k}/{spot}",
            "IfcWall",
            f"Partition {spot} level {k + 1}",
            k,
            ((x + WALL_X, y + 0.35, FLOOR + 0.02), (x + WALL_X + 0.2, y + BAY_Y - 0.35, WALL_TOP)),
            kind="Partition 200",
            material=BOARD,
            properties={
                "Pset_WallCommon": {"IsExternal": False, "LoadBearing": False, "FireRating": "EI30"}
            },
            openings=(Opening(lo, hi, door),),
        )
    )
    for side, left, right in (("west", 0.2, WALL_X - 0.02), ("east", WALL_X + 0.22, 5.8)):
        number = 2 * (i + j * plan.bays[0]) + (1 if side == "west" else 2)
        plan.add(
            solid(
                ARCHITECTURE,
                f"room/{k}/{spot}/{side}",
                "IfcSpace",
                f"Office {k + 1}.{number:02d}",
                k,
                ((x + left, y + 0.2, FLOOR + 0.01), (x + right, y + BAY_Y - 0.2, 3.0)),
            )
        )


def _facade(plan: Plan, k: int, n: int, side: str) -> None:
    nx, ny = plan.bays
    along_x = side in {"south", "north"}
    bay, count = (BAY_X, nx) if along_x else (BAY_Y, ny)
    corner = 0.65 if along_x else 0.43  # the south and north walls cover the corners
    start = n * bay + (JOINT if n else -corner)
    end = (n + 1) * bay + (-JOINT if n < count - 1 else corner)
    near = -0.65 if side in {"south", "west"} else (ny * BAY_Y if along_x else nx * BAY_X) + 0.45
    z, middle = k * HEIGHT, (n + 0.5) * bay

    def turned(along: float, across: float, up: float) -> tuple[float, float, float]:
        return (along, across, up) if along_x else (across, along, up)

    sill, head, gap = z + 1.0, z + 2.2, 0.01
    inner = bar(
        turned(middle - 0.75 + gap, near + 0.06, sill + gap),
        turned(middle + 0.75 - gap, near + 0.14, head - gap),
    )
    window = Part(
        ARCHITECTURE,
        f"window/{k}/{side}/{n}",
        "IfcWindow",
        f"Window {side} {k + 1}.{n + 1}",
        k,
        *inner,
        f"Window 1500x1200 {'along' if along_x else 'across'}",
        "Glass in timber",
        {"Pset_WindowCommon": {"IsExternal": True}},
        mapped=True,
    )
    hole = Opening(
        turned(middle - 0.75, near - 0.02, sill), turned(middle + 0.75, near + 0.22, head), window
    )
    plan.add(
        solid(
            ARCHITECTURE,
            f"facade/{k}/{side}/{n}",
            "IfcWall",
            f"Façade {side} {n + 1} level {k + 1}",
            k,
            (turned(start, near, 0.0), turned(end, near + 0.2, HEIGHT - 0.02)),
            kind="Façade 200",
            material="Brick",
            properties={"Pset_WallCommon": {"IsExternal": True, "LoadBearing": False}},
            openings=(hole,),
        )
    )


def _gables(plan: Plan) -> None:
    """Two walls on the roof whose tops are cut to a slope by a plane."""
    nx, ny = plan.bays
    length = ny * BAY_Y
    for side, x in (("west", -0.55), ("east", nx * BAY_X + 0.55)):
        cut = Clip((0.0, length / 2, 1.2), (0.0, -0.12, 1.0))
        shape = Extrusion(Rectangle(0.2, length), 2.0, "z", cut)
        plan.add(
            Part(
                ARCHITECTURE,
                f"gable/{side}",
                "IfcWall",
                f"Gable {side}",
                plan.storeys,
                (x, length / 2, plan.storeys * HEIGHT),
                shape,
                "Gable 200",
                "Brick",
                {"Pset_WallCommon": {"IsExternal": True}},
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
