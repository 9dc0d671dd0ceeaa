"""The regular architecture of the sample building: floors, walls, doors, windows, rooms, stairs."""

from __future__ import annotations

from ifcbase.samples.fabric import BOARD, FLOOR, JOINT, WALL_TOP, WALL_X
from ifcbase.samples.plan import (
    ARCHITECTURE,
    BAY_X,
    BAY_Y,
    HEIGHT,
    Opening,
    Part,
    Plan,
    grid_name,
    solid,
)
from ifcbase.samples.shapes import Clip, Extrusion, Rectangle, Vector, bar, stair


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

    def turned(along: float, across: float, up: float) -> Vector:
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
