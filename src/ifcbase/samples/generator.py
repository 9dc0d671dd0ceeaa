"""Generated federations for load tests: many elements, written quickly, clashes counted.

Elements stand in pairs, a host and a service to a cell, cells turned in plan. The boxes of about
half the pairs meet, as they do in real buildings; only the planted pairs overlap.
"""

from __future__ import annotations

import math
import random
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ifcbase.errors import RequestInvalid
from ifcbase.samples.plan import ARCHITECTURE, SERVICES, STRUCTURE
from ifcbase.samples.recipes import Spot, draw_host, draw_service
from ifcbase.samples.steptext import StepText

CELL = 3.2  # metres between cells; every element stays within 1.5 m of its cell's axis
HEIGHT = 3.5
CELLS_PER_STOREY = 1_000
MOST_STOREYS = 40
#: Kinds by cell, repeated: 9 of 20 hosts are cut, 9 of 20 services are faceted.
HOSTS = (
    *("opened", "plain", "opened", "column", "clipped", "beam", "opened", "plain", "opened"),
    *("column", "beam", "opened", "plain", "column", "opened", "beam", "clipped", "plain"),
    *("opened", "beam"),
)
SERVICE_KINDS = (
    *("faceted", "pipe", "faceted", "duct", "pipe", "faceted", "hollow", "faceted", "duct"),
    *("pipe", "faceted", "duct", "faceted", "pipe", "duct", "faceted", "hollow", "faceted"),
    *("duct", "faceted"),
)
#: The host kinds that stand in the structural model where there is one.
STRUCTURAL = {"column", "beam"}


@dataclass(frozen=True, slots=True)
class Generated:
    """A generated federation and what is known about it.

    ``clashes`` are all the overlapping pairs between the models as (model, GlobalId, model,
    GlobalId); every other pair is at least 50 mm apart. ``cut`` counts the elements with an
    opening or a clipping, ``faceted`` those that are meshes of at least 100 triangles.
    """

    files: dict[str, Path]
    elements: int
    cut: int
    faceted: int
    clashes: list[tuple[str, str, str, str]]


def generate(
    folder: Path,
    *,
    elements: int = 1_000,
    files: int = 2,
    clash_share: float = 0.02,
    seed: int = 0,
) -> Generated:
    """Write a federation of ``elements`` elements in 2 or 3 IFC4 files, in metres.

    ``clash_share`` is the number of planted clashes per element. Of 100 elements or more at least
    20 % have openings or clippings and 20 % are faceted. The same arguments give the same bytes.
    Raises RequestInvalid for arguments that cannot be met.
    """
    if elements < 2 or files not in {2, 3} or not 0 <= clash_share <= 0.4:
        raise RequestInvalid(
            "A generated federation has at least 2 elements in 2 or 3 files, "
            "and at most 0.4 clashes per element."
        )
    rng = random.Random(seed)  # noqa: S311
    cells, served = (elements + 1) // 2, elements // 2
    storeys = max(1, min(MOST_STOREYS, cells // CELLS_PER_STOREY))
    side = math.ceil(math.sqrt(math.ceil(cells / storeys)))
    struck = set(rng.sample(range(served), min(served, round(clash_share * elements))))
    models = (ARCHITECTURE, STRUCTURE, SERVICES) if files == 3 else (ARCHITECTURE, SERVICES)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {model: folder / f"Generated_{elements}_{model}.ifc" for model in models}
    clashes: list[tuple[str, str, str, str]] = []
    cut = faceted = 0
    with ExitStack() as stack:
        texts = {
            model: stack.enter_context(StepText(path, model, seed, storeys, HEIGHT))
            for model, path in paths.items()
        }
        for index in range(cells):
            storey, place = divmod(index, side * side)
            row, column = divmod(place, side)
            spot = Spot(index, storey, column * CELL, row * CELL, _turn(rng))
            kind = HOSTS[index % len(HOSTS)]
            model = STRUCTURE if files == 3 and kind in STRUCTURAL else ARCHITECTURE
            host = draw_host(texts[model], spot, kind, rng)
            cut += kind in {"opened", "clipped"}
            if index >= served:
                break
            # The shift makes every kind of host meet every kind of service.
            kind = SERVICE_KINDS[(index + index // len(HOSTS)) % len(SERVICE_KINDS)]
            y, z = host.hit if index in struck else host.free
            service = draw_service(texts[SERVICES], spot, kind, y, z, rng)
            faceted += kind == "faceted"
            if index in struck:
                clashes.append((model, host.global_id, SERVICES, service))
    return Generated(paths, elements, cut, faceted, clashes)


def _turn(rng: random.Random) -> float:
    """How far a cell is turned, in radians: mostly square to the grid, as buildings are."""
    draw = rng.random()
    if draw < 0.4:
        return 0.0
    return math.pi / 2 if draw < 0.6 else rng.uniform(0.0, math.tau)
